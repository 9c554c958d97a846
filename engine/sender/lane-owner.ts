import { LapseError } from '../errors/errors.ts';
import type { Fence, Log, Offset } from '../log/log.ts';
import { isOvertaken, supersededError } from '../log/ownership.ts';
import type { Clock } from '../time/clock.ts';
import type { topicsOf } from './lane-topics.ts';

/** The sender is the only writer of these topics. */
const WRITER = 0;
/** Each means that another sender took the lane meanwhile; more than a few and something is wrong. */
const LOSSES_MAX = 20;
const TAKE_AGAIN_MS = 250;

export interface TakeOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** Of the process that takes it, see `takeEpoch`. */
  readonly epoch: number;
  readonly topics: ReturnType<typeof topicsOf>;
  /** An envelope of `done` that says nothing. */
  readonly claim: Uint8Array;
  /** Nobody waits for it any more. */
  readonly isStopped: () => boolean;
  /** The log is away and is asked again. */
  readonly onUnavailable: (error: LapseError) => void;
}

/**
 * One ownership of a lane. A claim in `done.<webhook>` takes it: from then on what an older owner
 * appends is refused, so that a process which was thought dead can neither settle a delivery a
 * second time nor put an old snapshot over a newer one.
 *
 * A fence is the epoch and a count of the appends to `done`; snapshots count beside it, from the
 * claim on, which no older owner's count can reach.
 */
export class LaneOwner {
  readonly epoch: number;
  readonly #log: Log;
  readonly #topics: ReturnType<typeof topicsOf>;
  readonly #claimedAt: number;
  #appends: number;
  #snapshots = 0;

  private constructor(
    log: Log,
    topics: ReturnType<typeof topicsOf>,
    claim: { readonly epoch: number; readonly at: number },
  ) {
    this.#log = log;
    this.#topics = topics;
    this.epoch = claim.epoch;
    this.#claimedAt = claim.at;
    this.#appends = claim.at;
  }

  /**
   * Takes the lane over, as soon as the log lets it. To be called before anything of it is read.
   * @throws LapseError `ERR_FENCED` when a process with a newer epoch has taken it;
   *   `ERR_EPOCH_TAKEN` when an older one kept writing; what the log refuses for good, or refused
   *   last when it was stopped meanwhile
   */
  static async take(options: TakeOptions): Promise<LaneOwner> {
    const { clock, topics, isStopped, onUnavailable } = options;
    for (let losses = 0; losses < LOSSES_MAX; ) {
      try {
        const owner = await LaneOwner.#tryTake(options);
        if (owner !== undefined) return owner;
        losses++;
      } catch (error) {
        if (!(error instanceof LapseError && error.retryable) || isStopped()) throw error;
        onUnavailable(error);
        await new Promise<void>((resolve) => {
          clock.at(clock.now() + TAKE_AGAIN_MS, resolve);
        });
      }
    }
    throw new LapseError(
      'ERR_EPOCH_TAKEN',
      `The lane '${topics.done}' must be taken by one sender, others wrote ${LOSSES_MAX} times.`,
      { domain: 'external' },
    );
  }

  /** @returns undefined when somebody wrote meanwhile */
  static async #tryTake(options: TakeOptions): Promise<LaneOwner | undefined> {
    const { log, epoch, topics, claim } = options;
    const last = await log.positionOf(topics.done, WRITER);
    // An own epoch is of the same lane before it was removed, or of a claim that nobody answered.
    if (last !== undefined && last.epoch > epoch) throw supersededError(topics.done, epoch);
    const at = (last?.offset ?? 0) + 1;
    const position = { epoch, offset: at, ordinal: 0 };
    const fence = { writer: WRITER, position, after: last ?? ('beginning' as const) };
    try {
      const offset = await log.append(topics.done, claim, fence);
      return offset === undefined ? undefined : new LaneOwner(log, topics, { epoch, at });
    } catch (error) {
      if (isOvertaken(error)) return undefined;
      throw error;
    }
  }

  /** The fence of the next append to `done`; for every try of it the same. */
  nextOfDone(): Fence {
    const position = { epoch: this.epoch, offset: ++this.#appends, ordinal: 0 };
    return { writer: WRITER, position };
  }

  /** The fence of the next snapshot; for every try of it the same. */
  nextOfSnap(): Fence {
    const position = { epoch: this.epoch, offset: this.#claimedAt, ordinal: ++this.#snapshots };
    return { writer: WRITER, position };
  }

  /**
   * Appends once, however often it is tried with the same fence.
   * @returns where it stands
   * @throws LapseError `ERR_FENCED` when another sender has taken the lane; what the log answers
   */
  async append(topic: string, bytes: Uint8Array, fence: Fence): Promise<Offset> {
    const offset = await this.#log.append(topic, bytes, fence);
    // An earlier try was stored, though nobody was told; nobody else appends here.
    return offset ?? (await this.#log.tail(topic));
  }

  get topics(): ReturnType<typeof topicsOf> {
    return this.#topics;
  }
}
