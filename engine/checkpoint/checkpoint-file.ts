import { crc32 } from 'node:zlib';
import { LapseError } from '../errors/errors.ts';
import type { Offset } from '../log/log.ts';
import type { PartitionSnapshot } from '../partition/partition-state.ts';
import { ARENA_CLASSES, CHUNK_BYTES } from '../state/arena.ts';
import { CELL_BYTES, CELL_SLAB_SLOTS } from '../state/cell-slab.ts';
import { DEDUPE_ID_BYTES } from '../state/dedupe-block.ts';
import { BLOB_SLAB_SLOTS } from '../state/keyed-blobs.ts';
import { CANCEL_FIELDS } from '../state/recent-cancels.ts';
import { LINKS_END, LINKS_START, SLAB_SLOTS, WINDOW_BYTES } from '../state/window-slab.ts';
import { type CheckpointDisk, type CheckpointFile, systemDisk } from './checkpoint-disk.ts';
import { type CheckpointIndex, indexProblem, type Section } from './checkpoint-index.ts';

/*
 * A checkpoint is one file:
 *
 *   sections   raw bytes of slabs and chunks, one after the other
 *   index      JSON: what the sections are, with a CRC-32 each, and all small state
 *   footer     16 bytes: index length (u32), CRC-32 of the index (u32), mark (8 bytes)
 *
 * The footer is written last, so a torn file has none.
 */
const MARK = Buffer.from('LAPSECK2');
const FOOTER_BYTES = 16;
const FORMAT_VERSION = 6;
/** Bytes of a window slab that are kept: all but the links of the wheel, which are built anew. */
const SLAB_KEPT = SLAB_SLOTS * WINDOW_BYTES - (LINKS_END - LINKS_START);
/** Handed to the disk at a time; more would hold the thread up. */
const WRITE_BYTES = 512 * 1024;

/** State and position as one. */
export interface Checkpoint {
  readonly partition: number;
  readonly partitionCount: number;
  /** Everything up to and with this input offset is in the state. */
  readonly offset: Offset;
  readonly epoch: number;
  readonly state: PartitionSnapshot;
  /** What the pipeline remembers, JSON. */
  readonly pipeline: unknown;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function* sectionsOf(state: PartitionSnapshot): Generator<Uint8Array[]> {
  for (const slab of state.windows.slabs) {
    yield [new Uint8Array(slab, 0, LINKS_START), new Uint8Array(slab, LINKS_END)];
  }
  yield [bytesOf(state.arena.free)];
  for (const chunk of state.arena.chunks) yield [chunk];
  for (const words of state.profiles.slabs) yield [bytesOf(words)];
  for (const words of state.aliases.slabs) yield [bytesOf(words)];
  for (const { prints, ages, count } of state.dedupe.blocks) {
    yield [bytesOf(prints.subarray(0, 2 * count)), bytesOf(ages.subarray(0, count))];
  }
  yield [bytesOf(state.recentCancels.entries)];
  for (const slab of state.cells.slabs) yield [new Uint8Array(slab)];
}

/** Writes and syncs the file; the caller renames it into place. Returns its length. */
export async function writeCheckpoint(
  path: string,
  checkpoint: Checkpoint,
  disk: CheckpointDisk = systemDisk,
): Promise<number> {
  const file = await disk.create(path);
  try {
    const length = await writeAll(file, checkpoint);
    await file.sync();
    return length;
  } finally {
    await file.close();
  }
}

async function writeAll(file: CheckpointFile, checkpoint: Checkpoint): Promise<number> {
  const { state } = checkpoint;
  const sections: Section[] = [];
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let length = 0;
  const flush = async () => {
    if (pendingBytes === 0) return;
    await file.write(pending);
    length += pendingBytes;
    pending = [];
    pendingBytes = 0;
  };
  for (const parts of sectionsOf(state)) {
    let crc = 0;
    let bytes = 0;
    for (const part of parts) {
      crc = crc32(part, crc);
      bytes += part.length;
      pending.push(part);
    }
    pendingBytes += bytes;
    sections.push({ bytes, crc });
    if (pendingBytes >= WRITE_BYTES) await flush();
  }
  const index = Buffer.from(JSON.stringify(indexOf(checkpoint, sections)));
  const footer = Buffer.alloc(FOOTER_BYTES);
  footer.writeUInt32LE(index.length, 0);
  footer.writeUInt32LE(crc32(index), 4);
  MARK.copy(footer, 8);
  pending.push(index, footer);
  pendingBytes += index.length + footer.length;
  await flush();
  return length;
}

function indexOf(checkpoint: Checkpoint, sections: readonly Section[]): CheckpointIndex {
  const { state } = checkpoint;
  return {
    formatVersion: FORMAT_VERSION,
    partition: checkpoint.partition,
    partitionCount: checkpoint.partitionCount,
    offset: checkpoint.offset,
    epoch: checkpoint.epoch,
    timeMs: state.timeMs,
    pipeline: checkpoint.pipeline,
    shapes: state.shapes,
    windows: {
      slabs: state.windows.slabs.length,
      slotsUsed: state.windows.slotsUsed,
      late: state.windows.late,
    },
    arena: {
      chunks: state.arena.chunks.length,
      end: state.arena.end,
      bytesUsed: state.arena.bytesUsed,
    },
    profiles: { slabs: state.profiles.slabs.length, slotsUsed: state.profiles.slotsUsed },
    aliases: { slabs: state.aliases.slabs.length, slotsUsed: state.aliases.slotsUsed },
    cells: { slabs: state.cells.slabs.length, slotsUsed: state.cells.slotsUsed },
    dedupe: state.dedupe.blocks.map(({ count, startSecond }) => ({ count, startSecond })),
    sections,
  };
}

function corrupt(path: string, what: string): LapseError {
  return new LapseError('ERR_CHECKPOINT_CORRUPT', `The checkpoint ${path} ${what}.`, {
    facts: { path },
  });
}

/**
 * Reads a checkpoint whole and verifies every byte.
 * @throws LapseError `ERR_CHECKPOINT_CORRUPT`, `ERR_CHECKPOINT_VERSION`
 */
export async function readCheckpoint(
  path: string,
  disk: CheckpointDisk = systemDisk,
): Promise<Checkpoint> {
  return decodeCheckpoint(path, await disk.read(path));
}

/**
 * The same of bytes that were read already; the checkpoint has none of them.
 * @param path names it in sentences
 */
export function decodeCheckpoint(path: string, bytes: Buffer): Checkpoint {
  if (bytes.length < FOOTER_BYTES) throw corrupt(path, `has only ${bytes.length} bytes`);
  const footer = bytes.subarray(bytes.length - FOOTER_BYTES);
  if (!footer.subarray(8, 15).equals(MARK.subarray(0, 7))) throw corrupt(path, 'has no end mark');
  const indexEnd = bytes.length - FOOTER_BYTES;
  const indexStart = indexEnd - footer.readUInt32LE(0);
  if (indexStart < 0) throw corrupt(path, 'has an index longer than itself');
  const indexBytes = bytes.subarray(indexStart, indexEnd);
  if (crc32(indexBytes) !== footer.readUInt32LE(4)) throw corrupt(path, 'has a damaged index');
  const index = parseIndex(path, indexBytes);
  if (index.formatVersion !== FORMAT_VERSION) {
    throw new LapseError(
      'ERR_CHECKPOINT_VERSION',
      `Checkpoints must be of format ${FORMAT_VERSION}, ${path} is of format ${index.formatVersion}: it was written by another version of Lapse.`,
      { domain: 'user' },
    );
  }
  if (footer[15] !== MARK[7]) throw corrupt(path, 'has a damaged end mark');
  const problem = indexProblem(index);
  if (problem !== undefined) throw corrupt(path, `has an index with ${problem}`);
  return checkpointOf(path, index, new SectionReader(path, bytes, indexStart, index.sections));
}

function parseIndex(path: string, bytes: Buffer): CheckpointIndex {
  let index: unknown;
  try {
    index = JSON.parse(bytes.toString());
  } catch {
    // What was written right is JSON.
  }
  const { formatVersion } = (index ?? {}) as Partial<CheckpointIndex>;
  if (typeof formatVersion !== 'number') throw corrupt(path, 'has an index that is none');
  return index as CheckpointIndex;
}

/** Hands out the sections in order, each verified. */
class SectionReader {
  readonly #path: string;
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #sections: readonly Section[];
  #at = 0;
  #number = 0;

  constructor(path: string, bytes: Buffer, end: number, sections: readonly Section[]) {
    this.#path = path;
    this.#bytes = bytes;
    this.#end = end;
    this.#sections = sections;
  }

  next(): Uint8Array {
    const section = this.#sections[this.#number++];
    if (section === undefined || this.#at + section.bytes > this.#end) {
      throw corrupt(this.#path, `lacks section ${this.#number}`);
    }
    const bytes = this.#bytes.subarray(this.#at, this.#at + section.bytes);
    if (crc32(bytes) !== section.crc)
      throw corrupt(this.#path, `has a damaged section ${this.#number}`);
    this.#at += section.bytes;
    return bytes;
  }

  /** @param isFit says whether a section may have so many words */
  words(isFit: (length: number) => boolean): Uint32Array {
    const bytes = this.next();
    if (!isFit(bytes.length / 4)) {
      throw corrupt(this.#path, `has a section ${this.#number} of a wrong length`);
    }
    // A buffer of its own: sections are not aligned, and state outlives the file's bytes.
    return new Uint32Array(new Uint8Array(bytes).buffer);
  }
}

function isBlobSlab(length: number): boolean {
  return length === 2 * BLOB_SLAB_SLOTS;
}

function checkpointOf(path: string, index: CheckpointIndex, reader: SectionReader): Checkpoint {
  const slabs = Array.from({ length: index.windows.slabs }, () => {
    const kept = reader.next();
    if (kept.length !== SLAB_KEPT) throw corrupt(path, 'has a window slab of a wrong length');
    const slab = new Uint8Array(SLAB_SLOTS * WINDOW_BYTES);
    slab.set(kept.subarray(0, LINKS_START));
    slab.set(kept.subarray(LINKS_START), LINKS_END);
    return slab.buffer;
  });
  const free = reader.words((length) => length === ARENA_CLASSES);
  const chunks = Array.from({ length: index.arena.chunks }, () => {
    const chunk = reader.next();
    if (chunk.length !== CHUNK_BYTES) throw corrupt(path, 'has a chunk of a wrong length');
    return new Uint8Array(chunk);
  });
  const profiles = Array.from({ length: index.profiles.slabs }, () => reader.words(isBlobSlab));
  const aliases = Array.from({ length: index.aliases.slabs }, () => reader.words(isBlobSlab));
  const blocks = index.dedupe.map((block) => {
    const bytes = reader.next();
    if (bytes.length !== block.count * DEDUPE_ID_BYTES) {
      throw corrupt(path, 'has a block of message ids of a wrong length');
    }
    const { buffer } = new Uint8Array(bytes);
    const prints = new Uint32Array(buffer, 0, 2 * block.count);
    return { ...block, prints, ages: new Uint16Array(buffer, 8 * block.count, block.count) };
  });
  const cancels = reader.words((length) => length % (2 * CANCEL_FIELDS) === 0);
  const cells = Array.from({ length: index.cells?.slabs ?? 0 }, () => {
    const slab = reader.next();
    if (slab.length !== CELL_SLAB_SLOTS * CELL_BYTES) {
      throw corrupt(path, 'has a slab of keyed state of a wrong length');
    }
    return new Uint8Array(slab).buffer;
  });
  return {
    partition: index.partition,
    partitionCount: index.partitionCount,
    offset: index.offset,
    epoch: index.epoch,
    pipeline: index.pipeline,
    state: {
      timeMs: index.timeMs,
      arena: { chunks, free, end: index.arena.end, bytesUsed: index.arena.bytesUsed },
      windows: { ...index.windows, slabs, freeHead: -1 },
      profiles: { slabs: profiles, slotsUsed: index.profiles.slotsUsed },
      aliases: { slabs: aliases, slotsUsed: index.aliases.slotsUsed },
      dedupe: { blocks },
      cells: { slabs: cells, slotsUsed: index.cells?.slotsUsed ?? 0 },
      recentCancels: { entries: new Float64Array(cancels.buffer) },
      shapes: index.shapes,
    },
  };
}
