import {
  type LogIdentity,
  type LogTables,
  type PositionRecord,
  readFence,
  STORED,
  type TopicRecord,
} from '../../connectors/logs/embedded/lmdb-schema.ts';
import type { Archive } from './archive.ts';
import type { Scheduler } from './scheduler.ts';
import type { DiskFaults } from './simulated-disk.ts';

interface StoredValue {
  readonly bytes: Buffer;
  /** Transaction that put it there. */
  readonly since: number;
}

/** Room of a thread's read buffer; what is read next lies in the same place. */
const SCRATCH_BYTES = 1024 * 1024;

/**
 * The tables of an embedded log as LMDB keeps them: transactions that are durable when they return,
 * or fail, and then nobody knows; readers that see the last transaction but one until they ask for
 * a new look. Outlives the processes.
 */
export class SimulatedLmdb {
  readonly #scheduler: Scheduler;
  readonly #faults: DiskFaults;
  readonly #archive: Archive;
  /** The disk is full before this instant. */
  fullUntilMs = 0;
  readonly #identity = new Map<string, string>();
  readonly #topics = new Map<string, string>();
  readonly #positions = new Map<string, string>();
  readonly #envelopes = new Map<string, StoredValue>();
  #version = 0;
  #undo: (() => void)[] | undefined;
  #put: { readonly key: Buffer; readonly value: Buffer }[] = [];

  constructor(scheduler: Scheduler, faults: DiskFaults, archive: Archive) {
    this.#scheduler = scheduler;
    this.#faults = faults;
    this.#archive = archive;
  }

  /** What a full disk says before it is asked to write. */
  readonly room = {
    has: () => {
      const { prng, nowMs, coverage } = this.#scheduler;
      const hasRoom = nowMs >= this.fullUntilMs && !prng.chance(this.#faults.failing);
      if (!hasRoom) coverage.met('embedded: no room');
      return hasRoom;
    },
    written: () => undefined,
  };

  /** As one thread opens them. */
  tables(): LogTables {
    const scratch = Buffer.alloc(SCRATCH_BYTES);
    let seenVersion = this.#version;
    let seenStep = -1;
    const look = () => {
      // A turn of the event loop has one look at the tables, unless it asks for another.
      if (this.#scheduler.steps !== seenStep && this.#scheduler.prng.chance(0.5)) {
        seenVersion = this.#version;
      }
      seenStep = this.#scheduler.steps;
    };
    const tables = {
      root: {
        transactionSync: <Result>(work: () => Result) => this.#transaction(work),
        resetReadTxn: () => {
          seenVersion = this.#version;
        },
        close: () => Promise.resolve(),
      },
      identity: this.#table<LogIdentity>(this.#identity),
      topics: this.#table<TopicRecord>(this.#topics),
      positions: {
        putSync: (key: Buffer, value: PositionRecord) =>
          this.#set(this.#positions, key.toString('hex'), JSON.stringify(value)),
        getRange: () =>
          [...this.#positions].sort(byKey).map(([key, value]) => ({
            key: Buffer.from(key, 'hex'),
            value: JSON.parse(value) as PositionRecord,
          })),
      },
      envelopes: {
        getBinaryFast: (key: Buffer) => {
          look();
          const stored = this.#envelopes.get(key.toString('hex'));
          if (stored === undefined || stored.since > seenVersion) return undefined;
          stored.bytes.copy(scratch);
          return scratch.subarray(0, stored.bytes.length);
        },
        putSync: (key: Buffer, value: Buffer) => {
          const stored = { bytes: Buffer.from(value), since: this.#version + 1 };
          this.#set(this.#envelopes, key.toString('hex'), stored);
          this.#put.push({ key: Buffer.from(key), value: stored.bytes });
        },
        removeSync: (key: Buffer) => this.#set(this.#envelopes, key.toString('hex'), undefined),
      },
    };
    return tables as unknown as LogTables;
  }

  /** As committed. */
  tailOf(topic: string): number {
    const record = this.#topics.get(topic);
    return record === undefined ? 0 : (JSON.parse(record) as TopicRecord).tail;
  }

  #table<Value>(map: Map<string, string>) {
    return {
      get: (key: string) => {
        const text = map.get(key);
        return text === undefined ? undefined : (JSON.parse(text) as Value);
      },
      putSync: (key: string, value: Value) => this.#set(map, key, JSON.stringify(value)),
      getRange: () =>
        [...map].sort(byKey).map(([key, value]) => ({ key, value: JSON.parse(value) as Value })),
    };
  }

  #set<Value>(map: Map<string, Value>, key: string, value: Value | undefined): void {
    const before = map.get(key);
    this.#undo?.push(() => {
      if (before === undefined) map.delete(key);
      else map.set(key, before);
    });
    if (value === undefined) map.delete(key);
    else map.set(key, value);
  }

  #transaction<Result>(work: () => Result): Result {
    const undo: (() => void)[] = [];
    this.#undo = undo;
    this.#put = [];
    const abort = () => {
      for (const take of undo.reverse()) take();
    };
    try {
      const result = work();
      this.#undo = undefined;
      this.#sync(abort);
      return result;
    } catch (error) {
      if (this.#undo !== undefined) abort();
      throw error;
    } finally {
      this.#undo = undefined;
    }
  }

  /** The moment at which a transaction becomes durable, or not. */
  #sync(abort: () => void): void {
    const { prng, nowMs, coverage } = this.#scheduler;
    if (nowMs < this.fullUntilMs || prng.chance(this.#faults.failing)) {
      abort();
      coverage.met('embedded: transaction refused');
      throw Object.assign(new Error('MDB_MAP_FULL: No space left on device'), { code: 'ENOSPC' });
    }
    if (prng.chance(this.#faults.failing / 4)) {
      // It failed, and yet it may stand there.
      if (prng.chance(0.5)) abort();
      else {
        this.#commit();
        coverage.met('embedded: transaction failed, yet stored');
      }
      throw Object.assign(new Error('Input/output error'), { code: 'EIO' });
    }
    this.#commit();
  }

  #commit(): void {
    this.#version++;
    for (const { key, value } of this.#put) {
      const id = key.readUInt32BE(0);
      const offset = key.readUInt32BE(4) * 2 ** 32 + key.readUInt32BE(8);
      const [name] = [...this.#topics].find(
        ([, text]) => (JSON.parse(text) as TopicRecord).id === id,
      )!;
      archiveValue(this.#archive, this.#scheduler, { topic: name, offset, value });
    }
    this.#put = [];
  }
}

/** A value is durable from now on, unless it was before: in the tables, or written ahead of them. */
export function archiveValue(
  archive: Archive,
  { steps: step, nowMs: atMs }: Scheduler,
  { topic, offset, value }: { topic: string; offset: number; value: Uint8Array },
): void {
  if (offset <= (archive.of(topic).at(-1)?.offset ?? 0)) return;
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const bytes = new Uint8Array(value.subarray(STORED.bytes));
  archive.add(topic, { offset, bytes, fence: readFence(view, 0), step, atMs });
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
