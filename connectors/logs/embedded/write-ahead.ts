/**
 * What has been acknowledged and does not stand in the tables yet. A commit to the tables writes
 * pages here and there and waits for the disk twice; a frame is one write and one wait. So commits
 * go to a file first, and the tables take over now and then what has gathered.
 *
 * The file has two halves. While the tables take over what one of them holds, the other is written;
 * a half is written anew once nothing of it is needed.
 */
import { type LapseError, userError } from '../../../engine/errors/errors.ts';
import type { AheadNeeded } from './lmdb-schema.ts';
import type { WriteAheadDisk, WriteAheadFile } from './write-ahead-disk.ts';
import { encodeFrame, frameBytes, readFrames, type WrittenEntry } from './write-ahead-frame.ts';

export class WriteAhead {
  readonly #file: WriteAheadFile;
  readonly #halfBytes: number;
  readonly #scratch: Buffer;
  #sequence = 0;
  #halfFrom = 1;
  #half = 0;
  #usedBytes = 0;

  /**
   * In place of the file of before, nothing of which may be needed any more.
   * @param halfBytes a multiple of 8
   */
  constructor(disk: WriteAheadDisk, halfBytes: number) {
    this.#file = disk.begin(2 * halfBytes);
    this.#halfBytes = halfBytes;
    this.#scratch = Buffer.allocUnsafeSlow(halfBytes);
    // From now on it always holds a frame: one without any is not the file that was written.
    this.append([]);
  }

  /** The first frame of the half that is written to, there already or the next. */
  get halfFrom(): number {
    return this.#halfFrom;
  }

  hasRoomFor(entries: readonly WrittenEntry[]): boolean {
    return this.#usedBytes + frameBytes(entries) <= this.#halfBytes;
  }

  /** Durable when it returns. There must be room for it. */
  append(entries: readonly WrittenEntry[]): void {
    const frame = encodeFrame(this.#scratch, ++this.#sequence, entries);
    this.#file.write(frame, this.#half * this.#halfBytes + this.#usedBytes);
    this.#usedBytes += frame.length;
  }

  /** Goes on in the other half, nothing of which may be needed any more. */
  turnOver(): void {
    // So that the halves always follow one upon the other.
    if (this.#usedBytes === 0) return;
    this.#half = 1 - this.#half;
    this.#halfFrom = this.#sequence + 1;
    this.#usedBytes = 0;
  }

  close(): void {
    this.#file.close();
  }
}

/**
 * What is needed of the file, in the order in which it was written; much of it may stand in the
 * tables. A half of which nothing is needed may look like anything: a frame that was being written
 * over it when the power went away may have left some of the old ones.
 * @throws LapseError `ERR_LOG_CORRUPT`; `ERR_LOG_UNAVAILABLE`: it cannot be read
 */
export function writtenAhead(
  disk: WriteAheadDisk,
  needed: AheadNeeded | undefined,
): readonly WrittenEntry[] {
  if (needed === undefined) return [];
  const { bytes: fileBytes, from } = needed;
  const bytes = disk.read();
  if (bytes === undefined) throw corruptError(disk, 'it is missing');
  if (bytes.length !== fileBytes) {
    throw corruptError(disk, `it has ${bytes.length} bytes instead of ${fileBytes}`);
  }
  const halves = [bytes.subarray(0, fileBytes / 2), bytes.subarray(fileBytes / 2)].map(readFrames);
  const found = halves.flatMap(({ frames }) => frames).sort((a, b) => a.sequence - b.sequence);
  const last = found.at(-1)?.sequence ?? 0;
  // While a half has no frame yet, the last one of the other half still stands there.
  if (last < Math.max(1, from - 1)) throw corruptError(disk, 'it holds nothing of it');
  const frames = found.filter(({ sequence }) => sequence >= from);
  const isGap = frames.some(({ sequence }, i) => sequence !== from + i);
  if (isGap || halves.some(({ leftBehind }) => leftBehind > last)) {
    throw corruptError(disk, 'some of it is damaged');
  }
  return frames.flatMap(({ entries }) => entries);
}

function corruptError({ path }: WriteAheadDisk, what: string): LapseError {
  return userError(
    'ERR_LOG_CORRUPT',
    `'${path}' must hold what was acknowledged last, ${what}: the data folder has to come from a copy.`,
    { path },
  );
}
