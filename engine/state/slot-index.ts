/**
 * Finds slots by a 32-bit hash: open addressing with linear probing in one `Int32Array`. Several
 * slots may share a hash, and a key may have several slots; whoever asks compares the full key.
 * A slot's hash is asked of its table, so an entry costs four bytes.
 */
const EMPTY = 0;
const CAPACITY_MIN = 64;

export class SlotIndex {
  readonly #hashOf: (slot: number) => number;
  #entries = new Int32Array(CAPACITY_MIN);
  #mask = CAPACITY_MIN - 1;
  #count = 0;

  constructor(hashOf: (slot: number) => number) {
    this.#hashOf = hashOf;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#entries.byteLength;
  }

  /** Where to begin looking for a hash; go on with `next()` while `slotAt()` is not -1. */
  first(hash: number): number {
    return hash & this.#mask;
  }

  next(position: number): number {
    return (position + 1) & this.#mask;
  }

  /** The slot at a position, -1 at the end of the run. Its hash may be another. */
  slotAt(position: number): number {
    return this.#entries[position]! - 1;
  }

  add(slot: number, hash: number): void {
    if ((this.#count + 1) * 4 > this.#entries.length * 3) this.#resize(this.#entries.length * 2);
    this.#place(slot, hash);
    this.#count++;
  }

  remove(slot: number, hash: number): void {
    let hole = hash & this.#mask;
    while (this.#entries[hole] !== slot + 1) hole = (hole + 1) & this.#mask;
    this.#count--;
    // Closes the gap, so that no run is ever interrupted and no tombstone remains.
    let probe = hole;
    for (;;) {
      probe = (probe + 1) & this.#mask;
      const entry = this.#entries[probe]!;
      if (entry === EMPTY) break;
      const home = this.#hashOf(entry - 1) & this.#mask;
      if (((probe - home) & this.#mask) >= ((probe - hole) & this.#mask)) {
        this.#entries[hole] = entry;
        hole = probe;
      }
    }
    this.#entries[hole] = EMPTY;
  }

  /** Empties the index and makes room for `count` slots. */
  reset(count: number): void {
    let capacity = CAPACITY_MIN;
    while (count * 4 > capacity * 3) capacity *= 2;
    this.#entries = new Int32Array(capacity);
    this.#mask = capacity - 1;
    this.#count = 0;
  }

  #place(slot: number, hash: number): void {
    let position = hash & this.#mask;
    while (this.#entries[position] !== EMPTY) position = (position + 1) & this.#mask;
    this.#entries[position] = slot + 1;
  }

  #resize(capacity: number): void {
    const old = this.#entries;
    this.#entries = new Int32Array(capacity);
    this.#mask = capacity - 1;
    for (const entry of old) if (entry !== EMPTY) this.#place(entry - 1, this.#hashOf(entry - 1));
  }
}
