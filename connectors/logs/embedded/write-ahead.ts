/**
 * What has been acknowledged and does not stand in the tables yet. A commit to the tables writes
 * pages here and there and waits for the disk twice; a frame is one write and one wait. So commits
 * go to a file first, and the tables take over now and then what has gathered.
 *
 * The file has two halves. While the tables take over what one of them holds, the other is written;
 * a half is written anew once nothing of it is needed.
 */
import { userError } from '../../../engine/errors.ts';
import type { WriteAheadDisk, WriteAheadFile } from './write-ahead-disk.ts';
import { encodeFrame, frameBytes, readFrames, type WrittenEntry } from './write-ahead-frame.ts';

export class WriteAhead {
  readonly #file: WriteAheadFile;
  readonly #halfBytes: number;
  readonly #scratch: Buffer;
  #sequence = 0;
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
    this.#usedBytes = 0;
  }

  close(): void {
    this.#file.close();
  }
}

/**
 * All that the file holds, in the order in which it was written; much of it may stand in the tables.
 * @throws LapseError `ERR_LOG_CORRUPT`
 */
export function writtenAhead(disk: WriteAheadDisk): readonly WrittenEntry[] {
  const bytes = disk.read();
  if (bytes === undefined) return [];
  const halfBytes = bytes.length / 2;
  const halves = [bytes.subarray(0, halfBytes), bytes.subarray(halfBytes)].map(readFrames);
  const [earlier, later] = halves
    .map(({ frames }) => frames)
    .filter((frames) => frames.length > 0)
    .sort(([a], [b]) => a!.sequence - b!.sequence);
  const isGap = later !== undefined && earlier!.at(-1)!.sequence + 1 !== later[0]!.sequence;
  if (isGap || halves.some(({ isDamaged }) => isDamaged)) {
    throw userError(
      'ERR_LOG_CORRUPT',
      "The log's file 'write-ahead' must hold whole frames, one that was acknowledged is damaged: " +
        'its data folder has to come from a copy.',
    );
  }
  return [...(earlier ?? []), ...(later ?? [])].flatMap(({ entries }) => entries);
}
