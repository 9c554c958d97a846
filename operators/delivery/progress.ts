import type { OpenEnvelope } from './lane-records.ts';

interface Open {
  readonly count: number;
  readonly settled: Set<number>;
}

/**
 * Which deliveries of `out` are settled, in the room of the envelopes that are still open: an
 * envelope at or below `readTo` that is not open is settled whole.
 */
export class Progress {
  /** By offset, in order of offset. */
  readonly #open = new Map<number, Open>();
  /** Settled, by records of an earlier run, in envelopes that this run has not read yet. */
  readonly #ahead = new Map<number, Set<number>>();
  #readTo = 0;

  get readTo(): number {
    return this.#readTo;
  }

  /** Everything up to and with this offset is settled: the log may forget it. */
  get base(): number {
    for (const offset of this.#open.keys()) return offset - 1;
    return this.#readTo;
  }

  /** @returns the indexes that are settled already, or undefined when all of them are */
  enter(offset: number, count: number): ReadonlySet<number> | undefined {
    const known = this.#open.get(offset);
    if (known !== undefined) return known.settled;
    if (offset <= this.#readTo || count === 0) {
      this.#readTo = Math.max(this.#readTo, offset);
      return undefined;
    }
    this.#readTo = offset;
    const settled = this.#ahead.get(offset) ?? new Set<number>();
    this.#ahead.delete(offset);
    if (settled.size >= count) return undefined;
    this.#open.set(offset, { count, settled });
    return settled;
  }

  settle(offset: number, index: number): void {
    const open = this.#open.get(offset);
    if (open !== undefined) {
      open.settled.add(index);
      if (open.settled.size >= open.count) this.#open.delete(offset);
    } else if (offset > this.#readTo) {
      const settled = this.#ahead.get(offset);
      if (settled === undefined) this.#ahead.set(offset, new Set([index]));
      else settled.add(index);
    }
  }

  snapshot(): OpenEnvelope[] {
    const open = Array.from(this.#open, ([offset, { count, settled }]) => ({
      offset,
      count,
      settled: [...settled],
    }));
    // The records that say so stand before the snapshot and will not be read again.
    const ahead = Array.from(this.#ahead, ([offset, settled]) => ({
      offset,
      count: 0,
      settled: [...settled],
    }));
    return [...open, ...ahead];
  }

  restore(readTo: number, open: readonly OpenEnvelope[]): void {
    this.#readTo = readTo;
    for (const { offset, count, settled } of open) {
      if (offset > readTo) this.#ahead.set(offset, new Set(settled));
      else this.#open.set(offset, { count, settled: new Set(settled) });
    }
  }
}
