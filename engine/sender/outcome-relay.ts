import { type DeliveryOutcome, encodeOutcomes } from '../envelope/outcomes.ts';
import { LapseError } from '../errors/errors.ts';
import type { Log } from '../log/log.ts';
import { partitionOf } from '../state/hash.ts';
import type { Clock } from '../time/clock.ts';
import type { LaneOutcome } from './sender-lane.ts';

export interface OutcomeRelayOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** The log keeps refusing. May be called often. */
  readonly onUnavailable: (error: LapseError) => void;
  /** The log takes them again. */
  readonly onAvailable: () => void;
}

/** Of one `send`: how many of its outcomes are not stored yet. */
interface Sending {
  left: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Queue {
  readonly partition: number;
  waiting: { readonly outcome: DeliveryOutcome; readonly sending: Sending }[];
  isAppending: boolean;
}

/** An outcome takes 100 to 500 bytes: an envelope of so many is far below what a log takes. */
const APPEND_OUTCOMES_MAX = 500;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;

/**
 * Takes the outcomes that partitions ask for back to them, in the order of each partition. An
 * outcome may be stored twice, since an append that nobody confirmed is repeated and a new owner
 * repeats those of the last snapshot on; none is left out.
 *
 * These appends carry no fence: an outcome is sent only when its lane record is durable, which an
 * older owner of the lane cannot make it.
 */
export class OutcomeRelay {
  readonly #options: OutcomeRelayOptions;
  readonly #queues = new Map<number, Queue>();
  #isStopped = false;
  /** Outcomes that are not stored yet. */
  waiting = 0;

  constructor(options: OutcomeRelayOptions) {
    this.#options = options;
  }

  /**
   * Resolves when those of the outcomes that are wanted are durable, or on `stop`.
   * @throws LapseError what the log refuses for good
   */
  send(outcomes: readonly LaneOutcome[]): Promise<void> {
    const wanted = outcomes.filter(({ isWanted }) => isWanted);
    if (wanted.length === 0 || this.#isStopped) return Promise.resolve();
    this.waiting += wanted.length;
    return new Promise((resolve, reject) => {
      const sending = { left: wanted.length, resolve, reject };
      const queues = new Set<Queue>();
      for (const one of wanted) {
        const queue = this.#queueOf(one.userId);
        queue.waiting.push({ outcome: deliveryOutcome(one), sending });
        queues.add(queue);
      }
      for (const queue of queues) this.#pump(queue);
    });
  }

  /** Appends nothing more, and lets go whoever waits. */
  stop(): void {
    this.#isStopped = true;
    for (const { waiting } of this.#queues.values()) {
      for (const { sending } of waiting) sending.resolve();
    }
  }

  #queueOf(userId: string): Queue {
    const partition = partitionOf(userId, this.#options.log.partitionCount);
    let queue = this.#queues.get(partition);
    if (queue === undefined) {
      queue = { partition, waiting: [], isAppending: false };
      this.#queues.set(partition, queue);
    }
    return queue;
  }

  #pump(queue: Queue): void {
    if (queue.isAppending || queue.waiting.length === 0 || this.#isStopped) return;
    queue.isAppending = true;
    this.#append(queue).then(
      () => {
        queue.isAppending = false;
        this.#pump(queue);
      },
      (error: unknown) => {
        for (const { sending } of queue.waiting) sending.reject(error);
      },
    );
  }

  /** Appends the first ones, until the log takes them. */
  async #append(queue: Queue): Promise<void> {
    const { log, clock, onUnavailable, onAvailable } = this.#options;
    const batch = queue.waiting.slice(0, APPEND_OUTCOMES_MAX);
    const outcomes = batch.map(({ outcome }) => outcome);
    const bytes = encodeOutcomes(outcomes, clock.now());
    for (let waitMs = RETRY_MS_MIN; ; waitMs = Math.min(2 * waitMs, RETRY_MS_MAX)) {
      try {
        await log.append(`in.${queue.partition}`, bytes);
        if (waitMs > RETRY_MS_MIN) onAvailable();
        break;
      } catch (error) {
        if (this.#isStopped) return;
        if (!(error instanceof LapseError && error.retryable)) throw error;
        onUnavailable(error);
        await new Promise<void>((resolve) => {
          clock.at(clock.now() + waitMs, resolve);
        });
      }
    }
    if (this.#isStopped) return;
    queue.waiting.splice(0, batch.length);
    this.waiting -= batch.length;
    for (const { sending } of batch) if (--sending.left === 0) sending.resolve();
  }
}

/** What a partition is told of it. */
export function deliveryOutcome(outcome: LaneOutcome): DeliveryOutcome {
  const { deliveryId, campaignId, userId, isAnonymous, reason = '', atMs } = outcome;
  const kind = outcome.outcome === 'delivered' ? 'sent' : outcome.outcome;
  return { deliveryId, campaignId, userId, isAnonymous, kind, reason, atMs };
}
