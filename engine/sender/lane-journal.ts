import { LapseError } from '../errors/errors.ts';
import { BEGINNING, type Fence, type Log, type Offset } from '../log/log.ts';
import type { Clock } from '../time/clock.ts';
import type { LaneOwner } from './lane-owner.ts';
import { encodeStoredSnapshot, type topicsOf } from './lane-topics.ts';
import type { SenderObserver } from './observer.ts';
import type { OutcomeRelay } from './outcome-relay.ts';
import type { LaneChanges, LaneOutcome, SenderLane } from './sender-lane.ts';

export interface LaneJournalOptions {
  readonly webhookId: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly lane: SenderLane<unknown>;
  readonly owner: LaneOwner;
  readonly relay: OutcomeRelay;
  readonly observer: SenderObserver;
  /** Outcomes between snapshots: so much a recovery reads at most. */
  readonly snapshotEvery: number;
  /** Records of `done` that stay readable. */
  readonly doneRecordsKept: number;
  /** Called after each append: there may be more to do. */
  readonly onDurable: () => void;
  /** Called once, when the log refused for good; `ERR_FENCED`: another sender has the lane. */
  readonly onFailure: (error: unknown) => void;
}

/** First wait after the log refused; doubles up to the second. */
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;
/** So many outcomes may wait for the partitions' logs before the lane makes no more of them. */
const UNTOLD_MAX = 10_000;
/** A NATS message has 1 MiB, with its headers. */
const SNAPSHOT_BYTES_MAX = 960 * 1024;

/**
 * Stores what a lane does: its changes in `done`, one append in flight, so that they gather while
 * it lasts; now and then a snapshot in `snap`, after which what lies before it is forgotten. What
 * the partitions are to know of it is in their logs before.
 */
export class LaneJournal {
  readonly #options: LaneJournalOptions;
  readonly #topics: ReturnType<typeof topicsOf>;
  #doneOffset: Offset;
  #outcomesSince = 0;
  #isAppending = false;
  #isStuck = false;
  #isStopped = false;
  #snapshot: Promise<void> | undefined;
  /** Settles when the partitions' logs have all outcomes that are durable here. */
  #told: Promise<void> = Promise.resolve();
  #idleWaiters: (() => void)[] = [];
  /** Ends of appends to `done` with the records stored by then, oldest first. */
  readonly #marks: { offset: Offset; total: number }[] = [];
  #total = 0;

  /** @param doneOffset the tail of `done` as recovered */
  constructor(options: LaneJournalOptions, doneOffset: Offset) {
    this.#options = options;
    this.#topics = options.owner.topics;
    this.#doneOffset = doneOffset;
    if (doneOffset > BEGINNING) this.#marks.push({ offset: doneOffset, total: 0 });
  }

  /** True while the log refuses: attempts made now could not be remembered. */
  get isStuck(): boolean {
    return this.#isStuck || this.#options.relay.waiting >= UNTOLD_MAX;
  }

  /** Stores what has changed; while an append is in flight, what it leaves follows after it. */
  flush(): void {
    if (this.#isAppending || this.#isStopped) return;
    const { lane, snapshotEvery } = this.#options;
    const changes = lane.takeChanges();
    if (changes === undefined) return;
    this.#outcomesSince += changes.outcomes.length;
    // A state that holds more than is stored would let a crash lose the rest.
    const mayTake = changes.isAll && this.#snapshot === undefined;
    const isDue = mayTake && this.#outcomesSince >= snapshotEvery;
    // Taken now, while the state is that of these changes; stored after them.
    const snapshot = isDue ? { bytes: lane.snapshot(false), base: lane.base } : undefined;
    if (isDue) this.#outcomesSince = 0;
    this.#isAppending = true;
    this.#store(changes, snapshot).catch((error: unknown) => this.#fail(error));
  }

  /** Resolves when nothing is on its way. */
  async idle(): Promise<void> {
    if (this.#isAppending) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    await this.#snapshot;
    await this.#told;
  }

  /**
   * Stores a snapshot of what is durable; the lane must have no changes that are not.
   * @param isClean no attempt follows before another snapshot
   */
  async writeSnapshot(isClean: boolean): Promise<void> {
    await this.#snapshot;
    await this.#told;
    if (this.#isStopped) return;
    const { lane } = this.#options;
    await this.#storeSnapshot(this.#doneOffset, { bytes: lane.snapshot(isClean), base: lane.base });
  }

  /** Gives up on what is not stored yet. */
  stop(): void {
    this.#isStopped = true;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  async #store(
    changes: LaneChanges,
    snapshot: { bytes: Uint8Array; base: Offset } | undefined,
  ): Promise<void> {
    const { lane, owner, observer, webhookId, onDurable } = this.#options;
    const fence = owner.nextOfDone();
    this.#doneOffset = await this.#append(this.#topics.done, changes.bytes, fence);
    this.#total += changes.count;
    this.#marks.push({ offset: this.#doneOffset, total: this.#total });
    lane.changesDurable();
    for (const outcome of changes.outcomes) observer.outcome(webhookId, outcome);
    for (const campaignId of changes.completed) observer.campaignCompleted(webhookId, campaignId);
    this.#tell(changes.outcomes);
    if (snapshot !== undefined && !this.#isStopped) {
      const doneOffset = this.#doneOffset;
      // A crash before it tells the partitions again; one behind it would not.
      this.#snapshot = this.#told
        .then(() => (this.#isStopped ? undefined : this.#storeSnapshot(doneOffset, snapshot)))
        .catch((error: unknown) => this.#fail(error))
        .finally(() => {
          this.#snapshot = undefined;
        });
    }
    this.#isAppending = false;
    onDurable();
    if (!this.#isAppending) for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  #tell(outcomes: readonly LaneOutcome[]): void {
    if (!outcomes.some(({ isWanted }) => isWanted)) return;
    const { relay, onDurable } = this.#options;
    // The lane may have made a pause until there was room.
    const sent = relay.send(outcomes).then(onDurable, (error: unknown) => this.#fail(error));
    const before = this.#told;
    this.#told = sent.then(() => before);
  }

  async #storeSnapshot(
    doneOffset: Offset,
    { bytes, base }: { bytes: Uint8Array; base: Offset },
  ): Promise<void> {
    const { log, owner, observer, webhookId } = this.#options;
    const { out, done, snap } = this.#topics;
    const stored = encodeStoredSnapshot({ doneOffset, lane: bytes });
    if (stored.length > SNAPSHOT_BYTES_MAX) {
      // Without it the next recovery reads more, and nothing is forgotten until one fits again.
      observer.snapshotFailed(webhookId, snapshotTooLarge(stored.length));
      return;
    }
    const offset = await this.#append(snap, stored, owner.nextOfSnap());
    try {
      await log.trim(snap, offset - 1);
      if (base > BEGINNING) await log.trim(out, base);
      const keepAfter = this.#forgettable(doneOffset);
      if (keepAfter > BEGINNING) await log.trim(done, keepAfter);
      observer.snapshotStored(webhookId);
    } catch (error) {
      // Only room is lost: the next snapshot trims again.
      observer.snapshotFailed(webhookId, error);
    }
  }

  /** Up to where `done` may be trimmed: nothing after the snapshot, nothing recent. */
  #forgettable(doneOffset: Offset): Offset {
    let upTo = BEGINNING;
    for (;;) {
      const mark = this.#marks[0];
      const isOld =
        mark !== undefined &&
        mark.offset <= doneOffset &&
        this.#total - mark.total >= this.#options.doneRecordsKept;
      if (!isOld) return upTo;
      upTo = mark.offset;
      this.#marks.shift();
    }
  }

  /** Appends until the log takes it. */
  async #append(topic: string, bytes: Uint8Array, fence: Fence): Promise<Offset> {
    const { owner, observer, webhookId } = this.#options;
    for (let waitMs = RETRY_MS_MIN; ; waitMs = Math.min(2 * waitMs, RETRY_MS_MAX)) {
      try {
        const offset = await owner.append(topic, bytes, fence);
        if (this.#isStuck && topic === this.#topics.done) {
          this.#isStuck = false;
          observer.logAvailable(webhookId);
        }
        return offset;
      } catch (error) {
        const mayPass = error instanceof LapseError && error.retryable;
        if (!mayPass || this.#isStopped) throw error;
        // A missing snapshot only makes the next recovery longer.
        if (topic === this.#topics.done) {
          this.#isStuck = true;
          observer.logUnavailable(webhookId, error);
        } else observer.snapshotFailed(webhookId, error);
        await this.#wait(waitMs);
      }
    }
  }

  #wait(ms: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      clock.at(clock.now() + ms, resolve);
    });
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return;
    this.stop();
    this.#options.onFailure(error);
  }
}

function snapshotTooLarge(bytes: number): LapseError {
  return new LapseError(
    'ERR_SNAPSHOT_TOO_LARGE',
    `A lane's snapshot must have at most ${SNAPSHOT_BYTES_MAX} bytes, it has ${bytes}: ` +
      'too many batches wait for another attempt. It is left out.',
  );
}
