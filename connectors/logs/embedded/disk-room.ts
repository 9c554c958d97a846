/**
 * Room on the disk for the log's file, taken before it is needed. LMDB would find out in the midst
 * of a commit that a disk is full, and its binding does not survive that (it writes the message
 * past the end of a buffer); so the file is made longer ahead of its content, and when the disk
 * does not give more, an append is refused before LMDB hears of it.
 */
import { closeSync, fstatSync, openSync, statSync, writeSync } from 'node:fs';

/** How the file is used. */
export interface FileUsage {
  /** Behind the last page that was ever written. */
  readonly endBytes: number;
  /** Of pages before it that hold nothing any more and will be written again. */
  readonly freeBytes: number;
}

/** What the file grows by at least: some ms of writing. */
const STEP_BYTES = 8 * 2 ** 20;
const ZEROS = new Uint8Array(2 ** 20);
const NO_SPACE = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export class DiskRoom {
  readonly #path: string;
  readonly #usage: () => FileUsage;
  /** Of the file: so much is on the disk, used or not. */
  #fileBytes: number;
  /** Its content ends no later. */
  #endBytesMax = Infinity;

  /** @param usage asked now and then, between two commits */
  constructor(path: string, usage: () => FileUsage) {
    this.#path = path;
    this.#usage = usage;
    this.#fileBytes = statSync(path).size;
  }

  /**
   * @param bytes what a commit may write
   * @param spareBytes what must be left behind it
   * @returns whether there is room for it; then the room is the commit's
   * @throws NodeJS.ErrnoException when the disk fails in another way
   */
  take(bytes: number, spareBytes: number): boolean {
    const wanted = bytes + spareBytes;
    if (this.#endBytesMax + wanted > this.#fileBytes) {
      const { endBytes, freeBytes } = this.#usage();
      this.#endBytesMax = endBytes;
      if (endBytes + wanted > this.#fileBytes) this.#grow(endBytes + wanted + STEP_BYTES);
      // Twice, because what was forgotten last cannot be written to at once.
      if (endBytes + wanted > this.#fileBytes) return freeBytes >= 2 * wanted;
    }
    this.#endBytesMax += bytes;
    return true;
  }

  /** Makes the file so long, or as long as the disk lets it. */
  #grow(toBytes: number): void {
    const file = openSync(this.#path, 'r+');
    try {
      let at = fstatSync(file).size;
      while (at < toBytes)
        at += writeSync(file, ZEROS, 0, Math.min(ZEROS.length, toBytes - at), at);
    } catch (error) {
      if (!NO_SPACE.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    } finally {
      this.#fileBytes = fstatSync(file).size;
      closeSync(file);
    }
  }
}
