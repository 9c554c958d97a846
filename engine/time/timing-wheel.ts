/**
 * A hierarchical timing wheel (Varghese & Lauck 1987) over the slots of a table: six levels of
 * 256 buckets, 1 ms each at the bottom, so all of Unix time, exact to the millisecond. A timer is
 * two links in the table's own columns; its due time is asked for only when its bucket cascades.
 *
 * A bucket of level n holds timers whose due time differs from the wheel's time first in byte n,
 * so everything in a lower level is due before everything in a higher one.
 */

/** The table that lends the wheel its slots. */
export interface WheelSlots {
  linkNext(slot: number): number;
  linkPrevious(slot: number): number;
  setLinks(slot: number, next: number, previous: number): void;
  setNext(slot: number, next: number): void;
  setPrevious(slot: number, previous: number): void;
  /** Unix ms. */
  dueAtMs(slot: number): number;
}

const LEVELS = 6;
const BUCKETS = 256;
const NONE = -1;
const LOW = 2 ** 32;

export class TimingWheel {
  readonly #slots: WheelSlots;
  /** First slot of each bucket; `previous` of a first slot is `-2 - bucket`. */
  readonly #heads = new Int32Array(LEVELS * BUCKETS).fill(NONE);
  /** One bit a bucket that is not empty. */
  readonly #occupied = new Uint32Array((LEVELS * BUCKETS) / 32);
  #nowMs: number;
  /** No bucket begins before this, so most steps of time look at nothing at all. */
  #quietBeforeMs = 0;
  #count = 0;
  /** The slots taken by `take()`, valid until its next call. */
  taken = new Int32Array(64);

  constructor(slots: WheelSlots, nowMs: number) {
    this.#slots = slots;
    this.#nowMs = nowMs;
  }

  get count(): number {
    return this.#count;
  }

  /** Everything due before this has been taken. Unix ms. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Nothing is due before this. Unix ms. */
  get quietBeforeMs(): number {
    return this.#quietBeforeMs;
  }

  /** Adds a timer; one that is overdue is due at the wheel's time. */
  add(slot: number, dueAtMs: number): void {
    this.#count++;
    this.#link(slot, dueAtMs);
  }

  remove(slot: number): void {
    this.#count--;
    const slots = this.#slots;
    const next = slots.linkNext(slot);
    const previous = slots.linkPrevious(slot);
    if (next !== NONE) slots.setPrevious(next, previous);
    if (previous >= 0) {
      slots.setNext(previous, next);
      return;
    }
    const bucket = -2 - previous;
    this.#heads[bucket] = next;
    if (next === NONE) this.#clearBit(bucket);
  }

  /**
   * When the wheel must next be moved: the earliest due time if it is near, else the start of the
   * bucket that holds it, at or before it. Infinity without a timer. Unix ms.
   */
  nextTurnAtMs(): number {
    const bucket = this.#earliestBucket();
    return bucket === NONE ? Infinity : this.#startOf(bucket >> 8, bucket);
  }

  /**
   * Moves on to the earliest millisecond, at most `untilMs`, at which timers are due, and takes
   * them out into `taken`, in no order.
   * @returns how many; 0 when none is due at or before `untilMs`, and the wheel stands there
   */
  take(untilMs: number): number {
    for (;;) {
      if (untilMs < this.#quietBeforeMs) {
        if (untilMs > this.#nowMs) this.#nowMs = untilMs;
        return 0;
      }
      const bucket = this.#earliestBucket();
      const level = bucket >> 8;
      this.#quietBeforeMs = bucket === NONE ? Infinity : this.#startOf(level, bucket);
      if (this.#quietBeforeMs > untilMs) continue;
      // A cascading bucket starts after the wheel's time, an elementary one not before it.
      this.#nowMs = this.#quietBeforeMs;
      let slot = this.#heads[bucket]!;
      this.#heads[bucket] = NONE;
      this.#clearBit(bucket);
      if (level === 0) return this.#takeList(slot);
      while (slot !== NONE) {
        const next = this.#slots.linkNext(slot);
        this.#link(slot, this.#slots.dueAtMs(slot));
        slot = next;
      }
    }
  }

  #takeList(first: number): number {
    let count = 0;
    for (let slot = first; slot !== NONE; slot = this.#slots.linkNext(slot)) {
      if (count === this.taken.length) {
        const larger = new Int32Array(count * 2);
        larger.set(this.taken);
        this.taken = larger;
      }
      this.taken[count++] = slot;
    }
    this.#count -= count;
    return count;
  }

  #link(slot: number, dueAtMs: number): void {
    const due = Math.max(dueAtMs, this.#nowMs);
    const high = Math.floor(due / LOW);
    const low = due >>> 0;
    const nowHigh = Math.floor(this.#nowMs / LOW);
    const difference = low ^ (this.#nowMs >>> 0);
    let bucket: number;
    // How far into its bucket the due time lies.
    let intoMs: number;
    if (high >>> 8 !== nowHigh >>> 8) {
      bucket = 5 * BUCKETS + ((high >>> 8) & 255);
      intoMs = due;
    } else if (high !== nowHigh) {
      bucket = 4 * BUCKETS + (high & 255);
      intoMs = low;
    } else if (difference >>> 8 === 0) {
      bucket = low & 255;
      intoMs = 0;
    } else if (difference >>> 16 === 0) {
      bucket = BUCKETS + ((low >>> 8) & 255);
      intoMs = low & 0xff;
    } else if (difference >>> 24 === 0) {
      bucket = 2 * BUCKETS + ((low >>> 16) & 255);
      intoMs = low & 0xffff;
    } else {
      bucket = 3 * BUCKETS + (low >>> 24);
      intoMs = low & 0xffffff;
    }
    const head = this.#heads[bucket]!;
    this.#slots.setLinks(slot, head, -2 - bucket);
    if (head !== NONE) this.#slots.setPrevious(head, slot);
    this.#heads[bucket] = slot;
    this.#occupied[bucket >> 5]! |= 1 << (bucket & 31);
    this.#quietBeforeMs = Math.min(this.#quietBeforeMs, due - intoMs);
  }

  #clearBit(bucket: number): void {
    this.#occupied[bucket >> 5]! &= ~(1 << (bucket & 31));
  }

  #earliestBucket(): number {
    for (let level = 0; level < LEVELS; level++) {
      const bucket = this.#firstBucket(level);
      if (bucket !== NONE) return bucket;
    }
    return NONE;
  }

  /** The first bucket of a level that is not empty, from the wheel's time on. */
  #firstBucket(level: number): number {
    const from = level * BUCKETS + this.#byte(level);
    const end = (level + 1) * BUCKETS;
    let word = from >> 5;
    let bits = this.#occupied[word]! & (-1 << (from & 31));
    while (bits === 0) {
      word++;
      if (word << 5 >= end) return NONE;
      bits = this.#occupied[word]!;
    }
    return (word << 5) + (31 - Math.clz32(bits & -bits));
  }

  /** The byte of the wheel's time that selects the bucket at a level. */
  #byte(level: number): number {
    const high = Math.floor(this.#nowMs / LOW);
    if (level === 5) return (high >>> 8) & 255;
    if (level === 4) return high & 255;
    return ((this.#nowMs >>> 0) >>> (8 * level)) & 255;
  }

  /** The first millisecond of a bucket. */
  #startOf(level: number, bucket: number): number {
    const index = bucket & 255;
    const high = Math.floor(this.#nowMs / LOW);
    if (level === 5) return index * 256 * LOW;
    if (level === 4) return ((high & ~255) + index) * LOW;
    const shift = 8 * level;
    const nowLow = this.#nowMs >>> 0;
    // Shifting by 32 would shift by 0: level 3 keeps no higher bits of the low word.
    const kept = level === 3 ? 0 : (nowLow >>> (shift + 8)) * 2 ** (shift + 8);
    return high * LOW + kept + index * 2 ** shift;
  }
}
