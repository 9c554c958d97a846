/**
 * Remembers which events were seen: 64-bit fingerprints of (user, message id), each with the second
 * of its receipt, so that what counts as seen depends on its age alone and not on how much else has
 * come. Fingerprints fill blocks one after the other; a block goes when its youngest entry is
 * too old, or, earlier, when there would be too many: then the window is shorter than asked, and
 * `evictedEarly` counts it.
 *
 * Two different events fall together with a chance of 2⁻⁶⁴ × entries, about 10⁻¹³ an event here.
 */
export const DEDUPE_BLOCK_SLOTS = 65_536;
const START_SLOTS = 1024;
const BLOCKS_MAX = 16;
/** Words a slot: two of the fingerprint, one of its time. */
const WORDS = 3;

interface Block {
  /** Pairs of words, both 0 in an empty place; behind them, for each pair, Unix seconds. */
  words: Uint32Array;
  count: number;
  /** Partition time of the newest entry, Unix ms. */
  newestMs: number;
}

export interface DedupeSnapshot {
  readonly blocks: readonly { readonly words: Uint32Array; count: number; newestMs: number }[];
}

export class DedupeTable {
  readonly #windowMs: number;
  #blocks: Block[] = [{ words: new Uint32Array(WORDS * START_SLOTS), count: 0, newestMs: 0 }];
  /** Ids forgotten before their time. */
  evictedEarly = 0;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  get count(): number {
    return this.#blocks.reduce((sum, block) => sum + block.count, 0);
  }

  get bytes(): number {
    return this.#blocks.reduce((sum, block) => sum + block.words.byteLength, 0);
  }

  /**
   * True when this fingerprint is new within the window; it is remembered.
   * @param nowMs partition time
   */
  isNew(lo: number, hi: number, nowMs: number): boolean {
    // The pair 0, 0 marks an empty place.
    const low = lo === 0 && hi === 0 ? 1 : lo;
    while (this.#blocks.length > 1 && this.#blocks[0]!.newestMs < nowMs - this.#windowMs) {
      this.#blocks.shift();
    }
    const seconds = Math.floor(nowMs / 1000);
    const last = this.#blocks.length - 1;
    for (let i = last; i >= 0; i--) {
      const { words } = this.#blocks[i]!;
      const slot = find(words, low, hi);
      if (slot === -1) continue;
      const at = timeAt(words, slot);
      if (seconds - words[at]! <= this.#windowMs / 1000) return false;
      // Older blocks never change: there it stays until its block goes, and is found after this.
      if (i < last) break;
      words[at] = seconds;
      this.#blocks[i]!.newestMs = nowMs;
      return true;
    }
    this.#insert(low, hi, nowMs);
    return true;
  }

  /** True when `isNew` would say no; nothing is remembered. */
  has(lo: number, hi: number, nowMs: number): boolean {
    const low = lo === 0 && hi === 0 ? 1 : lo;
    const seconds = Math.floor(nowMs / 1000);
    return this.#blocks.some(({ words }) => {
      const slot = find(words, low, hi);
      return slot !== -1 && seconds - words[timeAt(words, slot)]! <= this.#windowMs / 1000;
    });
  }

  #insert(lo: number, hi: number, nowMs: number): void {
    let block = this.#blocks.at(-1)!;
    const slots = block.words.length / WORDS;
    if (block.count * 3 >= slots * 2) {
      if (slots < DEDUPE_BLOCK_SLOTS) block.words = grown(block.words);
      else {
        if (this.#blocks.length === BLOCKS_MAX) {
          this.evictedEarly += this.#blocks.shift()!.count;
        }
        block = { words: new Uint32Array(WORDS * START_SLOTS), count: 0, newestMs: nowMs };
        this.#blocks.push(block);
      }
    }
    place(block.words, lo, hi, Math.floor(nowMs / 1000));
    block.count++;
    block.newestMs = nowMs;
  }

  /** Full blocks are shared, for they never change again; the last one is copied. */
  freeze(): DedupeSnapshot {
    const last = this.#blocks.length - 1;
    return {
      blocks: this.#blocks.map((block, i) => ({
        words: i === last ? block.words.slice() : block.words,
        count: block.count,
        newestMs: block.newestMs,
      })),
    };
  }

  restore(snapshot: DedupeSnapshot): void {
    if (snapshot.blocks.length > 0) this.#blocks = snapshot.blocks.map((block) => ({ ...block }));
  }
}

/** Whether words are a block with so many entries: one that says fewer could be searched for ever. */
export function isDedupeBlock(words: Uint32Array, count: number): boolean {
  const slots = words.length / WORDS;
  const isSize = Number.isInteger(Math.log2(slots)) && slots >= START_SLOTS;
  if (!isSize || slots > DEDUPE_BLOCK_SLOTS || count >= slots) return false;
  let taken = 0;
  for (let at = 0; at < 2 * slots; at += 2) if (words[at] !== 0 || words[at + 1] !== 0) taken++;
  return taken === count;
}

function grown(words: Uint32Array): Uint32Array {
  const larger = new Uint32Array(words.length * 2);
  const slots = words.length / WORDS;
  for (let slot = 0; slot < slots; slot++) {
    const lo = words[2 * slot]!;
    const hi = words[2 * slot + 1]!;
    if (lo !== 0 || hi !== 0) place(larger, lo, hi, words[timeAt(words, slot)]!);
  }
  return larger;
}

function timeAt(words: Uint32Array, slot: number): number {
  return (words.length / WORDS) * 2 + slot;
}

/** The slot of a fingerprint, -1 when it is not there. */
function find(words: Uint32Array, lo: number, hi: number): number {
  const mask = words.length / WORDS - 1;
  for (let slot = (lo ^ hi) & mask; ; slot = (slot + 1) & mask) {
    const low = words[2 * slot]!;
    const high = words[2 * slot + 1]!;
    if (low === lo && high === hi) return slot;
    if (low === 0 && high === 0) return -1;
  }
}

function place(words: Uint32Array, lo: number, hi: number, seconds: number): void {
  const mask = words.length / WORDS - 1;
  let slot = (lo ^ hi) & mask;
  while (words[2 * slot] !== 0 || words[2 * slot + 1] !== 0) slot = (slot + 1) & mask;
  words[2 * slot] = lo;
  words[2 * slot + 1] = hi;
  words[timeAt(words, slot)] = seconds;
}
