import type { Offset } from '../log/log.ts';
import { CHUNK_BYTES } from '../state/arena.ts';
import { CELL_SLAB_SLOTS } from '../state/cell-slab.ts';
import { DEDUPE_BLOCK_IDS } from '../state/dedupe-block.ts';
import { BLOB_SLAB_SLOTS } from '../state/keyed-blobs.ts';
import { SLAB_SLOTS } from '../state/window-slab.ts';

/** A part of a checkpoint's file. */
export interface Section {
  readonly bytes: number;
  readonly crc: number;
}

/** What the sections of a checkpoint are, and all small state; stored as JSON. */
export interface CheckpointIndex {
  readonly formatVersion: number;
  readonly partition: number;
  readonly partitionCount: number;
  readonly offset: Offset;
  readonly epoch: number;
  readonly timeMs: number;
  readonly pipeline: unknown;
  readonly shapes: readonly (readonly string[])[];
  readonly windows: {
    readonly slabs: number;
    readonly slotsUsed: number;
    /** See `WindowTableSnapshot`. */
    readonly late: readonly (readonly [slot: number, atMs: number])[];
  };
  readonly arena: { readonly chunks: number; readonly end: number; readonly bytesUsed: number };
  readonly profiles: { readonly slabs: number; readonly slotsUsed: number };
  readonly aliases: { readonly slabs: number; readonly slotsUsed: number };
  /** Absent where nothing of it was stored. */
  readonly cells?: { readonly slabs: number; readonly slotsUsed: number };
  readonly dedupe: readonly { readonly count: number; readonly startSecond: number }[];
  readonly sections: readonly Section[];
}

/** The free places of the arena, the recent cancels. */
const LONE_SECTIONS = 2;

/**
 * What is wrong with an index, undefined when its numbers fit together. The checksum says that it
 * is as it was written, not that it was written right; a wrong count would be met much later, as a
 * table that is searched for ever.
 */
export function indexProblem(index: CheckpointIndex): string | undefined {
  const { partition, partitionCount, offset, epoch, timeMs, arena } = index;
  if (![partition, partitionCount, offset, epoch].every(isWhole)) return 'a number that is none';
  if (!Number.isFinite(timeMs)) return 'no time';
  if (!isListOf(index.shapes, (names) => isListOf(names, (name) => typeof name === 'string'))) {
    return 'shapes that are no lists of names';
  }
  if (!isTable(index.windows, SLAB_SLOTS)) return 'windows that are no slabs';
  const { late, slotsUsed } = index.windows;
  const isLate = isListOf(
    late,
    (one) => Array.isArray(one) && isWhole(one[0]) && one[0] < slotsUsed && Number.isFinite(one[1]),
  );
  if (!isLate) return 'late windows that are no slots with times';
  if (!isTable(index.profiles, BLOB_SLAB_SLOTS)) return 'profiles that are no slabs';
  if (!isTable(index.aliases, BLOB_SLAB_SLOTS)) return 'aliases that are no slabs';
  if (index.cells !== undefined && !isTable(index.cells, CELL_SLAB_SLOTS)) {
    return 'keyed state that is no slabs';
  }
  const isArena =
    isObject(arena) && [arena.chunks, arena.end, arena.bytesUsed].every(isWhole) && arena.end >= 8;
  if (!isArena || arena.end > Math.max(8, arena.chunks * CHUNK_BYTES)) return 'no arena';
  const isDedupe = isListOf(
    index.dedupe,
    (block) =>
      isObject(block) &&
      isWhole(block.count) &&
      block.count <= DEDUPE_BLOCK_IDS &&
      isWhole(block.startSecond),
  );
  if (!isDedupe) return 'no blocks of message ids';
  const isSections = isListOf(
    index.sections,
    (one) => isObject(one) && isWhole(one.bytes) && isWhole(one.crc),
  );
  const wanted =
    index.windows.slabs +
    arena.chunks +
    index.profiles.slabs +
    index.aliases.slabs +
    index.dedupe.length +
    (index.cells?.slabs ?? 0) +
    LONE_SECTIONS;
  if (!isSections || index.sections.length !== wanted) return 'another number of sections';
  return undefined;
}

function isTable(table: CheckpointIndex['profiles'], slotsASlab: number): boolean {
  if (!isObject(table) || !isWhole(table.slabs) || !isWhole(table.slotsUsed)) return false;
  return table.slotsUsed <= table.slabs * slotsASlab;
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isListOf(value: unknown, test: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(test);
}
