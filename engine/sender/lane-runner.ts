import { setMaxListeners } from 'node:events';
import { LapseError, messageOf } from '../errors/errors.ts';
import {
  BEGINNING,
  type Log,
  type LogReader,
  type Offset,
  type StoredEnvelope,
} from '../log/log.ts';
import type { Clock } from '../time/clock.ts';
import { LaneJournal } from './lane-journal.ts';
import { LaneOwner } from './lane-owner.ts';
import { decodeStoredSnapshot, readUpTo, topicsOf } from './lane-topics.ts';
import { LaneUnread, NOTHING_UNREAD } from './lane-unread.ts';
import { type SenderObserver, silentObserver } from './observer.ts';
import { OutcomeRelay } from './outcome-relay.ts';
import type { UnreadDeliveries } from './protocol.ts';
import type { LaneOutcome, SenderAttempt, SenderLane } from './sender-lane.ts';
import type { Transport, TransportResult } from './transport.ts';

export interface LaneRunnerOptions<D> {
  readonly webhookId: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Of the process that takes the lane, see `takeEpoch`. */
  readonly epoch: number;
  readonly transport: Transport;
  /** Fresh: the runner recovers it. */
  readonly lane: SenderLane<D>;
  readonly observer?: SenderObserver;
  /** Outcomes between snapshots. @default 10_000 */
  readonly snapshotEvery?: number;
  /** Records of `done` that stay readable after a snapshot. @default 100_000 */
  readonly doneRecordsKept?: number;
}

/** Read, and started, in one turn: no lane keeps the others from theirs. */
const BYTES_PER_TURN = 128 * 1024;
const ATTEMPTS_PER_TURN = 16;
/** What reading one costs beside its bytes: with it, many tiny ones are bounded as well. */
const ENVELOPE_BYTES = 1024;

/**
 * Runs one lane: brings deliveries from the log to the logic, requests from the logic to the
 * transport, and what becomes of them back into the log. State is a function of the lane's
 * topics: after a crash a new runner goes on where they end.
 */
export class LaneRunner<D> {
  readonly #options: LaneRunnerOptions<D>;
  readonly #lane: SenderLane<D>;
  readonly #observer: SenderObserver;
  readonly #topics: ReturnType<typeof topicsOf>;
  readonly #abort = new AbortController();
  readonly #relay: OutcomeRelay;
  #journal: LaneJournal | undefined;
  #reader: LogReader | undefined;
  /** Read, and not taken as there is no room for it. */
  #next: StoredEnvelope | undefined;
  readonly #unread: LaneUnread;
  #state: 'new' | 'running' | 'draining' | 'stopped' = 'new';
  #inFlight = 0;
  #drained: () => void = () => {};
  #isScheduled = false;
  #wakeAtMs: number | undefined;
  #cancelWake: () => void = () => {};

  constructor(options: LaneRunnerOptions<D>) {
    this.#options = options;
    this.#lane = options.lane;
    this.#observer = options.observer ?? silentObserver;
    this.#topics = topicsOf(options.webhookId);
    const { log, lane, clock, webhookId } = options;
    this.#relay = new OutcomeRelay({
      log,
      clock,
      onUnavailable: (error) => this.#observer.logUnavailable(webhookId, error),
      onAvailable: () => this.#observer.logAvailable(webhookId),
    });
    const countOf = (bytes: Uint8Array) => lane.countOf(bytes);
    this.#unread = new LaneUnread({ log, topic: this.#topics.out, countOf });
    // As many listeners as there are attempts in flight; Node.js takes more than ten for a leak.
    setMaxListeners(0, this.#abort.signal);
  }

  /** Deliveries in memory that are not settled; more may wait in the log. */
  get pendingCount(): number {
    return this.#lane.pendingCount;
  }

  /** Whether deliveries stand in the log that it has no room for. */
  get isBehind(): boolean {
    return this.#next !== undefined;
  }

  /**
   * What stands in the log and is not taken.
   * @param bytesMax so many bytes of it are counted in this call; the next one goes on
   */
  lookAtUnread(bytesMax: number): UnreadDeliveries {
    if (this.#state !== 'running') return NOTHING_UNREAD;
    try {
      return this.#unread.look(this.#next, bytesMax, this.#options.clock.now());
    } catch (error) {
      this.#fail(error);
      return NOTHING_UNREAD;
    }
  }

  /**
   * Takes the lane over, recovers it and starts to send.
   * @throws LapseError when the lane's topics cannot be written or read
   */
  async start(): Promise<void> {
    const { log, clock, webhookId, epoch } = this.#options;
    const owner = await LaneOwner.take({
      log,
      clock,
      epoch,
      topics: this.#topics,
      claim: this.#lane.claim(),
      isStopped: () => this.#state === 'stopped',
      onUnavailable: (error) => this.#observer.logUnavailable(webhookId, error),
    });
    const outTail = await log.tail(this.#topics.out);
    const { doneOffset, outcomes } = await this.#recover();
    // The next snapshot forgets them: the partitions must know of them before.
    await this.#relay.send(outcomes);
    if (this.#state !== 'new') return;
    this.#lane.recovered(outTail, clock.now());
    const journal = new LaneJournal(
      {
        webhookId,
        log,
        clock,
        lane: this.#lane,
        owner,
        relay: this.#relay,
        observer: this.#observer,
        snapshotEvery: this.#options.snapshotEvery ?? 10_000,
        doneRecordsKept: this.#options.doneRecordsKept ?? 100_000,
        onDurable: () => this.#pump(),
        onFailure: (error) => this.#fail(error),
      },
      doneOffset,
    );
    // Says that from now on requests may go out: the next recovery must reckon with them.
    await journal.writeSnapshot(false);
    if (this.#state !== 'new') return;
    this.#observer.logAvailable(webhookId);
    this.#journal = journal;
    this.#state = 'running';
    this.#tellCompleted();
    this.#reader = log.read(this.#topics.out, this.#lane.base, () => this.#pump());
    this.#pump();
  }

  update(definitions: D): void {
    if (this.#state === 'draining' || this.#state === 'stopped') return;
    this.#lane.update(definitions, this.#options.clock.now());
    if (this.#state === 'running') this.#tellCompleted();
    this.#pump();
  }

  /**
   * Starts no more attempts, waits for those in flight (each is bounded by its time-out), stores
   * how they went, and a snapshot.
   */
  async drain(): Promise<void> {
    if (this.#state !== 'running') return this.stop();
    this.#state = 'draining';
    this.#cancelWake();
    this.#reader?.close();
    this.#unread.close();
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
    const journal = this.#journal!;
    journal.flush();
    // An append that ends starts the next one, until nothing is left.
    await journal.idle();
    if (this.#hasStopped()) return;
    await journal.writeSnapshot(true);
    this.stop();
  }

  /** Ends at once, as a crash would: attempts in flight are cut off, nothing more is stored. */
  stop(): void {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    this.#cancelWake();
    this.#reader?.close();
    this.#unread.close();
    this.#relay.stop();
    this.#journal?.stop();
    this.#abort.abort();
    this.#drained();
  }

  #tellCompleted(): void {
    for (const campaignId of this.#lane.takeCompleted()) {
      this.#observer.campaignCompleted(this.#options.webhookId, campaignId);
    }
  }

  /** Keeps TypeScript from narrowing `#state` over an `await`. */
  #hasStopped(): boolean {
    return this.#state === 'stopped';
  }

  /** Snapshot, then the records after it; deliveries come through the ordinary reader. */
  async #recover(): Promise<{ doneOffset: Offset; outcomes: readonly LaneOutcome[] }> {
    const { log } = this.#options;
    const { done, snap } = this.#topics;
    let after: Offset = BEGINNING;
    const snapTail = await log.tail(snap);
    await readUpTo(log, { topic: snap, after: snapTail - 1, tail: snapTail }, ({ bytes }) => {
      const stored = decodeStoredSnapshot(bytes);
      after = stored.doneOffset;
      this.#lane.restore(stored.lane);
    });
    const tail = await log.tail(done);
    const outcomes: LaneOutcome[] = [];
    await readUpTo(log, { topic: done, after, tail }, ({ bytes }) => {
      for (const one of this.#lane.replay(bytes)) if (one.isWanted) outcomes.push(one);
    });
    return { doneOffset: tail, outcomes };
  }

  #pump(): void {
    if (this.#state === 'draining') this.#journal!.flush();
    if (this.#state !== 'running') return;
    try {
      const nowMs = this.#options.clock.now();
      // Once a turn of the thread, however many answers come in it.
      const hasFed = !this.#isScheduled && this.#feed(nowMs);
      // What cannot be remembered must not be done.
      const hasSent = !this.#journal!.isStuck && this.#send(nowMs);
      this.#journal!.flush();
      if (hasFed || hasSent) this.#again();
      // While the log refuses, what is due stays due: its recovery wakes the lane, not the clock.
      else if (!this.#journal!.isStuck) this.#arm(nowMs);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @returns true when there may be more at hand */
  #feed(nowMs: number): boolean {
    for (let bytes = 0; bytes < BYTES_PER_TURN; ) {
      this.#next ??= this.#reader!.poll();
      if (this.#next === undefined || this.#lane.room === 0) return false;
      const envelope = this.#next;
      this.#next = undefined;
      this.#lane.offer(envelope.offset, envelope.bytes, nowMs);
      this.#unread.taken(envelope);
      bytes += envelope.bytes.length + ENVELOPE_BYTES;
    }
    return true;
  }

  #send(nowMs: number): boolean {
    const { clock } = this.#options;
    const wallMs = clock.wall?.() ?? nowMs;
    for (let n = 0; n < ATTEMPTS_PER_TURN; n++) {
      const attempt = this.#lane.poll(nowMs, wallMs);
      if (attempt === undefined) return false;
      this.#inFlight++;
      this.#options.transport.send(attempt.request, this.#abort.signal).then(
        (result) => this.#answered(attempt, result),
        (error: unknown) => {
          const detail = messageOf(error);
          this.#answered(attempt, { error: 'unknown', detail, durationMs: 0 });
        },
      );
    }
    return true;
  }

  #answered(attempt: SenderAttempt, result: TransportResult): void {
    this.#inFlight--;
    // Cut off by `stop`: how it went is not known, and nothing is stored any more.
    if (this.#state === 'stopped') return;
    const { webhookId, clock } = this.#options;
    this.#lane.onResult(attempt, result, clock.now());
    this.#observer.attempt(webhookId, attempt, result);
    if (attempt.attempt === 1 && result.firstByteSentAtMs !== undefined) {
      for (const { qualifiedAtMs } of attempt.members) {
        const latencyMs = result.firstByteSentAtMs - qualifiedAtMs;
        this.#observer.triggerLatencyMs(webhookId, attempt.campaignId, latencyMs);
      }
    }
    this.#pump();
    if (this.#inFlight === 0) this.#drained();
  }

  /** Goes on after the others had their turn. */
  #again(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  #arm(nowMs: number): void {
    const atMs = this.#lane.nextWakeAtMs(nowMs);
    if (atMs === this.#wakeAtMs) return;
    this.#cancelWake();
    this.#wakeAtMs = atMs;
    if (atMs === undefined) return;
    this.#cancelWake = this.#options.clock.at(atMs, () => {
      this.#wakeAtMs = undefined;
      this.#pump();
    });
  }

  #fail(error: unknown): void {
    if (this.#state === 'stopped') return;
    this.stop();
    const failure =
      error instanceof LapseError
        ? error
        : new LapseError('ERR_LANE_FAILED', `A lane stopped: ${messageOf(error)}.`, {
            cause: error,
          });
    this.#observer.laneFailed(this.#options.webhookId, failure);
  }
}
