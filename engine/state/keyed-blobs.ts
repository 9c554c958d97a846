import { LapseError } from '../errors/errors.ts';
import type { Arena } from './arena.ts';
import {
  emptyKey,
  isStoredKey,
  type Key,
  keyPrefixBytes,
  readKeyPrefix,
  writeKeyPrefix,
} from './key.ts';
import { SlotIndex } from './slot-index.ts';

const SLAB_BITS = 12;
export const BLOB_SLAB_SLOTS = 2 ** SLAB_BITS;
const SLOT_MASK = BLOB_SLAB_SLOTS - 1;

/** A slab: hashes, then references into the arena, 0 where a slot is free. */
interface BlobSlab {
  readonly words: Uint32Array;
  isFrozen: boolean;
}

export interface KeyedBlobsSnapshot {
  readonly slabs: readonly Uint32Array[];
  readonly slotsUsed: number;
}

/** A range of bytes; valid until the table changes. */
export interface BlobRange {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/**
 * One byte string a key, packed in the arena behind the key: what profiles and aliases lie in.
 * Slabs are copied on write while a snapshot holds them.
 */
export class KeyedBlobs {
  readonly #arena: Arena;
  readonly #index = new SlotIndex((slot) => this.#slabOf(slot).words[slot & SLOT_MASK]!);
  #slabs: BlobSlab[] = [];
  #slotsUsed = 0;
  #free: number[] = [];
  readonly #stored = emptyKey();

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  get count(): number {
    return this.#index.count;
  }

  /** What is stored under a key, undefined when nothing is. */
  get(key: Key): BlobRange | undefined {
    const slot = this.#slotOf(key);
    return slot === -1 ? undefined : this.#rangeOf(this.#blobOf(slot), this.#stored);
  }

  /**
   * Stores `bytes` under a key, instead of what stood there.
   * @throws LapseError what the arena refuses; nothing has changed then
   */
  put(key: Key, bytes: Uint8Array): void {
    const slot = this.#slotOf(key);
    const blob = this.#arena.allocate(keyPrefixBytes(key) + bytes.length);
    const chunk = this.#arena.writable(blob);
    chunk.set(bytes, writeKeyPrefix(key, chunk, this.#arena.startOf(blob)));
    if (slot !== -1) {
      const words = this.#writable(slot);
      this.#arena.free(words[BLOB_SLAB_SLOTS + (slot & SLOT_MASK)]!);
      words[BLOB_SLAB_SLOTS + (slot & SLOT_MASK)] = blob;
      return;
    }
    const added = this.#takeSlot();
    const words = this.#writable(added);
    words[added & SLOT_MASK] = hashOf(key);
    words[BLOB_SLAB_SLOTS + (added & SLOT_MASK)] = blob;
    this.#index.add(added, hashOf(key));
  }

  /** @returns false when nothing was stored */
  remove(key: Key): boolean {
    const slot = this.#slotOf(key);
    if (slot === -1) return false;
    this.#index.remove(slot, hashOf(key));
    this.#arena.free(this.#blobOf(slot));
    this.#writable(slot)[BLOB_SLAB_SLOTS + (slot & SLOT_MASK)] = 0;
    this.#free.push(slot);
    return true;
  }

  /** All keys with what is stored, in no order. `key` is pointed at each; hashes are left alone. */
  *entries(key: Key): Generator<BlobRange> {
    for (let slot = 0; slot < this.#slotsUsed; slot++) {
      const blob = this.#blobOf(slot);
      if (blob !== 0) yield this.#rangeOf(blob, key);
    }
  }

  #slotOf(key: Key): number {
    const hash = hashOf(key);
    let position = this.#index.first(hash);
    for (;;) {
      const slot = this.#index.slotAt(position);
      if (slot === -1) return -1;
      if (this.#slabOf(slot).words[slot & SLOT_MASK] === hash) {
        const blob = this.#blobOf(slot);
        if (isStoredKey(this.#arena.chunkOf(blob), this.#arena.startOf(blob), key)) return slot;
      }
      position = this.#index.next(position);
    }
  }

  #slabOf(slot: number): BlobSlab {
    return this.#slabs[slot >>> SLAB_BITS]!;
  }

  #blobOf(slot: number): number {
    return this.#slabOf(slot).words[BLOB_SLAB_SLOTS + (slot & SLOT_MASK)]!;
  }

  #rangeOf(blob: number, key: Key): BlobRange {
    const bytes = this.#arena.chunkOf(blob);
    const first = this.#arena.startOf(blob);
    const start = readKeyPrefix(bytes, first, key);
    return { bytes, start, end: first + this.#arena.lengthOf(blob) };
  }

  #takeSlot(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#slotsUsed === this.#slabs.length * BLOB_SLAB_SLOTS) {
      this.#slabs.push({ words: new Uint32Array(2 * BLOB_SLAB_SLOTS), isFrozen: false });
    }
    return this.#slotsUsed++;
  }

  #writable(slot: number): Uint32Array {
    const slab = this.#slabOf(slot);
    if (!slab.isFrozen) return slab.words;
    const copy = { words: slab.words.slice(), isFrozen: false };
    this.#slabs[slot >>> SLAB_BITS] = copy;
    return copy.words;
  }

  freeze(): KeyedBlobsSnapshot {
    for (const slab of this.#slabs) slab.isFrozen = true;
    return { slabs: this.#slabs.map((slab) => slab.words), slotsUsed: this.#slotsUsed };
  }

  thaw(): void {
    for (const slab of this.#slabs) slab.isFrozen = false;
  }

  /** The arena must be restored. @throws LapseError `ERR_CHECKPOINT_CORRUPT` */
  restore(snapshot: KeyedBlobsSnapshot): void {
    this.#slabs = snapshot.slabs.map((words) => ({ words, isFrozen: false }));
    this.#slotsUsed = snapshot.slotsUsed;
    this.#free = [];
    let live = 0;
    for (let slot = 0; slot < this.#slotsUsed; slot++) {
      const blob = this.#blobOf(slot);
      if (blob === 0) continue;
      live++;
      this.#demandWhole(blob);
    }
    this.#index.reset(live);
    for (let slot = 0; slot < this.#slotsUsed; slot++) {
      if (this.#blobOf(slot) === 0) this.#free.push(slot);
      else this.#index.add(slot, this.#slabOf(slot).words[slot & SLOT_MASK]!);
    }
  }

  #demandWhole(blob: number): void {
    const isWhole = this.#arena.isStored(blob) && this.#arena.lengthOf(blob) > 0;
    const range = isWhole ? this.#rangeOf(blob, this.#stored) : undefined;
    if (range !== undefined && range.start <= range.end) return;
    throw new LapseError('ERR_CHECKPOINT_CORRUPT', `Nothing whole lies at ${blob} of the arena.`);
  }
}

function hashOf(key: Key): number {
  return (key.hashHi ^ Math.imul(key.hashLo, 0x9e3779b1)) >>> 0;
}
