/** Something with a time; of equal times in order of `order`. */
export interface Timed {
  readonly atMs: number;
  readonly order: number;
}

/** A binary heap by time: adding and taking cost the logarithm of how many there are. */
export class TimeHeap<T extends Timed> {
  #values: T[] = [];
  /** Comparisons since the start, for tests of how the cost grows. */
  steps = 0;

  get length(): number {
    return this.#values.length;
  }

  /** The earliest. */
  get first(): T | undefined {
    return this.#values[0];
  }

  add(value: T): void {
    this.#values.push(value);
    this.#rise(this.#values.length - 1);
  }

  /** Takes the earliest out. */
  shift(): T | undefined {
    const first = this.#values[0];
    const last = this.#values.pop();
    if (this.#values.length > 0) {
      this.#values[0] = last!;
      this.#sink(0);
    }
    return first;
  }

  clear(): void {
    this.#values = [];
  }

  /** Keeps only those; costs as many steps as there were. */
  keep(isKept: (value: T) => boolean): void {
    this.steps += this.#values.length;
    this.#values = this.#values.filter(isKept);
    for (let i = (this.#values.length >>> 1) - 1; i >= 0; i--) this.#sink(i);
  }

  #rise(from: number): void {
    const values = this.#values;
    const value = values[from]!;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >>> 1;
      if (this.#isBefore(values[above]!, value)) break;
      values[at] = values[above]!;
      at = above;
    }
    values[at] = value;
  }

  #sink(from: number): void {
    const values = this.#values;
    const value = values[from]!;
    let at = from;
    for (let below = 2 * at + 1; below < values.length; below = 2 * at + 1) {
      const other = values[below + 1];
      if (other !== undefined && this.#isBefore(other, values[below]!)) below++;
      if (this.#isBefore(value, values[below]!)) break;
      values[at] = values[below]!;
      at = below;
    }
    values[at] = value;
  }

  #isBefore(a: T, b: T): boolean {
    this.steps++;
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  }
}
