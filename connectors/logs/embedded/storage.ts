/**
 * The log in LMDB as its one writer sees it. Applies batches in one transaction; what it remembers
 * of topics and positions is what the last commit left, and is read anew after one that failed.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../engine/clock.ts';
import { externalError, LapseError, messageOf, userError } from '../../../engine/errors.ts';
import { judgeFence } from '../../../engine/fence.ts';
import { BEGINNING, type Offset, type WriterPosition } from '../../../engine/log.ts';
import {
  ENVELOPE_KEY_BYTES,
  envelopeKey,
  LOG_FORMAT_VERSION,
  type LogTables,
  positionKey,
  readFence,
  STORED,
  type TopicRecord,
} from './lmdb-schema.ts';
import { openStorageFolder, type StorageFolder } from './storage-folder.ts';
import {
  type AppendBatch,
  ENTRY,
  EntryKind,
  RESULT,
  ResultStatus,
  type StorageThreadData,
} from './storage-protocol.ts';
import { bytesWrittenFor, OPENING_BYTES, TRIM_BYTES } from './written-bytes.ts';

/** A batch and the names of the topics that its client has sent so far. */
export interface PendingBatch {
  readonly batch: AppendBatch;
  readonly topics: readonly string[];
}

export interface Topic extends TopicRecord {
  readonly name: string;
  readonly positions: Map<number, WriterPosition>;
}

export interface Committed {
  readonly results: readonly Float64Array<ArrayBuffer>[];
  readonly touched: ReadonlySet<Topic>;
}

/** Envelopes deleted in one transaction of a trim; a longer one would keep appends waiting. */
const TRIM_STEP = 2_000;
const NO_ROOM = 'its disk gives no more room';

export class Storage {
  readonly id: string;
  readonly #tables: LogTables;
  readonly #options: StorageThreadData;
  readonly #clock: Clock;
  readonly #key = Buffer.alloc(ENVELOPE_KEY_BYTES);
  readonly #room: StorageFolder['room'];
  #topics = new Map<string, Topic>();
  #topicCount = 0;
  #bytes = 0;

  /** @throws LapseError `ERR_LOG_VERSION`, `ERR_PARTITION_COUNT`, `ERR_LOG_FULL` */
  constructor(
    options: StorageThreadData,
    clock: Clock,
    folder: StorageFolder = openStorageFolder(options.directory, options.durability),
  ) {
    this.#options = options;
    this.#clock = clock;
    this.#room = folder.room;
    this.#tables = folder.tables;
    if (!this.#room.take(OPENING_BYTES, 0)) throw fullError(NO_ROOM);
    this.id = this.#identify();
    this.#load();
    folder.sync();
  }

  /** The topic as committed; known from its first append or question on. */
  topic(name: string): Topic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = {
        name,
        id: this.#topicCount++,
        tail: BEGINNING,
        trimmedUpTo: BEGINNING,
        epoch: 0,
        bytes: 0,
        positions: new Map(),
      };
      this.#topics.set(name, topic);
    }
    return topic;
  }

  /**
   * Stores the batches in order, all in one transaction; durable when it returns.
   * @throws LapseError `ERR_LOG_FULL` (nothing stored, retryable), `ERR_DATA_IN_USE`,
   *   `ERR_LOG_UNAVAILABLE`: the storage must not be used any more
   */
  commit(batches: readonly PendingBatch[]): Committed {
    if (!this.#room.take(bytesWrittenFor(batches), TRIM_BYTES)) throw fullError(NO_ROOM);
    const touched = new Set<Topic>();
    const moved = new Map<Topic, Set<number>>();
    const results = this.#transaction(() => {
      const all = batches.map((pending) => this.#applyBatch(pending, touched, moved));
      this.#writeTopics(touched, moved);
      return all;
    });
    return { results, touched };
  }

  /**
   * Forgets some of what stands up to `upTo`. Returns false when there is more to forget.
   * @throws as `commit`
   */
  trimSome(name: string, upTo: Offset): boolean {
    const topic = this.topic(name);
    const goal = Math.min(upTo, topic.tail);
    if (goal <= topic.trimmedUpTo) return true;
    if (!this.#room.take(TRIM_BYTES, 0)) throw fullError(NO_ROOM);
    this.#transaction(() => this.#forget(topic, Math.min(goal, topic.trimmedUpTo + TRIM_STEP)));
    return topic.trimmedUpTo >= goal;
  }

  close(): Promise<void> {
    return this.#tables.root.close();
  }

  #forget(topic: Topic, upTo: Offset): void {
    let bytes = 0;
    for (let offset = topic.trimmedUpTo + 1; offset <= upTo; offset++) {
      const key = envelopeKey(this.#key, topic.id, offset);
      bytes += this.#tables.envelopes.getBinaryFast(key)?.length ?? 0;
      this.#tables.envelopes.removeSync(key);
    }
    topic.trimmedUpTo = upTo;
    topic.bytes -= bytes;
    this.#bytes -= bytes;
    this.#writeTopics(new Set([topic]), new Map());
  }

  #identify(): string {
    const { partitionCount, ownerToken, directory } = this.#options;
    const stored = this.#tables.identity.get('log');
    if (stored !== undefined && stored.formatVersion !== LOG_FORMAT_VERSION) {
      throw userError(
        'ERR_LOG_VERSION',
        `The log in '${directory}' must be of format ${LOG_FORMAT_VERSION}, it is of format ` +
          `${stored.formatVersion}: another version of Lapse wrote it.`,
        { directory, formatVersion: stored.formatVersion },
      );
    }
    if (stored !== undefined && stored.partitionCount !== partitionCount) {
      throw userError(
        'ERR_PARTITION_COUNT',
        `The log in '${directory}' has ${stored.partitionCount} partitions for good, ` +
          `it cannot be opened with ${partitionCount}.`,
        { directory, stored: stored.partitionCount, wanted: partitionCount },
      );
    }
    const id = stored?.id ?? randomUUID();
    this.#tables.identity.putSync('log', {
      formatVersion: LOG_FORMAT_VERSION,
      partitionCount,
      id,
      ownerToken,
    });
    return id;
  }

  #load(): void {
    this.#tables.root.resetReadTxn();
    this.#topics = new Map();
    this.#topicCount = 0;
    this.#bytes = 0;
    const byId: Topic[] = [];
    for (const { key, value } of this.#tables.topics.getRange({})) {
      const topic: Topic = { ...value, name: key, positions: new Map() };
      this.#topics.set(key, topic);
      byId[topic.id] = topic;
      this.#topicCount = Math.max(this.#topicCount, topic.id + 1);
      this.#bytes += topic.bytes;
    }
    for (const { key, value } of this.#tables.positions.getRange({})) {
      const [epoch, offset, ordinal] = value;
      byId[key.readUInt32BE(0)]?.positions.set(key.readUInt16BE(4), { epoch, offset, ordinal });
    }
  }

  #transaction<Result>(work: () => Result): Result {
    try {
      return this.#tables.root.transactionSync(() => {
        const owner = this.#tables.identity.get('log')?.ownerToken;
        if (owner !== this.#options.ownerToken) {
          throw userError(
            'ERR_DATA_IN_USE',
            `The data folder must belong to one process at a time, '${this.#options.directory}' ` +
              'was taken over by another one.',
          );
        }
        return work();
      });
    } catch (error) {
      if (error instanceof LapseError) throw error;
      if (isOutOfSpace(error)) {
        this.#load();
        throw fullError(messageOf(error));
      }
      throw externalError(
        'ERR_LOG_UNAVAILABLE',
        `The log in '${this.#options.directory}' must take writes, it failed: ${messageOf(error)}.`,
        { cause: error },
      );
    }
  }

  #applyBatch(
    { batch, topics }: PendingBatch,
    touched: Set<Topic>,
    moved: Map<Topic, Set<number>>,
  ): Float64Array<ArrayBuffer> {
    const { entries, bytes } = batch;
    const count = entries.length / ENTRY.fields;
    const results = new Float64Array(count * RESULT.fields);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const storedAtMs = this.#clock.now();
    for (let i = 0; i < count; i++) {
      const at = i * ENTRY.fields;
      const topic = this.topic(topics[entries[at + ENTRY.topic]!]!);
      const start = entries[at + ENTRY.start]!;
      const length = entries[at + ENTRY.length]!;
      const isClaim = entries[at + ENTRY.kind] === EntryKind.claim;
      const epoch = isClaim ? entries[at + ENTRY.epoch]! : 0;
      const verdict = this.#judge(topic, view, start, length, epoch);
      results[i * RESULT.fields + RESULT.status] = verdict.status;
      results[i * RESULT.fields + RESULT.value] = verdict.value;
      if (verdict.status !== ResultStatus.stored) continue;
      if (isClaim) topic.epoch = epoch;
      const fence = readFence(view, start);
      if (fence !== undefined) {
        topic.positions.set(fence.writer, fence.position);
        const writers = moved.get(topic);
        if (writers === undefined) moved.set(topic, new Set([fence.writer]));
        else writers.add(fence.writer);
      }
      view.setFloat64(start + STORED.storedAtMs, storedAtMs, true);
      this.#tables.envelopes.putSync(
        envelopeKey(this.#key, topic.id, ++topic.tail),
        Buffer.from(bytes.buffer, bytes.byteOffset + start, length),
      );
      topic.bytes += length;
      this.#bytes += length;
      touched.add(topic);
    }
    return results;
  }

  /** @param epoch of a claim, 0 of an append */
  #judge(topic: Topic, view: DataView, start: number, length: number, epoch: number) {
    if (epoch > 0 && epoch <= topic.epoch) {
      return { status: ResultStatus.taken, value: topic.epoch };
    }
    const fence = readFence(view, start);
    if (fence !== undefined) {
      const stored = topic.positions.get(fence.writer);
      const verdict = judgeFence(stored, { position: fence.position });
      if (verdict === 'fenced') {
        return { status: ResultStatus.fenced, value: stored?.epoch ?? 0 };
      }
      if (verdict === 'replay') return { status: ResultStatus.replay, value: 0 };
    }
    if (this.#bytes + length > this.#options.bytesMax) {
      return { status: ResultStatus.full, value: 0 };
    }
    return { status: ResultStatus.stored, value: topic.tail + 1 };
  }

  #writeTopics(touched: ReadonlySet<Topic>, moved: ReadonlyMap<Topic, Set<number>>): void {
    for (const { name, id, tail, trimmedUpTo, epoch, bytes } of touched) {
      this.#tables.topics.putSync(name, { id, tail, trimmedUpTo, epoch, bytes });
    }
    for (const [topic, writers] of moved) {
      for (const writer of writers) {
        const { epoch, offset, ordinal } = topic.positions.get(writer)!;
        const key = positionKey(topic.id, writer);
        this.#tables.positions.putSync(key, [epoch, offset, ordinal]);
      }
    }
  }
}

/** The log has no room: by its own limit, or because the disk is full. */
export function fullError(reason: string): LapseError {
  return new LapseError(
    'ERR_LOG_FULL',
    `The log must have room to append, it is full: ${reason}.`,
    {
      domain: 'external',
      retryable: true,
    },
  );
}

function isOutOfSpace(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  if (code === 'ENOSPC' || code === 'EFBIG' || code === 28 || code === -30792) return true;
  return /no space left|map full|MDB_MAP_FULL|disk quota|file too large/i.test(messageOf(error));
}
