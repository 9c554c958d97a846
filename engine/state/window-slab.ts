import { Spares } from './spares.ts';

/**
 * The columns of 1,024 open windows: 42 bytes each in one buffer, so that a snapshot is a copy of
 * bytes and nothing is an object. Few enough that copying a slab on write costs microseconds.
 */
export const SLAB_BITS = 10;
export const SLAB_SLOTS = 2 ** SLAB_BITS;
export const SLAB_MASK = SLAB_SLOTS - 1;
export const WINDOW_BYTES = 42;
/** Where in a slab the links of the wheel begin and end. */
export const LINKS_START = 28 * SLAB_SLOTS;
export const LINKS_END = 36 * SLAB_SLOTS;

export class WindowSlab {
  readonly buffer: ArrayBuffer;
  /** Event time of the newest `did`, Unix ms. */
  readonly anchorAt: Float64Array;
  /** The id of the event that opened the window. */
  readonly eventIdLo: Uint32Array;
  readonly eventIdHi: Uint32Array;
  /** Hash of key and rule, by which the index finds the slot. */
  readonly hash: Uint32Array;
  /** The string in the arena: key, then what the rule keeps. 0 in a free slot. */
  readonly blob: Uint32Array;
  /** The low half of the match value's hash; equal ones are compared whole. */
  readonly match: Uint16Array;
  /** `anchorAt` minus the first anchor: low 32 bits. In a free slot: the next free one. */
  readonly extendedLo: Uint32Array;
  /** Links of the timing wheel. */
  readonly next: Int32Array;
  readonly previous: Int32Array;
  readonly rule: Uint16Array;
  readonly restarts: Uint8Array;
  /** Bits 32–39 of the extension. */
  readonly extendedHi: Uint8Array;
  readonly #bytes: Uint8Array;
  isFrozen = false;

  constructor(buffer: ArrayBuffer = new ArrayBuffer(SLAB_SLOTS * WINDOW_BYTES)) {
    this.buffer = buffer;
    this.#bytes = new Uint8Array(buffer);
    const n = SLAB_SLOTS;
    this.anchorAt = new Float64Array(buffer, 0, n);
    this.eventIdLo = new Uint32Array(buffer, 8 * n, n);
    this.eventIdHi = new Uint32Array(buffer, 12 * n, n);
    this.hash = new Uint32Array(buffer, 16 * n, n);
    this.blob = new Uint32Array(buffer, 20 * n, n);
    this.extendedLo = new Uint32Array(buffer, 24 * n, n);
    this.next = new Int32Array(buffer, LINKS_START, n);
    this.previous = new Int32Array(buffer, LINKS_START + 4 * n, n);
    this.rule = new Uint16Array(buffer, LINKS_END, n);
    this.match = new Uint16Array(buffer, LINKS_END + 2 * n, n);
    this.restarts = new Uint8Array(buffer, LINKS_END + 4 * n, n);
    this.extendedHi = new Uint8Array(buffer, LINKS_END + 5 * n, n);
  }

  /** A slab of its own with the same windows. */
  copy(): WindowSlab {
    const copy = spares.take() ?? new WindowSlab();
    copy.#bytes.set(this.#bytes);
    return copy;
  }

  /** Gives back slabs that were replaced by their copies and that no snapshot holds any more. */
  static recycle(slabs: readonly WindowSlab[]): void {
    for (const slab of slabs) slab.isFrozen = false;
    spares.give(slabs);
  }
}

/** 43 MB at most. */
const spares = new Spares<WindowSlab>(1_000);
