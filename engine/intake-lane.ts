import type { Acknowledgement } from './acknowledgement.ts';
import { EnvelopeWriter } from './envelope-writer.ts';
import { type Leave, RecordKind } from './records.ts';

/** An envelope on its way. */
export interface Sealed {
  readonly bytes: Uint8Array;
  readonly recordCount: number;
  readonly acknowledgements: readonly Acknowledgement[];
  /** Of users who leave the partition by it: somebody waits for each to have left. */
  readonly leaves: readonly Leaving[];
}

interface Leaving {
  readonly leave: Leave;
  readonly receivedAtMs: number;
}

/** Where a lane waits until a user's state has come from another partition. */
interface Gate {
  /** What it waits for. */
  readonly gate: string;
  isOpen: boolean;
  onReached: (() => void) | undefined;
}

/** Times are kept as 32 bits behind the envelope's first: 49 days, which an old backlog exceeds. */
const ENVELOPE_SPAN_MS_MAX = 2 ** 32 - 1;

/** What is on its way into one partition, in order: full envelopes, gates, the one being gathered. */
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
  /** Of the envelope that is being gathered. */
  #firstReceivedAtMs = 0;
  #acknowledgements: Acknowledgement[] = [];
  #leaves: Leaving[] = [];
  readonly #waiting: (Sealed | Gate)[] = [];
  readonly #onSealed: (bytesMore: number) => void;

  /** @param onSealed told by how much an envelope has grown when it was finished */
  constructor(topic: string, onSealed: (bytesMore: number) => void) {
    this.topic = topic;
    this.#onSealed = onSealed;
  }

  /** True when there is something to append now; what stands behind a closed gate waits. */
  get hasNext(): boolean {
    this.#passOpenGates();
    const first = this.#waiting[0];
    return first === undefined ? this.writer.count > 0 : !('gate' in first);
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.writer.count === 0;
  }

  /** Bytes of the envelope being gathered. An empty writer counts nothing. */
  get gatheredBytes(): number {
    return this.writer.count === 0 ? 0 : this.writer.byteLength;
  }

  /** The time of the next record, which is not below that of the one before. Unix ms. */
  timeOf(receivedAtMs: number): number {
    if (receivedAtMs > this.lastReceivedAtMs) this.lastReceivedAtMs = receivedAtMs;
    const atMs = this.lastReceivedAtMs;
    if (this.writer.count === 0) this.#firstReceivedAtMs = atMs;
    else if (atMs - this.#firstReceivedAtMs > ENVELOPE_SPAN_MS_MAX) {
      this.seal();
      this.#firstReceivedAtMs = atMs;
    }
    return atMs;
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

  /**
   * Adds the leaves of an envelope that may not have been stored once more, before all that waits:
   * behind a gate they might wait for themselves. Every time after theirs is later.
   */
  leaveAgain(sealed: Sealed): void {
    this.#waiting.unshift(...this.#leavesOf(sealed));
  }

  /** Takes out all that waits. Gates stay, and the leaves that they may wait for. */
  drop(): Sealed[] {
    if (this.writer.count > 0) this.seal();
    const waiting = this.#waiting.splice(0);
    const dropped: Sealed[] = [];
    for (const entry of waiting) {
      if ('gate' in entry) this.#waiting.push(entry);
      else {
        dropped.push(entry);
        this.#waiting.push(...this.#leavesOf(entry));
      }
    }
    return dropped;
  }

  /** An envelope of nothing but the leaves; none when there are none. */
  #leavesOf({ leaves }: Sealed): Sealed[] {
    if (leaves.length === 0) return [];
    const writer = new EnvelopeWriter();
    for (const { leave, receivedAtMs } of leaves) {
      writer.addJson(RecordKind.leave, leave, receivedAtMs);
    }
    const bytes = writer.finish();
    this.#onSealed(bytes.length);
    return [{ bytes, recordCount: leaves.length, acknowledgements: [], leaves }];
  }

  /**
   * Holds back what comes from now on until `open` is called with the same text.
   * @param onReached called once all that came before is stored
   */
  close(gate: string, onReached?: () => void): void {
    if (this.writer.count > 0) this.seal();
    this.#waiting.push({ gate, isOpen: false, onReached });
  }

  open(gate: string): void {
    const found = this.#waiting.find((entry) => 'gate' in entry && entry.gate === gate);
    if (found !== undefined) (found as Gate).isOpen = true;
  }

  /** Tells whoever waits for it when nothing is left before the first closed gate. */
  tellReached(): void {
    this.#passOpenGates();
    const first = this.#waiting[0];
    if (this.isAppending || first === undefined || !('gate' in first)) return;
    const tell = first.onReached;
    first.onReached = undefined;
    tell?.();
  }

  seal(): void {
    const { byteLength, count } = this.writer;
    const bytes = this.writer.finish();
    this.#onSealed(bytes.length - byteLength);
    this.#waiting.push({
      bytes,
      recordCount: count,
      acknowledgements: this.#acknowledgements,
      leaves: this.#leaves,
    });
    this.#acknowledgements = [];
    this.#leaves = [];
  }

  /** The next envelope; only while `hasNext`. */
  take(): Sealed {
    this.#passOpenGates();
    if (this.#waiting.length === 0) this.seal();
    return this.#waiting.shift() as Sealed;
  }

  /** Takes out what waits behind a closed gate, for which nothing will open it. */
  abandon(): Sealed[] {
    this.#passOpenGates();
    const closed = this.#waiting.findIndex((entry) => 'gate' in entry && !entry.isOpen);
    if (closed < 0) return [];
    if (this.writer.count > 0) this.seal();
    return this.#waiting.splice(closed).filter((entry): entry is Sealed => !('gate' in entry));
  }

  #passOpenGates(): void {
    for (;;) {
      const first = this.#waiting[0];
      if (first === undefined || !('gate' in first) || !first.isOpen) return;
      this.#waiting.shift();
    }
  }
}
