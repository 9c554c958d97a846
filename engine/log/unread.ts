export interface UnreadOptions {
  /** Above this many unread records there is no room. @default Infinity */
  readonly recordsMax?: number;
  /** Above this age of the oldest unread record there is none either. @default Infinity */
  readonly ageMsMax?: number;
}

/** Up to here the records were appended by then. */
interface Mark {
  readonly records: number;
  readonly atMs: number;
}

/** Appends within one such span share a mark. */
const MARK_MS = 20;
/**
 * So few may always stand unread, however old: what was appended while a partition recovered may
 * never be told as processed, and must not keep the doors closed.
 */
const RECORDS_MIN = 2_000;

/**
 * What stands in the log and is not processed, by count and by age. The count bounds memory; the
 * age bounds what everybody waits behind it, however fast the partitions are today. The age is
 * that of a queue which is processed in order of its appends, which holds about.
 */
export class Unread {
  readonly #recordsMax: number;
  readonly #ageMsMax: number;
  #appended = 0;
  #processed = 0;
  /** Those not processed whole, oldest first. */
  #marks: Mark[] = [];

  constructor({ recordsMax = Infinity, ageMsMax = Infinity }: UnreadOptions) {
    this.#recordsMax = recordsMax;
    this.#ageMsMax = ageMsMax;
  }

  get records(): number {
    return Math.max(0, this.#appended - this.#processed);
  }

  /** Unix ms. */
  appended(records: number, nowMs: number): void {
    this.#appended += records;
    const last = this.#marks.at(-1);
    const isSpan = last !== undefined && nowMs - last.atMs < MARK_MS;
    if (isSpan) this.#marks.pop();
    // The earliest time of a span: an age is rather said too large.
    const atMs = isSpan ? last.atMs : nowMs;
    this.#marks.push({ records: this.#appended, atMs });
  }

  /** @param records processed since the start */
  processed(records: number): void {
    this.#processed = records;
    const next = this.#marks.findIndex((mark) => mark.records > records);
    this.#marks = next === -1 ? [] : this.#marks.slice(next);
  }

  ageMs(nowMs: number): number {
    const first = this.#marks[0];
    return first === undefined ? 0 : Math.max(0, nowMs - first.atMs);
  }

  hasRoom(nowMs: number): boolean {
    const { records } = this;
    if (records > this.#recordsMax) return false;
    return records <= RECORDS_MIN || this.ageMs(nowMs) <= this.#ageMsMax;
  }
}
