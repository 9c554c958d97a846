/**
 * How an embedded log lies in LMDB. Four tables in one environment, so that one transaction
 * covers them:
 *
 *   identity   'log' → JSON `LogIdentity`
 *   topics     name → JSON `TopicRecord`
 *   positions  topic id (u32), writer (u16) → JSON [epoch, offset, ordinal]
 *   envelopes  topic id (u32), offset (u64) → 32 bytes `STORED`, then the envelope
 *
 * Numbers in keys are big-endian, so that LMDB's order of bytes is their order. The bytes before
 * an envelope are a multiple of 8, which keeps it aligned in the buffer that a read fills.
 */
import { type Database, open, type RootDatabase } from 'lmdb';
import type { Fence, Offset } from '../../../engine/log/log.ts';
import { PRIVATE_FILE_MODE } from '../../../engine/log/private-modes.ts';
import type { FileUsage } from './disk-room.ts';

export const LOG_FORMAT_VERSION = 2;

export type Durability = 'disk' | 'process';

export interface LogIdentity {
  readonly formatVersion: number;
  readonly partitionCount: number;
  readonly id: string;
  /** Of the process that owns the folder, see folder-lock.ts. */
  readonly ownerToken: string;
  /** Undefined while nothing of the file that is written ahead of the tables is needed. */
  readonly ahead?: AheadNeeded | undefined;
}

/** What must be found in the file that is written ahead of the tables. */
export interface AheadNeeded {
  /** Its length. */
  readonly bytes: number;
  /** All frames from this one on; those before stand in the tables. */
  readonly from: number;
}

export interface TopicRecord {
  readonly id: number;
  /** The last offset given out; offsets of a topic are 1, 2, 3… without gaps. */
  tail: Offset;
  /** Everything up to here is forgotten. */
  trimmedUpTo: Offset;
  /** The highest epoch claimed, 0 when none was. */
  epoch: number;
  /** Bytes kept, headers included. */
  bytes: number;
}

export type PositionRecord = readonly [epoch: number, offset: number, ordinal: number];

export interface LogTables {
  readonly root: RootDatabase<unknown, string>;
  readonly identity: Database<LogIdentity, string>;
  readonly topics: Database<TopicRecord, string>;
  readonly positions: Database<PositionRecord, Buffer>;
  readonly envelopes: Database<Buffer, Buffer>;
}

/** Two that say by turns which commit is the last. */
const META_PAGES = 2;
/** Address space set aside, not disk space; LMDB grows it by itself should a log ever need more. */
const MAP_BYTES = 64 * 2 ** 30;

/** Of the files that LMDB makes; its types leave the option out. */
const PERMISSIONS: object = { permissionsMode: PRIVATE_FILE_MODE };

interface TreeStats {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

interface RootStats extends TreeStats {
  readonly pageSize: number;
  readonly lastPageNumber: number;
  readonly root: TreeStats;
  readonly free: TreeStats;
}

/** How the file is used by what was committed last. */
export function fileUsage({ root, ...tables }: LogTables): FileUsage {
  root.resetReadTxn();
  const { pageSize, lastPageNumber, root: names, free } = root.getStats() as RootStats;
  const trees = Object.values(tables).map((table) => table.getStats() as TreeStats);
  const pagesUsed = [names, free, ...trees].reduce((sum, tree) => {
    const { treeBranchPageCount, treeLeafPageCount, overflowPages } = tree;
    return sum + treeBranchPageCount + treeLeafPageCount + overflowPages;
  }, META_PAGES);
  const pages = lastPageNumber + 1;
  return { endBytes: pages * pageSize, freeBytes: (pages - pagesUsed) * pageSize };
}

/** Opens the tables in the calling thread; all threads of a process share one memory map. */
export function openTables(directory: string, durability: Durability): LogTables {
  const root = open<unknown, string>({
    path: directory,
    noSubdir: false,
    mapSize: process.arch.endsWith('64') ? MAP_BYTES : 2 ** 30,
    maxDbs: 4,
    maxReaders: 512,
    // With it a commit would return before the disk has it, and we would acknowledge too early.
    overlappingSync: false,
    noSync: durability === 'process',
    ...PERMISSIONS,
  });
  return {
    root,
    identity: root.openDB<LogIdentity, string>({ name: 'identity', encoding: 'json' }),
    topics: root.openDB<TopicRecord, string>({ name: 'topics', encoding: 'json' }),
    positions: root.openDB<PositionRecord, Buffer>({
      name: 'positions',
      encoding: 'json',
      keyEncoding: 'binary',
    }),
    envelopes: root.openDB<Buffer, Buffer>({
      name: 'envelopes',
      encoding: 'binary',
      keyEncoding: 'binary',
    }),
  };
}

/** What stands before an envelope's bytes. */
export const STORED = {
  storedAtMs: 0, // f64, Unix ms
  epoch: 8, // f64
  offset: 16, // f64, of the writer's position in its input
  ordinal: 24, // u32
  writer: 28, // u16
  isFenced: 30, // u16, 0 or 1
  bytes: 32,
} as const;

/** Up to the next multiple of 8, so that what follows is aligned. */
export function padded(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

export function readFence(view: DataView, at: number): Fence | undefined {
  if (view.getUint16(at + STORED.isFenced, true) === 0) return undefined;
  return {
    writer: view.getUint16(at + STORED.writer, true),
    position: {
      epoch: view.getFloat64(at + STORED.epoch, true),
      offset: view.getFloat64(at + STORED.offset, true),
      ordinal: view.getUint32(at + STORED.ordinal, true),
    },
  };
}

/** Everything but the time, which the storage thread adds. */
export function writeFence(view: DataView, at: number, fence: Fence): void {
  view.setFloat64(at + STORED.epoch, fence.position.epoch, true);
  view.setFloat64(at + STORED.offset, fence.position.offset, true);
  view.setUint32(at + STORED.ordinal, fence.position.ordinal, true);
  view.setUint16(at + STORED.writer, fence.writer, true);
  view.setUint16(at + STORED.isFenced, 1, true);
}

export const ENVELOPE_KEY_BYTES = 12;

/** Writes the key into `key`, which may be used again: LMDB copies it. */
export function envelopeKey(key: Buffer, topicId: number, offset: Offset): Buffer {
  key.writeUInt32BE(topicId, 0);
  key.writeUInt32BE(Math.floor(offset / 2 ** 32), 4);
  key.writeUInt32BE(offset % 2 ** 32, 8);
  return key;
}

export function positionKey(topicId: number, writer: number): Buffer {
  const key = Buffer.allocUnsafe(6);
  key.writeUInt32BE(topicId, 0);
  key.writeUInt16BE(writer, 4);
  return key;
}
