interface Deadline<T> {
  readonly atMs: number;
  readonly sequence: number;
  readonly value: T;
}

/** Below this size a sweep for dead entries is not worth it. */
const SWEEP_SIZE_MIN = 1_024;

/**
 * Values by the time they come due, equal times in order of arrival: a binary heap. A value that
 * is no longer of interest stays until it comes up or until half of the heap is such.
 */
export class Deadlines<T> {
  readonly #isLive: (value: T, atMs: number) => boolean;
  #heap: Deadline<T>[] = [];
  #sequence = 0;
  #sweepAtSize = SWEEP_SIZE_MIN;

  /** @param isLive whether a value still waits for this deadline */
  constructor(isLive: (value: T, atMs: number) => boolean) {
    this.#isLive = isLive;
  }

  get size(): number {
    return this.#heap.length;
  }

  add(atMs: number, value: T): void {
    if (this.#heap.length >= this.#sweepAtSize) this.#sweep();
    this.#heap.push({ atMs, sequence: this.#sequence++, value });
    this.#rise(this.#heap.length - 1);
  }

  /** The earliest deadline that a live value waits for. */
  nextAtMs(): number | undefined {
    return this.#top()?.atMs;
  }

  /** Takes out the earliest live value that is due. */
  takeDue(nowMs: number): T | undefined {
    const top = this.#top();
    if (top === undefined || top.atMs > nowMs) return undefined;
    this.#removeTop();
    return top.value;
  }

  #top(): Deadline<T> | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined || this.#isLive(top.value, top.atMs)) return top;
      this.#removeTop();
    }
  }

  #removeTop(): void {
    const last = this.#heap.pop();
    if (this.#heap.length === 0 || last === undefined) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #sweep(): void {
    this.#heap = this.#heap.filter(({ value, atMs }) => this.#isLive(value, atMs));
    for (let i = (this.#heap.length >> 1) - 1; i >= 0; i--) this.#sink(i);
    this.#sweepAtSize = Math.max(SWEEP_SIZE_MIN, this.#heap.length * 2);
  }

  #rise(index: number): void {
    let at = index;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(this.#heap[at]!, this.#heap[parent]!)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(index: number): void {
    let at = index;
    for (;;) {
      const left = 2 * at + 1;
      let least = at;
      for (const child of [left, left + 1]) {
        const candidate = this.#heap[child];
        if (candidate !== undefined && isBefore(candidate, this.#heap[least]!)) least = child;
      }
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #swap(a: number, b: number): void {
    const value = this.#heap[a]!;
    this.#heap[a] = this.#heap[b]!;
    this.#heap[b] = value;
  }
}

function isBefore<T>(a: Deadline<T>, b: Deadline<T>): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}
