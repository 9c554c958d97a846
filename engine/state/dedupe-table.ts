/**
 * Remembers which events were seen: fingerprints of (user, message id), each with the second of its
 * receipt, so that what counts as seen depends on its age alone and not on how much else has come.
 *
 *   blocks   the ids in order of receipt, 10 bytes each; checkpoints share those that are closed
 *   index    fingerprint → place in a block, 5 bytes a slot, a quarter to three quarters full
 *
 * An id takes 17 to 30 bytes, and the same few steps whether thousands are remembered or
 * millions. A block goes when its youngest id is too old. Where more come within the window than
 * `idsMax`, the oldest block goes earlier, and `evictedEarly` counts its ids.
 *
 * Two different events fall together with a chance of 2⁻⁶⁴ × ids, below 10⁻¹⁰ an event.
 */
import {
  DEDUPE_BLOCK_IDS,
  DEDUPE_BLOCK_SECONDS_MAX,
  DedupeBlock,
  type DedupeBlockSnapshot,
} from './dedupe-block.ts';
import { DedupeIndex } from './dedupe-index.ts';

/** So small a part of the window, or of the ids, goes at a time. */
const PARTS_OF_ALL = 16;

export interface DedupeSnapshot {
  readonly blocks: readonly DedupeBlockSnapshot[];
}

export class DedupeTable {
  readonly #windowSeconds: number;
  readonly #idsMax: number;
  readonly #blockIdsMax: number;
  readonly #blockSecondsMax: number;
  /** In order of receipt; only the last one grows. */
  #blocks: DedupeBlock[] = [];
  /** Number of the first block. */
  #firstNumber = 0;
  readonly #index = new DedupeIndex((ref) => this.#blockOf(ref));
  /** Ids remembered now, those of old blocks among them. */
  count = 0;
  /** Ids forgotten before their time. */
  evictedEarly = 0;

  /** @param idsMax at most so many are remembered */
  constructor(windowMs: number, idsMax = Infinity) {
    this.#windowSeconds = windowMs / 1_000;
    this.#idsMax = Math.max(1, idsMax);
    this.#blockIdsMax = Math.max(
      1,
      Math.min(DEDUPE_BLOCK_IDS, Math.floor(this.#idsMax / PARTS_OF_ALL)),
    );
    this.#blockSecondsMax = Math.min(DEDUPE_BLOCK_SECONDS_MAX, this.#windowSeconds / PARTS_OF_ALL);
  }

  get bytes(): number {
    return this.#blocks.reduce((sum, block) => sum + block.bytes, this.#index.bytes);
  }

  /** See `DedupeIndex`. */
  get steps(): number {
    return this.#index.steps;
  }

  /**
   * True when this fingerprint is new within the window; it is remembered.
   * @param nowMs partition time, which never goes back
   */
  isNew(lo: number, hi: number, nowMs: number): boolean {
    const second = Math.floor(nowMs / 1_000);
    const oldest = this.#blocks[0];
    if (oldest !== undefined && oldest.newestSecond < second - this.#windowSeconds) {
      this.#forgetOld(second);
    }
    if (this.#isKnown(lo, hi, second)) return false;
    const block = this.#open(second);
    const place = block.add(lo, hi, second);
    this.count++;
    this.#index.set(lo, hi, this.#refOf(this.#blocks.length - 1, place));
    return true;
  }

  /** Whether this fingerprint was seen within the window; it is not remembered by this. */
  has(lo: number, hi: number, nowMs: number): boolean {
    return this.#isKnown(lo, hi, Math.floor(nowMs / 1_000));
  }

  /** Closed blocks are shared, for they never change again; the last one is copied. */
  freeze(): DedupeSnapshot {
    const last = this.#blocks.length - 1;
    return { blocks: this.#blocks.map((block, i) => block.freeze(i === last)) };
  }

  restore({ blocks }: DedupeSnapshot): void {
    this.#blocks = blocks.map((block) => new DedupeBlock(block.startSecond, block));
    this.#firstNumber = 0;
    this.count = blocks.reduce((sum, { count }) => sum + count, 0);
    this.#index.reserve(this.count);
    this.#blocks.forEach(({ count, prints }, i) => {
      for (let place = 0; place < count; place++) {
        this.#index.set(prints[2 * place]!, prints[2 * place + 1]!, this.#refOf(i, place));
      }
    });
  }

  #isKnown(lo: number, hi: number, second: number): boolean {
    const ref = this.#index.find(lo, hi);
    if (ref === -1) return false;
    return second - this.#blockOf(ref)!.secondAt(ref & 0xffff) <= this.#windowSeconds;
  }

  #open(second: number): DedupeBlock {
    const last = this.#blocks.at(-1);
    if (last !== undefined) {
      const isFull = last.count >= this.#blockIdsMax;
      if (!isFull && second - last.startSecond <= this.#blockSecondsMax) return last;
      last.close();
    }
    while (this.count > 0 && this.count + this.#blockIdsMax > this.#idsMax) {
      this.evictedEarly += this.#forgetFirst();
    }
    const block = new DedupeBlock(second);
    this.#blocks.push(block);
    return block;
  }

  #forgetOld(second: number): void {
    const oldestSecond = second - this.#windowSeconds;
    while ((this.#blocks[0]?.newestSecond ?? Infinity) < oldestSecond) this.#forgetFirst();
  }

  /** @returns how many ids it had */
  #forgetFirst(): number {
    const { count } = this.#blocks.shift()!;
    this.#firstNumber++;
    this.count -= count;
    return count;
  }

  #refOf(block: number, place: number): number {
    return (((this.#firstNumber + block) & 0xffff) << 16) + place;
  }

  #blockOf(ref: number): DedupeBlock | undefined {
    return this.#blocks[((ref >>> 16) - this.#firstNumber) & 0xffff];
  }
}
