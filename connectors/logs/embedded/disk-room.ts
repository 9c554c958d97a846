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
  /** As it was last found; absent since the file was written to. */
  #found: FileUsage | undefined;
  /** Of the file: so much is on the disk, used or not. */
  #fileBytes: number;

  /** @param usage asked once after each time the file was written to */
  constructor(path: string, usage: () => FileUsage) {
    this.#path = path;
    this.#usage = usage;
    this.#fileBytes = statSync(path).size;
  }

  /**
   * Whether so many bytes may be written.
   * @throws NodeJS.ErrnoException when the disk fails in another way than by being full
   */
  has(bytes: number): boolean {
    this.#found ??= this.#usage();
    const { endBytes, freeBytes } = this.#found;
    if (endBytes + bytes > this.#fileBytes) this.#grow(endBytes + bytes + STEP_BYTES);
    // Twice, because what was forgotten last cannot be written to at once.
    return endBytes + bytes <= this.#fileBytes || freeBytes >= 2 * bytes;
  }

  /** The file has been written to. */
  written(): void {
    this.#found = undefined;
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
