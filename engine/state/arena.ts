import { LapseError } from '../errors/errors.ts';
import { Spares } from './spares.ts';

/**
 * Byte strings of a partition outside the JavaScript heap: user ids, kept properties, profiles.
 * Chunks of 64 KiB; freed places are used again by size class. A reference is a 32-bit number;
 * every string has its length in the two bytes before it.
 *
 * Chunks are copied on write while a snapshot holds them, see `freeze()`.
 */
export const CHUNK_BYTES = 64 * 1024;
/** Longest string. */
export const BLOB_BYTES_MAX = CHUNK_BYTES - 8;

const FINE_BYTES_MAX = 1024;
/** Small: most strings are a key and some properties, and there are millions of them. */
const FINE_STEP = 2;
/** A free place holds the reference of the next one. */
const PLACE_BYTES_MIN = 4;
const COARSE_STEP = 256;
const FINE_CLASSES = FINE_BYTES_MAX / FINE_STEP + 1;
export const ARENA_CLASSES = FINE_CLASSES + CHUNK_BYTES / COARSE_STEP + 1;
const CHUNKS_MAX = 2 ** 16;
const NONE = 0;

function classOf(bytes: number): number {
  return bytes <= FINE_BYTES_MAX
    ? Math.ceil(Math.max(bytes, PLACE_BYTES_MIN) / FINE_STEP)
    : FINE_CLASSES + Math.ceil(bytes / COARSE_STEP);
}

function bytesOf(sizeClass: number): number {
  return sizeClass < FINE_CLASSES
    ? sizeClass * FINE_STEP
    : (sizeClass - FINE_CLASSES) * COARSE_STEP;
}

export interface ArenaSnapshot {
  readonly chunks: readonly Uint8Array[];
  readonly free: Uint32Array;
  readonly end: number;
  readonly bytesUsed: number;
}

/** 32 MB at most. */
const spares = new Spares<Uint8Array>(512);

export class Arena {
  #chunks: Uint8Array[] = [];
  #frozen: boolean[] = [];
  /** Chunks that a snapshot holds and that were copied since. */
  #replaced: Uint8Array[] = [];
  /** Heads of the lists of free places, by size class; a free place holds the next one. */
  #free: Uint32Array = new Uint32Array(ARENA_CLASSES);
  /** Where the next new place begins. Starts at 8, so that no reference is 0. */
  #end = 8;
  #bytesUsed = 0;

  /** Bytes of live strings with their overhead. */
  get bytesUsed(): number {
    return this.#bytesUsed;
  }

  get bytesReserved(): number {
    return this.#chunks.length * CHUNK_BYTES;
  }

  /** The chunk in which a reference lies, for reading. */
  chunkOf(reference: number): Uint8Array {
    return this.#chunks[reference >>> 16]!;
  }

  /** Where in its chunk the string begins. */
  startOf(reference: number): number {
    return (reference & 0xffff) + 2;
  }

  lengthOf(reference: number): number {
    const chunk = this.#chunks[reference >>> 16]!;
    const at = reference & 0xffff;
    return chunk[at]! | (chunk[at + 1]! << 8);
  }

  /** Whether a string lies there whole, as one that was stored does. */
  isStored(reference: number): boolean {
    const end = this.startOf(reference) + 1;
    if (this.chunkOf(reference) === undefined || end > CHUNK_BYTES || reference >= this.#end) {
      return false;
    }
    return this.startOf(reference) + this.lengthOf(reference) <= CHUNK_BYTES;
  }

  /**
   * Makes room for a string; the caller fills it at once through `writable()`.
   * @param length at most `BLOB_BYTES_MAX`
   */
  allocate(length: number): number {
    const sizeClass = classOf(length + 2);
    const bytes = bytesOf(sizeClass);
    let reference = this.#free[sizeClass]!;
    if (reference !== NONE) {
      const chunk = this.#chunks[reference >>> 16]!;
      const at = reference & 0xffff;
      this.#free[sizeClass] =
        (chunk[at]! | (chunk[at + 1]! << 8) | (chunk[at + 2]! << 16) | (chunk[at + 3]! << 24)) >>>
        0;
    } else reference = this.#extend(bytes);
    const chunk = this.writable(reference);
    const at = reference & 0xffff;
    chunk[at] = length & 255;
    chunk[at + 1] = length >>> 8;
    this.#bytesUsed += bytes;
    return reference;
  }

  free(reference: number): void {
    const sizeClass = classOf(this.lengthOf(reference) + 2);
    const chunk = this.writable(reference);
    const at = reference & 0xffff;
    const next = this.#free[sizeClass]!;
    chunk[at] = next & 255;
    chunk[at + 1] = (next >>> 8) & 255;
    chunk[at + 2] = (next >>> 16) & 255;
    chunk[at + 3] = next >>> 24;
    this.#free[sizeClass] = reference;
    this.#bytesUsed -= bytesOf(sizeClass);
  }

  /** The chunk of a reference for writing; a chunk that a snapshot holds is copied first. */
  writable(reference: number): Uint8Array {
    const index = reference >>> 16;
    if (this.#frozen[index] === true) {
      const copy = spares.take() ?? new Uint8Array(CHUNK_BYTES);
      copy.set(this.#chunks[index]!);
      this.#replaced.push(this.#chunks[index]!);
      this.#chunks[index] = copy;
      this.#frozen[index] = false;
    }
    return this.#chunks[index]!;
  }

  #extend(bytes: number): number {
    // By bytes, not by bits: the end of the last chunk is 2³², which is 0 as a 32-bit word.
    if (this.#end >= this.#chunks.length * CHUNK_BYTES) this.#addChunk();
    if ((this.#end & 0xffff) + bytes > CHUNK_BYTES) {
      this.#end = this.#chunks.length * CHUNK_BYTES;
      this.#addChunk();
    }
    const reference = this.#end;
    this.#end += bytes;
    return reference;
  }

  #addChunk(): void {
    if (this.#chunks.length === CHUNKS_MAX) {
      throw new LapseError(
        'ERR_PARTITION_FULL',
        'A partition holds at most 4 GiB of ids and properties; spread over more partitions.',
      );
    }
    this.#chunks.push(new Uint8Array(CHUNK_BYTES));
    this.#frozen.push(false);
  }

  /** What stands now, to be written while the partition goes on; `thaw()` when it is written. */
  freeze(): ArenaSnapshot {
    this.#frozen.fill(true);
    return {
      chunks: this.#chunks.slice(),
      free: this.#free.slice(),
      end: this.#end,
      bytesUsed: this.#bytesUsed,
    };
  }

  thaw(): void {
    this.#frozen.fill(false);
    spares.give(this.#replaced);
    this.#replaced = [];
  }

  restore(snapshot: ArenaSnapshot): void {
    this.#chunks = snapshot.chunks.slice();
    this.#frozen = this.#chunks.map(() => false);
    this.#free = snapshot.free;
    this.#end = snapshot.end;
    this.#bytesUsed = snapshot.bytesUsed;
  }
}
