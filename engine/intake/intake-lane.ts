import { EnvelopeWriter } from '../envelope/envelope-writer.ts';
import { type Leave, RecordFlag, RecordKind } from '../envelope/records.ts';
import type { Acknowledgement } from './acknowledgement.ts';
import { type Hold, IntakeHolds } from './intake-holds.ts';
import { Ring } from './ring.ts';

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

/** Times are kept as 32 bits above the envelope's lowest: 49 days, which an old backlog exceeds. */
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
  #lowestMs = 0;
  #highestMs = 0;
  #beforeMs = 0;
  #acknowledgements: Acknowledgement[] = [];
  #leaves: Leaving[] = [];
  readonly #waiting: Sealed[] = [];
  #sealedCount = 0;
  #settledCount = 0;
  readonly #marks = new Ring<Mark>();
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

  /**
   * Makes room for a record received then, and brings the lane's time to it, unless that is held.
   * @returns the lane's time, which is not below what it was. Unix ms
   */
  timeOf(receivedAtMs: number): number {
    const atMs = Math.max(this.lastReceivedAtMs, Math.min(receivedAtMs, this.limitMs));
    this.makeRoom(Math.max(atMs, receivedAtMs));
    this.lastReceivedAtMs = atMs;
    return atMs;
  }

  /** Makes room for a record with a time of its own. */
  makeRoom(atMs: number): void {
    const lowestMs = Math.min(this.#lowestMs, atMs);
    const highestMs = Math.max(this.#highestMs, atMs);
    const isFit = highestMs - lowestMs <= ENVELOPE_SPAN_MS_MAX;
    if (this.writer.count > 0 && !isFit) this.seal();
    if (this.writer.count === 0) this.#beforeMs = this.lastReceivedAtMs;
    const isFirst = this.writer.count === 0;
    this.#lowestMs = isFirst ? atMs : lowestMs;
    this.#highestMs = isFirst ? atMs : highestMs;
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

  /** Has the last record's acknowledgement wait for its envelope, once an envelope. */
  acknowledge(acknowledgement: Acknowledgement): void {
    if (this.#acknowledgements.at(-1) === acknowledgement) return;
    acknowledgement.hold();
    this.#acknowledgements.push(acknowledgement);
  }

  /**
   * Adds the record by which a user leaves the partition.
   * @param laneMs the lane's time, which stays
   */
  leave(leave: Leave, receivedAtMs: number, laneMs: number): void {
    const flags = receivedAtMs > laneMs ? RecordFlag.ahead : 0;
    this.writer.addJson(RecordKind.leave, leave, Math.max(receivedAtMs, laneMs), flags);
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
    while ((this.#marks.first?.envelopes ?? Infinity) <= this.#settledCount) {
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
