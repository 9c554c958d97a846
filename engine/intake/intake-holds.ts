import { TimeHeap } from './time-heap.ts';

/** Something that was received at `atMs` and is not added yet: the lane's time does not pass it. */
export interface Hold {
  readonly atMs: number;
  readonly order: number;
  /** It has been added, and leaves the heap when it comes to the top or the heap is cleared. */
  isReleased: boolean;
}

/**
 * What of a lane has been received and is not added yet. Mostly the times of it go up; but what a
 * door reads again, after an append that failed, comes behind what has been held since then. So it
 * is a heap by time: a hold costs the logarithm of how many there are, whatever their order.
 */
export class IntakeHolds {
  readonly #heap = new TimeHeap<Hold>();
  #added = 0;
  /** In the heap. */
  #released = 0;
  /** The lowest time of all; Infinity without any. */
  limitMs = Infinity;

  /** How many are kept in memory, the released ones among them. */
  get size(): number {
    return this.#heap.length;
  }

  /** For tests of how the cost grows. */
  get steps(): number {
    return this.#heap.steps;
  }

  add(atMs: number): Hold {
    const hold: Hold = { atMs, order: this.#added++, isReleased: false };
    this.#heap.add(hold);
    this.#limit();
    return hold;
  }

  release(hold: Hold): void {
    if (hold.isReleased) return;
    hold.isReleased = true;
    this.#released++;
    while (this.#heap.first?.isReleased === true) {
      this.#heap.shift();
      this.#released--;
    }
    // One that is held for long must not keep in memory what has come and gone since.
    if (this.#released * 2 > this.#heap.length) {
      this.#heap.keep(({ isReleased }) => !isReleased);
      this.#released = 0;
    }
    this.#limit();
  }

  #limit(): void {
    this.limitMs = this.#heap.first?.atMs ?? Infinity;
  }
}
