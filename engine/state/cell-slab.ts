import { Spares } from './spares.ts';

/**
 * The columns of 1,024 cells of keyed state: 36 bytes each in one buffer, so that a snapshot is a
 * copy of bytes and nothing is an object.
 */
export const CELL_SLAB_BITS = 10;
export const CELL_SLAB_SLOTS = 2 ** CELL_SLAB_BITS;
export const CELL_SLAB_MASK = CELL_SLAB_SLOTS - 1;
export const CELL_BYTES = 36;

/** What a cell's timer does. */
export const TimerState = {
  /** It has none. */
  none: 0,
  /** It is in the wheel. */
  armed: 1,
  /** The wheel has given it out, and its operator has not been called yet. */
  firing: 2,
} as const;

export class CellSlab {
  readonly buffer: ArrayBuffer;
  /** Unix ms, Infinity without a timer. */
  readonly dueAt: Float64Array;
  /** Of user and operator. */
  readonly hash: Uint32Array;
  readonly userHash: Uint32Array;
  readonly operator: Uint32Array;
  /** The string in the arena: key, match value, value. 0 in a free slot. */
  readonly blob: Uint32Array;
  /** Links of the timing wheel; in a free slot `next` is the next free one. */
  readonly next: Int32Array;
  readonly previous: Int32Array;
  /** One of `TimerState`. */
  readonly timer: Uint32Array;
  readonly #bytes: Uint8Array;
  isFrozen = false;

  constructor(buffer: ArrayBuffer = new ArrayBuffer(CELL_SLAB_SLOTS * CELL_BYTES)) {
    this.buffer = buffer;
    this.#bytes = new Uint8Array(buffer);
    const n = CELL_SLAB_SLOTS;
    this.dueAt = new Float64Array(buffer, 0, n);
    this.hash = new Uint32Array(buffer, 8 * n, n);
    this.userHash = new Uint32Array(buffer, 12 * n, n);
    this.operator = new Uint32Array(buffer, 16 * n, n);
    this.blob = new Uint32Array(buffer, 20 * n, n);
    this.next = new Int32Array(buffer, 24 * n, n);
    this.previous = new Int32Array(buffer, 28 * n, n);
    this.timer = new Uint32Array(buffer, 32 * n, n);
  }

  /** A slab of its own with the same cells. */
  copy(): CellSlab {
    const copy = spares.take() ?? new CellSlab();
    copy.#bytes.set(this.#bytes);
    return copy;
  }

  /** Gives back slabs that were replaced by their copies and that no snapshot holds any more. */
  static recycle(slabs: readonly CellSlab[]): void {
    for (const slab of slabs) slab.isFrozen = false;
    spares.give(slabs);
  }
}

/** 37 MB at most. */
const spares = new Spares<CellSlab>(1_000);
