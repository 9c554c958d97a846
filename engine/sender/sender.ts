import { LapseError, messageOf } from '../errors/errors.ts';
import type { Log } from '../log/log.ts';
import type { Clock } from '../time/clock.ts';
import { LaneRunner } from './lane-runner.ts';
import { type SenderObserver, silentObserver } from './observer.ts';
import type { UnreadDeliveries } from './protocol.ts';
import type { SenderLane } from './sender-lane.ts';
import type { Transport } from './transport.ts';

export interface SenderOptions<D> {
  readonly log: Log;
  readonly clock: Clock;
  /** Of this process, see `takeEpoch`. */
  readonly epoch: number;
  readonly transport: Transport;
  /** Makes the logic of a lane; called once a webhook and start. */
  readonly createLane: (webhookId: string, definitions: D) => SenderLane<D>;
  readonly observer?: SenderObserver;
  readonly snapshotEvery?: number;
  readonly doneRecordsKept?: number;
}

/** A lane that could not start is started again after so long. */
const START_AGAIN_MS = 1_000;
/**
 * Of the lanes' logs, counted at one look, over all lanes: a few ms of the thread, and 16 MiB/s at
 * four looks a second.
 */
const LOOK_BYTES_MAX = 4 * 2 ** 20;

/**
 * All lanes of this process. They share nothing but the log and the transport, so a slow or dead
 * receiver costs the others nothing, and a lane that breaks leaves them running.
 *
 * @typeParam D what a lane's logic needs to know of the definitions
 */
export class Sender<D> {
  readonly #options: SenderOptions<D>;
  readonly #observer: SenderObserver;
  readonly #runners = new Map<string, LaneRunner<D>>();
  readonly #definitions = new Map<string, D>();
  /** Lanes on their way out: one that comes back waits for its predecessor. */
  readonly #leaving = new Map<string, Promise<void>>();
  #isDraining = false;

  constructor(options: SenderOptions<D>) {
    this.#options = options;
    this.#observer = options.observer ?? silentObserver;
  }

  /**
   * Makes the lanes those of `definitions` (by webhook): new ones recover and start, known ones
   * are updated, the others drain and leave what they owe in the log. Resolves when all have.
   * A delivery of a campaign that its lane does not know is cancelled: announce a campaign here
   * before the partitions learn of it.
   */
  async update(definitions: ReadonlyMap<string, D>): Promise<void> {
    if (this.#isDraining) return;
    const changes: Promise<void>[] = [];
    for (const [webhookId, runner] of this.#runners) {
      if (!definitions.has(webhookId)) changes.push(this.#remove(webhookId, runner));
    }
    for (const [webhookId, definition] of definitions) {
      this.#definitions.set(webhookId, definition);
      const runner = this.#runners.get(webhookId);
      if (runner === undefined) changes.push(this.#add(webhookId));
      else runner.update(definition);
    }
    await Promise.all(changes);
  }

  /** Deliveries in memory that are not settled, by webhook. */
  pendingCounts(): Map<string, number> {
    const entries = Array.from(
      this.#runners,
      ([webhookId, runner]) => [webhookId, runner.pendingCount] as const,
    );
    return new Map(entries);
  }

  /** Deliveries that stand in the lanes' logs and are not taken, by webhook; each call counts on. */
  lookAtUnread(): Map<string, UnreadDeliveries> {
    const runners = [...this.#runners];
    const behind = runners.filter(([, { isBehind }]) => isBehind).length;
    const bytesMax = Math.ceil(LOOK_BYTES_MAX / Math.max(1, behind));
    return new Map(runners.map(([id, runner]) => [id, runner.lookAtUnread(bytesMax)]));
  }

  /** Finishes the attempts in flight and stores where every lane stands. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    const runners = [...this.#runners.values()];
    await Promise.all([...runners.map((runner) => runner.drain()), ...this.#leaving.values()]);
  }

  /** A log that is away is waited for; a lane that gave up would be silent for ever. */
  async #add(webhookId: string): Promise<void> {
    const { createLane, clock, ...options } = this.#options;
    for (;;) {
      const lane = createLane(webhookId, this.#definitions.get(webhookId)!);
      const runner = new LaneRunner<D>({ ...options, clock, webhookId, lane });
      this.#runners.set(webhookId, runner);
      await this.#leaving.get(webhookId);
      try {
        await runner.start();
        return;
      } catch (error) {
        runner.stop();
        if (!(error instanceof LapseError) || !error.retryable) {
          this.#observer.laneFailed(webhookId, failureOf(webhookId, error));
          return;
        }
        this.#observer.logUnavailable(webhookId, error);
        await new Promise<void>((resolve) => {
          clock.at(clock.now() + START_AGAIN_MS, resolve);
        });
        if (this.#isDraining || this.#runners.get(webhookId) !== runner) return;
      }
    }
  }

  async #remove(webhookId: string, runner: LaneRunner<D>): Promise<void> {
    this.#runners.delete(webhookId);
    const left = runner.drain();
    this.#leaving.set(webhookId, left);
    await left;
    if (this.#leaving.get(webhookId) === left) this.#leaving.delete(webhookId);
    this.#observer.laneRemoved(webhookId, runner.pendingCount);
  }
}

function failureOf(webhookId: string, error: unknown): LapseError {
  if (error instanceof LapseError) return error;
  const sentence = `The lane of webhook '${webhookId}' could not start: ${messageOf(error)}.`;
  return new LapseError('ERR_LANE_FAILED', sentence, { cause: error });
}
