/** First in, first out, of at most `capacity` values; an array's `shift` moves all the others. */
export class Ring<T> {
  readonly #values: (T | undefined)[];
  #head = 0;
  #length = 0;

  constructor(capacity: number) {
    this.#values = new Array<T | undefined>(capacity).fill(undefined);
  }

  push(value: T): void {
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
}
