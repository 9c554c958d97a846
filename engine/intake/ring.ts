/** First in, first out; an array's `shift` moves all the others. Grows, and gives no room back. */
export class Ring<T> {
  #values: (T | undefined)[];
  #head = 0;
  #length = 0;

  /** @param capacity of how many values it has room before it grows */
  constructor(capacity = 1) {
    this.#values = new Array<T | undefined>(capacity).fill(undefined);
  }

  get length(): number {
    return this.#length;
  }

  /** The value that `shift` would give. */
  get first(): T | undefined {
    return this.#length === 0 ? undefined : this.#values[this.#head];
  }

  push(value: T): void {
    if (this.#length === this.#values.length) this.#grow();
    this.#values[(this.#head + this.#length++) % this.#values.length] = value;
  }

  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const value = this.#values[this.#head];
    this.#values[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#values.length;
    this.#length--;
    return value;
  }

  #grow(): void {
    const { length } = this.#values;
    const values = new Array<T | undefined>(length * 2).fill(undefined);
    for (let i = 0; i < length; i++) values[i] = this.#values[(this.#head + i) % length];
    this.#values = values;
    this.#head = 0;
  }
}
