/**
 * The log as its one writer sees it. A commit is durable in the write-ahead file; the tables take
 * over in steps what has gathered there. What is remembered is always what the disk holds: after a
 * transaction that was refused it is read anew.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../engine/clock.ts';
import { externalError, LapseError, messageOf, userError } from '../../../engine/errors.ts';
import { judgeFence } from '../../../engine/fence.ts';
import type { Offset } from '../../../engine/log.ts';
import { LOG_FORMAT_VERSION, type LogTables, readFence, STORED } from './lmdb-schema.ts';
import { openStorageFolder, type StorageFolder } from './storage-folder.ts';
import {
  type AppendBatch,
  ENTRY,
  EntryKind,
  RESULT,
  ResultStatus,
  type StorageThreadData,
} from './storage-protocol.ts';
import { type Topic, Topics } from './topics.ts';
import { WriteAhead, writtenAhead } from './write-ahead.ts';
import type { WrittenEntry } from './write-ahead-frame.ts';
import {
  bytesWrittenFor,
  bytesWrittenForValue,
  OPENING_BYTES,
  TRIM_BYTES,
} from './written-bytes.ts';

/** A batch and the names of the topics that its client has sent so far. */
export interface PendingBatch {
  readonly batch: AppendBatch;
  readonly topics: readonly string[];
}

export interface Committed {
  /** One a batch. */
  readonly results: readonly Float64Array<ArrayBuffer>[];
  /** How many values each topic has got. */
  readonly touched: ReadonlyMap<Topic, number>;
}

/** Envelopes deleted in one transaction of a trim; a longer one would keep appends waiting. */
const TRIM_STEP = 2_000;
/** Of a half of what is written ahead of the tables. */
const AHEAD_BYTES = 4 * 2 ** 20;
/** A commit of a larger share of it goes to the tables at once: writing it twice does not pay. */
const AHEAD_SHARE_MAX = 1 / 4;
/** What a step of a flush writes: some ms, for which appends wait. */
const FLUSH_STEP_BYTES = 256 * 1024;
const FLUSH_STEP_TOPICS = 16;
const NO_ROOM = 'its disk gives no more room';

export class Storage {
  readonly id: string;
  readonly #tables: LogTables;
  readonly #options: StorageThreadData;
  readonly #clock: Clock;
  readonly #folder: StorageFolder;
  readonly #ahead: WriteAhead;
  readonly #aheadBytes: number;
  #topics: Topics;
  /** What a flush of all that the tables lack writes: of its values. */
  #unflushedBytes = 0;
  #unflushed = new Set<Topic>();
  /** What the half that is not written to may still hold unflushed values of. */
  #flushing = new Set<Topic>();

  /**
   * @param aheadBytes of each half of the file that is written ahead
   * @throws LapseError `ERR_LOG_VERSION`, `ERR_PARTITION_COUNT`, `ERR_LOG_FULL`, `ERR_LOG_CORRUPT`
   */
  constructor(
    options: StorageThreadData,
    clock: Clock,
    folder: StorageFolder = openStorageFolder(options.directory, options.durability),
    aheadBytes = AHEAD_BYTES,
  ) {
    this.#options = options;
    this.#clock = clock;
    this.#folder = folder;
    this.#tables = folder.tables;
    this.#aheadBytes = aheadBytes;
    this.#take(OPENING_BYTES);
    // First: from then on, whoever had the folder acknowledges nothing more.
    this.id = this.#identify();
    this.#topics = this.#recover();
    this.#take(bytesWrittenFor(this.#unflushedBytes, this.#unflushed.size));
    this.flush();
    this.#ahead = this.#beginAhead();
  }

  /** The topic as committed; known from its first append or question on. */
  topic(name: string): Topic {
    return this.#topics.get(name);
  }

  /** There is something that the tables do not have. */
  get isDirty(): boolean {
    return this.#unflushed.size > 0;
  }

  /**
   * Stores the batches in order, all of them or none; durable when it returns.
   * @throws LapseError `ERR_LOG_FULL` (nothing stored, retryable), `ERR_DATA_IN_USE`,
   *   `ERR_LOG_UNAVAILABLE`: the storage must not be used any more
   */
  commit(batches: readonly PendingBatch[]): Committed {
    this.#takeFor(batches);
    const touched = new Map<Topic, number>();
    const entries: WrittenEntry[] = [];
    let bytes = 0;
    const results = batches.map((pending) => this.#applyBatch(pending, touched, entries));
    for (const { value } of entries) bytes += value.length;
    if (bytes > this.#aheadBytes * AHEAD_SHARE_MAX) this.#flushTopics(touched.keys());
    else if (entries.length > 0) this.#writeAhead(entries);
    return { results, touched };
  }

  /**
   * Brings some of what was written ahead into the tables, of these topics.
   * @throws as `commit`
   */
  flushSome(): { readonly topics: readonly Topic[]; readonly hasMore: boolean } {
    if (this.#flushing.size === 0) this.#turnOver();
    const step: Topic[] = [];
    let bytes = 0;
    for (const topic of this.#flushing) {
      if (step.length === FLUSH_STEP_TOPICS || bytes > FLUSH_STEP_BYTES) break;
      for (const value of topic.unflushed) bytes += value.length;
      step.push(topic);
    }
    if (step.length > 0) this.#flushTopics(step);
    return { topics: step, hasMore: this.#flushing.size > 0 };
  }

  /**
   * Brings all that was written ahead into the tables.
   * @throws as `commit`
   */
  flush(): void {
    if (this.isDirty) this.#flushTopics([...this.#unflushed]);
  }

  /**
   * Forgets some of what stands up to `upTo`. Returns false when there is more to forget.
   * @throws as `commit`
   */
  trimSome(name: string, upTo: Offset): boolean {
    const topic = this.topic(name);
    const goal = Math.min(upTo, topic.tail);
    if (goal <= topic.trimmedUpTo) return true;
    if (topic.unflushed.length > 0) this.#flushTopics([topic]);
    this.#take(TRIM_BYTES);
    this.#transaction(() => {
      this.#topics.forget(topic, Math.min(goal, topic.trimmedUpTo + TRIM_STEP));
      this.#topics.put(topic);
    });
    // LMDB lends pages that a transaction freed to the next but one: a flush may need them all.
    this.#transaction(() => this.#topics.put(topic));
    return topic.trimmedUpTo >= goal;
  }

  /** @throws as `commit` */
  async close(): Promise<void> {
    try {
      this.flush();
    } catch (error) {
      // It is durable where it stands.
      if (!(error instanceof LapseError) || error.code !== 'ERR_LOG_FULL') throw error;
    }
    this.#ahead.close();
    await this.#tables.root.close();
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

  /** What the disk holds: the tables, and what was written ahead of them. */
  #recover(): Topics {
    this.#folder.room.written();
    const topics = new Topics(this.#tables);
    for (const entry of writtenAhead(this.#folder.writeAhead)) topics.recover(entry);
    this.#unflushed = new Set(topics.unflushed());
    // Both halves may hold some of it.
    this.#flushing = new Set(this.#unflushed);
    this.#unflushedBytes = 0;
    for (const { unflushed } of this.#unflushed) {
      for (const value of unflushed) this.#unflushedBytes += bytesWrittenForValue(value.length);
    }
    return topics;
  }

  #beginAhead(): WriteAhead {
    try {
      const ahead = new WriteAhead(this.#folder.writeAhead, this.#aheadBytes);
      this.#folder.sync();
      return ahead;
    } catch (error) {
      if (isOutOfSpace(error))
        throw fullError(`its disk has no ${2 * this.#aheadBytes} bytes left`);
      throw error;
    }
  }

  /** Makes sure that the tables have room for this many bytes, and for a trim. */
  #take(bytes: number): void {
    if (!this.#folder.room.has(bytes)) throw fullError(NO_ROOM);
  }

  #takeFor(batches: readonly PendingBatch[]): void {
    let bytes = this.#unflushedBytes;
    const topics = new Set<string>();
    for (const { batch, topics: names } of batches) {
      const { entries } = batch;
      for (let at = 0; at < entries.length; at += ENTRY.fields) {
        bytes += bytesWrittenForValue(entries[at + ENTRY.length]!);
        topics.add(names[entries[at + ENTRY.topic]!]!);
      }
    }
    this.#take(bytesWrittenFor(bytes, this.#unflushed.size + topics.size) + TRIM_BYTES);
  }

  #writeAhead(entries: readonly WrittenEntry[]): void {
    if (!this.#ahead.hasRoomFor(entries)) {
      // The other half must be free: the tables take over all of it, these values with it.
      if (this.#flushing.size > 0) {
        this.flush();
        return;
      }
      this.#turnOver();
    }
    try {
      this.#ahead.append(entries);
    } catch (error) {
      throw this.#unavailable(error);
    }
    // After the bytes are there: whoever takes the folder says so first and then reads them.
    this.#tables.root.resetReadTxn();
    this.#checkOwner();
  }

  /** What was written up to now is to be flushed; new frames go to the half that has been. */
  #turnOver(): void {
    this.#flushing = new Set(this.#unflushed);
    this.#ahead.turnOver();
  }

  #flushTopics(some: Iterable<Topic>): void {
    const topics = [...some];
    this.#transaction(() => {
      for (const topic of topics) this.#topics.put(topic);
    });
    for (const topic of topics) {
      for (const value of topic.unflushed) {
        this.#unflushedBytes -= bytesWrittenForValue(value.length);
      }
      this.#topics.flushed(topic);
      this.#unflushed.delete(topic);
      this.#flushing.delete(topic);
    }
  }

  #transaction<Result>(work: () => Result): Result {
    try {
      return this.#tables.root.transactionSync(() => {
        this.#checkOwner();
        return work();
      });
    } catch (error) {
      if (error instanceof LapseError) throw error;
      if (isOutOfSpace(error)) {
        this.#topics = this.#recover();
        throw fullError(messageOf(error));
      }
      throw this.#unavailable(error);
    } finally {
      this.#folder.room.written();
    }
  }

  #checkOwner(): void {
    const owner = this.#tables.identity.get('log')?.ownerToken;
    if (owner === this.#options.ownerToken) return;
    throw userError(
      'ERR_DATA_IN_USE',
      `The data folder must belong to one process at a time, '${this.#options.directory}' ` +
        'was taken over by another one.',
    );
  }

  #unavailable(error: unknown): LapseError {
    return externalError(
      'ERR_LOG_UNAVAILABLE',
      `The log in '${this.#options.directory}' must take writes, it failed: ${messageOf(error)}.`,
      { cause: error },
    );
  }

  #applyBatch(
    { batch, topics }: PendingBatch,
    touched: Map<Topic, number>,
    written: WrittenEntry[],
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
      view.setFloat64(start + STORED.storedAtMs, storedAtMs, true);
      const value = bytes.subarray(start, start + length);
      this.#topics.append(topic, value, epoch);
      this.#unflushed.add(topic);
      this.#unflushedBytes += bytesWrittenForValue(length);
      written.push({ topic: topic.name, topicId: topic.id, offset: topic.tail, epoch, value });
      touched.set(topic, (touched.get(topic) ?? 0) + 1);
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
    if (this.#topics.bytes + length > this.#options.bytesMax) {
      return { status: ResultStatus.full, value: 0 };
    }
    return { status: ResultStatus.stored, value: topic.tail + 1 };
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
