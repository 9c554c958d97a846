import type { Acknowledgement } from './acknowledgement.ts';
import { EnvelopeWriter } from './envelope-writer.ts';
import { type Hold, IntakeHolds } from './intake-holds.ts';
import { type Leave, RecordKind } from './records.ts';

/** An envelope on its way. */
export interface Sealed {
  readonly bytes: Uint8Array;
  readonly recordCount: number;
  readonly acknowledgements: readonly Acknowledgement[];
  /** Of users who leave the partition by it: somebody waits for each to have left. */
  readonly leaves: readonly Leaving[];
  /** The lane's time before it. Unix ms. */
  readonly beforeMs: number;
}

export interface Leaving {
  readonly leave: Leave;
  readonly receivedAtMs: number;
}

/** Called when so many envelopes have been stored, or refused. */
interface Mark {
  readonly envelopes: number;
  readonly callback: () => void;
}

/** Times are kept as 32 bits behind the envelope's first: 49 days, which an old backlog exceeds. */
const ENVELOPE_SPAN_MS_MAX = 2 ** 32 - 1;

/** What is on its way into one partition, in order: full envelopes, then the one being gathered. */
export class IntakeLane {
  readonly topic: string;
  readonly writer = new EnvelopeWriter();
  isAppending = false;
  /** It stands in line for an append. */
  isQueued = false;
  /** Of the tick that is asked for and not added yet. */
  tickAskedMs: number | undefined;
  /** When the horizon will next be asked for it; Infinity when it will not. */
  tickWaitsMs = Infinity;
  lastReceivedAtMs = 0;
  readonly #holds = new IntakeHolds();
  /** Of the envelope that is being gathered. */
  #firstReceivedAtMs = 0;
  #beforeMs = 0;
  #acknowledgements: Acknowledgement[] = [];
  #leaves: Leaving[] = [];
  readonly #waiting: Sealed[] = [];
  #sealedCount = 0;
  #settledCount = 0;
  readonly #marks: Mark[] = [];
  readonly #onSealed: (bytesMore: number) => void;

  /** @param onSealed told by how much an envelope has grown when it was finished */
  constructor(topic: string, onSealed: (bytesMore: number) => void) {
    this.topic = topic;
    this.#onSealed = onSealed;
  }

  get hasNext(): boolean {
    return this.#waiting.length > 0 || this.writer.count > 0;
  }

  /** Bytes of the envelope being gathered. An empty writer counts nothing. */
  get gatheredBytes(): number {
    return this.writer.count === 0 ? 0 : this.writer.byteLength;
  }

  /** The time of the next record, which is not below that of the one before. Unix ms. */
  timeOf(receivedAtMs: number): number {
    const wantedMs = Math.min(receivedAtMs, this.limitMs);
    if (this.writer.count === 0) this.#beforeMs = this.lastReceivedAtMs;
    if (wantedMs > this.lastReceivedAtMs) this.lastReceivedAtMs = wantedMs;
    const atMs = this.lastReceivedAtMs;
    if (this.writer.count === 0) this.#firstReceivedAtMs = atMs;
    else if (atMs - this.#firstReceivedAtMs > ENVELOPE_SPAN_MS_MAX) {
      this.seal();
      this.#firstReceivedAtMs = atMs;
    }
    return atMs;
  }

  /**
   * The time of an event that goes on to a lane whose time must not pass `latestMs`, and would by
   * it. Where this lane's time has come further the record stands with a time of its own.
   */
  timeWithin(latestMs: number, receivedAtMs: number): number {
    if (this.lastReceivedAtMs <= latestMs) return this.timeOf(Math.min(receivedAtMs, latestMs));
    // Within an envelope times do not go back.
    if (this.writer.count > 0) this.seal();
    this.#beforeMs = this.lastReceivedAtMs;
    this.#firstReceivedAtMs = latestMs;
    return latestMs;
  }

  /** The lane's time does not pass this: what is held was received then. Infinity without any. */
  get limitMs(): number {
    return this.#holds.limitMs;
  }

  /** Keeps the lane's time from passing what is added later: others go on at that time. */
  hold(receivedAtMs: number): Hold {
    return this.#holds.add(Math.max(receivedAtMs, this.lastReceivedAtMs));
  }

  release(hold: Hold): void {
    this.#holds.release(hold);
  }

  /** Calls back when all that was held before has been added. */
  whenOldest(hold: Hold, callback: () => void): void {
    this.#holds.whenOldest(hold, callback);
  }

  /** Has the last record's acknowledgement wait for its envelope, once an envelope. */
  acknowledge(acknowledgement: Acknowledgement): void {
    if (this.#acknowledgements.at(-1) === acknowledgement) return;
    acknowledgement.hold();
    this.#acknowledgements.push(acknowledgement);
  }

  /** Adds the record by which a user leaves the partition. */
  leave(leave: Leave, receivedAtMs: number): void {
    this.writer.addJson(RecordKind.leave, leave, receivedAtMs);
    this.#leaves.push({ leave, receivedAtMs });
  }

  /** Takes out all that waits behind an envelope that was not stored; time is what it was before. */
  dropBehind({ beforeMs }: Sealed): Sealed[] {
    if (this.writer.count > 0) this.seal();
    this.lastReceivedAtMs = beforeMs;
    return this.#waiting.splice(0);
  }

  /** Calls back when everything added so far is stored, or its senders are told that it was not. */
  whenSettled(callback: () => void): void {
    const envelopes = this.#sealedCount + (this.writer.count > 0 ? 1 : 0);
    if (envelopes === this.#settledCount) callback();
    else this.#marks.push({ envelopes, callback });
  }

  /** One envelope has been stored or refused. */
  settled(): void {
    this.#settledCount++;
    while (this.#marks.length > 0 && this.#marks[0]!.envelopes <= this.#settledCount) {
      this.#marks.shift()!.callback();
    }
  }

  seal(): void {
    const { byteLength, count } = this.writer;
    const bytes = this.writer.finish();
    this.#onSealed(bytes.length - byteLength);
    this.#sealedCount++;
    this.#waiting.push({
      bytes,
      recordCount: count,
      acknowledgements: this.#acknowledgements,
      leaves: this.#leaves,
      beforeMs: this.#beforeMs,
    });
    this.#acknowledgements = [];
    this.#leaves = [];
  }

  /** The next envelope; only while `hasNext`. */
  take(): Sealed {
    if (this.#waiting.length === 0) this.seal();
    return this.#waiting.shift()!;
  }
}
