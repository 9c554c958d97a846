/**
 * Buffers that a snapshot has let go of, kept for the next copies on write of the same thread:
 * fresh ones by the thousand would make the garbage collector come every few milliseconds.
 */
export class Spares<T> {
  readonly #most: number;
  readonly #spares: T[] = [];

  /** @param most how many are kept; the others go to the garbage collector */
  constructor(most: number) {
    this.#most = most;
  }

  take(): T | undefined {
    return this.#spares.pop();
  }

  /** Nobody else may hold them. */
  give(spares: readonly T[]): void {
    for (const spare of spares) {
      if (this.#spares.length >= this.#most) return;
      this.#spares.push(spare);
    }
  }
}
