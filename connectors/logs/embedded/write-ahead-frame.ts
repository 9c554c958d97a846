/**
 * What is written ahead of the tables, as bytes. A commit is one frame, so that it is there whole
 * or not at all. Little-endian; frames, entries and values start at multiples of 8:
 *
 *   frame  magic u32, crc32 u32 of all that follows, bytes u32, entries u32, sequence f64
 *   entry  topic id u32, value's bytes u32, name's bytes u32, 0 u32, offset f64, epoch f64;
 *          then the topic's name and the value (as in the table `envelopes`)
 */
import { crc32 } from 'node:zlib';
import type { Offset } from '../../../engine/log/log.ts';
import { padded, STORED } from './lmdb-schema.ts';

/** A value as it was given its place in a topic. */
export interface WrittenEntry {
  readonly topic: string;
  readonly topicId: number;
  readonly offset: Offset;
  /** Of the partition's owner, when the value is a claim; else 0. */
  readonly epoch: number;
  readonly value: Uint8Array;
}

export interface Frame {
  /** One more than that of the frame before. */
  readonly sequence: number;
  readonly entries: readonly WrittenEntry[];
}

interface FoundFrame extends Frame {
  readonly endsAt: number;
}

const ALIGNED_BYTES = 8;
const MAGIC = 0x3141_574c; // 'LWA1'
const HEADER = { magic: 0, crc: 4, bytes: 8, entries: 12, sequence: 16, size: 24 } as const;
const ENTRY = { topicId: 0, valueBytes: 4, nameBytes: 8, offset: 16, epoch: 24, size: 32 } as const;

export function frameBytes(entries: readonly WrittenEntry[]): number {
  let bytes = HEADER.size;
  for (const { topic, value } of entries) {
    bytes += ENTRY.size + padded(Buffer.byteLength(topic)) + padded(value.length);
  }
  return bytes;
}

/** Writes the frame to the start of `into`, which has room for it; returns its bytes. */
export function encodeFrame(
  into: Buffer,
  sequence: number,
  entries: readonly WrittenEntry[],
): Buffer {
  let at: number = HEADER.size;
  for (const { topic, topicId, offset, epoch, value } of entries) {
    into.writeUInt32LE(topicId, at + ENTRY.topicId);
    into.writeUInt32LE(value.length, at + ENTRY.valueBytes);
    const nameBytes = into.write(topic, at + ENTRY.size);
    into.writeUInt32LE(nameBytes, at + ENTRY.nameBytes);
    into.writeUInt32LE(0, at + ENTRY.nameBytes + 4);
    into.writeDoubleLE(offset, at + ENTRY.offset);
    into.writeDoubleLE(epoch, at + ENTRY.epoch);
    at = pad(into, at + ENTRY.size + nameBytes);
    into.set(value, at);
    at = pad(into, at + value.length);
  }
  into.writeUInt32LE(MAGIC, HEADER.magic);
  into.writeUInt32LE(at, HEADER.bytes);
  into.writeUInt32LE(entries.length, HEADER.entries);
  into.writeDoubleLE(sequence, HEADER.sequence);
  into.writeUInt32LE(crc32(into.subarray(HEADER.bytes, at)), HEADER.crc);
  return into.subarray(0, at);
}

/**
 * The frames at the start of `bytes`, up to the first that is not whole or does not follow: one
 * that was being written when the process died, or what an earlier round left behind.
 * @returns also the highest sequence of a whole frame behind them, 0 without one. An earlier round
 *   left lower ones than the last that was written; a higher one means that a frame is damaged.
 */
export function readFrames(bytes: Buffer): { frames: Frame[]; leftBehind: number } {
  const frames: FoundFrame[] = [];
  let at = 0;
  for (;;) {
    const frame = frameAt(bytes, at);
    const last = frames.at(-1);
    if (frame === undefined) break;
    if (last !== undefined && frame.sequence !== last.sequence + 1) break;
    frames.push(frame);
    at = frame.endsAt;
  }
  let leftBehind = 0;
  while (at < bytes.length) {
    const frame = frameAt(bytes, at);
    leftBehind = Math.max(leftBehind, frame?.sequence ?? 0);
    at = frame?.endsAt ?? at + ALIGNED_BYTES;
  }
  return { frames, leftBehind };
}

/** Undefined when no whole frame stands there. */
function frameAt(bytes: Buffer, at: number): FoundFrame | undefined {
  if (bytes.length - at < HEADER.size) return undefined;
  if (bytes.readUInt32LE(at + HEADER.magic) !== MAGIC) return undefined;
  const length = bytes.readUInt32LE(at + HEADER.bytes);
  const endsAt = at + length;
  // Before the checksum: of text that begins as a frame does, it would be one of megabytes.
  if (length < HEADER.size || length % ALIGNED_BYTES > 0 || endsAt > bytes.length) return undefined;
  const crc = crc32(bytes.subarray(at + HEADER.bytes, endsAt));
  if (bytes.readUInt32LE(at + HEADER.crc) !== crc) return undefined;
  const entries: WrittenEntry[] = [];
  let entryAt = at + HEADER.size;
  for (let left = bytes.readUInt32LE(at + HEADER.entries); left > 0; left--) {
    const read = entryAt + ENTRY.size <= endsAt ? entryIn(bytes, entryAt, endsAt) : undefined;
    if (read === undefined) return undefined;
    entries.push(read.entry);
    entryAt = read.endsAt;
  }
  return { sequence: bytes.readDoubleLE(at + HEADER.sequence), entries, endsAt };
}

/** Undefined when what stands there cannot be an entry that ends before `end`. */
function entryIn(
  bytes: Buffer,
  at: number,
  end: number,
): { readonly entry: WrittenEntry; readonly endsAt: number } | undefined {
  const nameAt = at + ENTRY.size;
  const nameEnd = nameAt + bytes.readUInt32LE(at + ENTRY.nameBytes);
  const valueAt = padded(nameEnd);
  const valueEnd = valueAt + bytes.readUInt32LE(at + ENTRY.valueBytes);
  if (nameEnd > end || padded(valueEnd) > end || valueEnd - valueAt < STORED.bytes)
    return undefined;
  const offset = bytes.readDoubleLE(at + ENTRY.offset);
  const epoch = bytes.readDoubleLE(at + ENTRY.epoch);
  if (!Number.isSafeInteger(offset) || offset < 1) return undefined;
  if (!Number.isSafeInteger(epoch) || epoch < 0) return undefined;
  const entry = {
    topic: bytes.toString('utf8', nameAt, nameEnd),
    topicId: bytes.readUInt32LE(at + ENTRY.topicId),
    offset,
    epoch,
    value: bytes.subarray(valueAt, valueEnd),
  };
  return { entry, endsAt: padded(valueEnd) };
}

/** Zeros up to the next multiple of 8, which it returns. */
function pad(into: Buffer, at: number): number {
  const end = padded(at);
  into.fill(0, at, end);
  return end;
}
