const WORD_BITS = 32;

/** A set of small whole numbers as bits: the lowest is found in one walk over its words. */
export class NumberSet {
  readonly #words: Uint32Array;

  /** @param end all numbers are below it */
  constructor(end: number) {
    this.#words = new Uint32Array(Math.ceil(end / WORD_BITS));
  }

  add(number: number): void {
    this.#words[number >>> 5]! |= 1 << (number & 31);
  }

  delete(number: number): void {
    this.#words[number >>> 5]! &= ~(1 << (number & 31));
  }

  clear(): void {
    this.#words.fill(0);
  }

  /** The lowest number from `from` on; undefined when there is none. */
  lowest(from: number): number | undefined {
    const words = this.#words;
    let index = from >>> 5;
    let word = (words[index] ?? 0) & (-1 << (from & 31));
    while (word === 0) {
      if (++index >= words.length) return undefined;
      word = words[index]!;
    }
    return index * WORD_BITS + (31 - Math.clz32(word & -word));
  }
}
