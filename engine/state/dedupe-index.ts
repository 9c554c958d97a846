/**
 * Finds a message id among the blocks by its fingerprint. It is split by fingerprint into parts
 * that grow alone, so that no single id pays for the growth of all. What a block that was forgotten
 * leaves behind goes when a part is built anew: at the latest when it is three quarters full.
 */
import type { DedupeBlock } from './dedupe-block.ts';
import { mix32 } from './hash.ts';

const PARTS = 256;
const SLOTS_START = 16;
/** Bytes of a slot: block and place as 32 bits, and 8 bits of the fingerprint. */
const SLOT_BYTES = 5;

interface Part {
  /** (Number of the block mod 2¹⁶) × 2¹⁶ + place. */
  refs: Uint32Array;
  /** Bits of the fingerprint, so that few blocks are looked at in vain. 0 in an empty slot. */
  tags: Uint8Array;
  taken: number;
}

/** The block that a reference means; undefined when it was forgotten. */
export type BlockOf = (ref: number) => DedupeBlock | undefined;

export class DedupeIndex {
  readonly #parts: (Part | undefined)[] = new Array<Part | undefined>(PARTS).fill(undefined);
  readonly #blockOf: BlockOf;
  /** Slots looked at and moved since the start, for tests of how the cost grows. */
  steps = 0;

  constructor(blockOf: BlockOf) {
    this.#blockOf = blockOf;
  }

  get bytes(): number {
    return this.#parts.reduce((sum, part) => sum + (part?.tags.length ?? 0) * SLOT_BYTES, 0);
  }

  /** Makes room for so many ids at once. */
  reserve(ids: number): void {
    const slots = slotsFor(Math.ceil(ids / PARTS));
    for (let i = 0; i < PARTS; i++) this.#parts[i] = emptyPart(slots);
  }

  /** The reference of a fingerprint that a block has, -1 when none has it. */
  find(lo: number, hi: number): number {
    const hash = hashOf(lo, hi);
    const part = this.#parts[hash >>> 24];
    if (part === undefined) return -1;
    const slot = this.#slotOf(part, hash, lo, hi);
    return part.tags[slot] === 0 ? -1 : part.refs[slot]!;
  }

  /** Has the fingerprint mean `ref` from now on. */
  set(lo: number, hi: number, ref: number): void {
    const hash = hashOf(lo, hi);
    let part = this.#parts[hash >>> 24];
    if (part === undefined) {
      part = emptyPart(SLOTS_START);
      this.#parts[hash >>> 24] = part;
    } else if (part.taken * 4 >= part.tags.length * 3) part = this.#rebuild(hash >>> 24, part);
    const slot = this.#slotOf(part, hash, lo, hi);
    if (part.tags[slot] === 0) part.taken++;
    part.tags[slot] = tagOf(hash);
    part.refs[slot] = ref;
  }

  /** Where the fingerprint is, or the empty slot where it would be. */
  #slotOf({ refs, tags }: Part, hash: number, lo: number, hi: number): number {
    const mask = tags.length - 1;
    const tag = tagOf(hash);
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      this.steps++;
      const found = tags[slot];
      if (found === 0) return slot;
      if (found !== tag) continue;
      const ref = refs[slot]!;
      if (this.#blockOf(ref)?.is(ref & 0xffff, lo, hi) === true) return slot;
    }
  }

  #rebuild(number: number, old: Part): Part {
    let live = 0;
    for (let slot = 0; slot < old.tags.length; slot++) {
      if (old.tags[slot] !== 0 && this.#blockOf(old.refs[slot]!) !== undefined) live++;
    }
    const part = emptyPart(slotsFor(live));
    const mask = part.tags.length - 1;
    this.steps += old.tags.length;
    for (let from = 0; from < old.tags.length; from++) {
      if (old.tags[from] === 0) continue;
      const ref = old.refs[from]!;
      const block = this.#blockOf(ref);
      if (block === undefined) continue;
      // Of a block whose number another one has had before, one id may stand here twice.
      const at = 2 * (ref & 0xffff);
      let slot = hashOf(block.prints[at]!, block.prints[at + 1]!) & mask;
      while (part.tags[slot] !== 0) slot = (slot + 1) & mask;
      part.tags[slot] = old.tags[from]!;
      part.refs[slot] = ref;
    }
    part.taken = live;
    this.#parts[number] = part;
    return part;
  }
}

function emptyPart(slots: number): Part {
  return { refs: new Uint32Array(slots), tags: new Uint8Array(slots), taken: 0 };
}

/** Half full at most. */
function slotsFor(ids: number): number {
  return Math.max(SLOTS_START, 2 ** Math.ceil(Math.log2(Math.max(1, 2 * ids))));
}

/** The part by its highest 8 bits, the tag by the 8 below, the slot by the lowest. */
function hashOf(lo: number, hi: number): number {
  return mix32(lo ^ Math.imul(hi, 0x9e3779b1));
}

function tagOf(hash: number): number {
  return (hash >>> 16) & 0xff || 1;
}
