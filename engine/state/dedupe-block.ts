/**
 * A run of message ids in the order in which they came: each a fingerprint with the second of its
 * receipt. One that is full never changes again.
 */

/** At most so many ids a block: a place in it is 16 bits. */
export const DEDUPE_BLOCK_IDS = 65_536;
/** Bytes of an id in a block: 8 of the fingerprint, 2 of its second. */
export const DEDUPE_ID_BYTES = 10;
/** Seconds are kept as 16 bits above the first. */
export const DEDUPE_BLOCK_SECONDS_MAX = 65_535;
const IDS_START = 256;

export interface DedupeBlockSnapshot {
  /** Pairs of words, `lo` and `hi`; may have room for more than `count`. */
  readonly prints: Uint32Array;
  /** Seconds after the first. */
  readonly ages: Uint16Array;
  readonly count: number;
  /** Unix seconds. */
  readonly startSecond: number;
}

export class DedupeBlock {
  prints: Uint32Array;
  ages: Uint16Array;
  count: number;
  readonly startSecond: number;

  constructor(startSecond: number, from?: DedupeBlockSnapshot) {
    this.startSecond = startSecond;
    this.prints = from?.prints ?? new Uint32Array(2 * IDS_START);
    this.ages = from?.ages ?? new Uint16Array(IDS_START);
    this.count = from?.count ?? 0;
  }

  get newestSecond(): number {
    return this.count === 0 ? this.startSecond : this.secondAt(this.count - 1);
  }

  get bytes(): number {
    return this.prints.byteLength + this.ages.byteLength;
  }

  secondAt(place: number): number {
    return this.startSecond + this.ages[place]!;
  }

  is(place: number, lo: number, hi: number): boolean {
    return this.prints[2 * place] === lo && this.prints[2 * place + 1] === hi;
  }

  /** @returns its place */
  add(lo: number, hi: number, second: number): number {
    if (this.count === this.ages.length) this.#resize(Math.max(IDS_START, 2 * this.count));
    const place = this.count++;
    this.prints[2 * place] = lo;
    this.prints[2 * place + 1] = hi;
    this.ages[place] = second - this.startSecond;
    return place;
  }

  /** Nothing is added any more. */
  close(): void {
    if (this.count < this.ages.length) this.#resize(this.count);
  }

  freeze(isOpen: boolean): DedupeBlockSnapshot {
    const { count, startSecond } = this;
    if (!isOpen) return { prints: this.prints, ages: this.ages, count, startSecond };
    return {
      prints: this.prints.slice(0, 2 * count),
      ages: this.ages.slice(0, count),
      count,
      startSecond,
    };
  }

  #resize(ids: number): void {
    const prints = new Uint32Array(2 * ids);
    const ages = new Uint16Array(ids);
    prints.set(this.prints.subarray(0, 2 * this.count));
    ages.set(this.ages.subarray(0, this.count));
    this.prints = prints;
    this.ages = ages;
  }
}
