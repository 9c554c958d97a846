import { externalError, LapseError, messageOf } from '../errors/errors.ts';
import type { Log } from '../log/log.ts';
import type { IntakeLane, Sealed } from './intake-lane.ts';
import { Ring } from './ring.ts';

/** An append of a lane has come to its end; with a failure when the log did not take it. */
export type AppendSettled = (
  lane: IntakeLane,
  sealed: Sealed,
  failure: LapseError | undefined,
) => void;

/**
 * The intake's appends: at most one a partition is in flight, and `appendsMax` of all. So the path
 * is instant when idle and batches by itself under load.
 */
export class IntakeAppends {
  readonly #log: Log;
  readonly #appendsMax: number;
  readonly #onSettled: AppendSettled;
  /** Lanes with something to append, each at most once, in the order in which they came to it. */
  readonly #ready: Ring<IntakeLane>;
  #appends = 0;
  #isScheduled = false;

  constructor(log: Log, appendsMax: number, onSettled: AppendSettled) {
    this.#log = log;
    this.#appendsMax = appendsMax;
    this.#onSettled = onSettled;
    this.#ready = new Ring(log.partitionCount);
  }

  /** Appends what the lane has gathered, when it is its turn. */
  queue(lane: IntakeLane): void {
    if (!this.#enqueue(lane) || this.#isScheduled) return;
    this.#isScheduled = true;
    // At the end of the turn: a request's or a pull's events leave together.
    setImmediate(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  /** Puts the lane in line for an append, if it has something for it. */
  #enqueue(lane: IntakeLane): boolean {
    if (lane.isQueued || lane.isAppending || !lane.hasNext) return false;
    lane.isQueued = true;
    this.#ready.push(lane);
    return true;
  }

  #pump(): void {
    while (this.#appends < this.#appendsMax) {
      const lane = this.#ready.shift();
      if (lane === undefined) return;
      lane.isQueued = false;
      const sealed = lane.take();
      lane.isAppending = true;
      this.#appends++;
      this.#append(lane, sealed).then(
        () => this.#settle(lane, sealed, undefined),
        (error: unknown) => this.#settle(lane, sealed, unavailable(error)),
      );
    }
  }

  async #append(lane: IntakeLane, sealed: Sealed): Promise<void> {
    await this.#log.append(lane.topic, sealed.bytes);
  }

  #settle(lane: IntakeLane, sealed: Sealed, failure: LapseError | undefined): void {
    lane.isAppending = false;
    this.#appends--;
    this.#onSettled(lane, sealed, failure);
    this.#enqueue(lane);
    this.#pump();
  }
}

function unavailable(error: unknown): LapseError {
  if (error instanceof LapseError) return error;
  return externalError('ERR_LOG_UNAVAILABLE', `The log took no records: ${messageOf(error)}.`, {
    cause: error,
  });
}
