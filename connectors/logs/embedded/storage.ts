/**
 * The log as its one writer sees it. A commit is durable in the write-ahead file; the tables take
 * over in steps what has gathered there. What is remembered is always what the disk holds: after a
 * transaction that was refused it is read anew.
 */

import { externalError, LapseError, messageOf } from '../../../engine/errors/errors.ts';
import type { Offset } from '../../../engine/log/log.ts';
import type { Clock } from '../../../engine/time/clock.ts';
import { applyBatch, type PendingBatch } from './apply-batch.ts';
import type { AheadNeeded, LogTables } from './lmdb-schema.ts';
import { fullError, isOutOfSpace } from './log-full.ts';
import { aheadNeeded, checkOwner, noteAheadNeeded, takeLog } from './log-identity.ts';
import { openStorageFolder, type StorageFolder } from './storage-folder.ts';
import { ENTRY, type StorageThreadData } from './storage-protocol.ts';
import { type Topic, Topics } from './topics.ts';
import { WriteAhead, writtenAhead } from './write-ahead.ts';
import type { WrittenEntry } from './write-ahead-frame.ts';
import {
  bytesWrittenFor,
  bytesWrittenForValue,
  OPENING_BYTES,
  TRIM_BYTES,
} from './written-bytes.ts';

export interface Committed {
  /** One a batch. */
  readonly results: readonly Float64Array<ArrayBuffer>[];
  /** How many values each topic has got. */
  readonly counts: ReadonlyMap<Topic, number>;
}

/** Envelopes deleted in one transaction of a trim; a longer one would keep appends waiting. */
const TRIM_STEP = 2_000;
/** Of a half of what is written ahead of the tables. */
const AHEAD_BYTES = 4 * 2 ** 20;
/** A commit of a larger share of it goes to the tables at once: writing it twice does not pay. */
const AHEAD_SHARE_MAX = 1 / 4;
/** What a step of a flush writes at most, about: 2 to 4 ms, for which appends wait. */
const FLUSH_STEP_BYTES = 64 * 1024;
const FLUSH_STEP_TOPICS = 4;
const NO_TOPICS: ReadonlySet<Topic> = new Set();
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
  /** As the tables have it. */
  #needed: AheadNeeded | undefined;
  /** What the half that is not written to may still hold unflushed values of. */
  #flushing = new Set<Topic>();

  /**
   * @param aheadBytes of each half of the file that is written ahead
   * @throws LapseError `ERR_LOG_VERSION`, `ERR_PARTITION_COUNT`, `ERR_LOG_FULL`, `ERR_LOG_CORRUPT`,
   *   `ERR_DATA_IN_USE`, `ERR_LOG_UNAVAILABLE`
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
    this.#demandRoom(OPENING_BYTES);
    // First: from then on, whoever had the folder acknowledges nothing more.
    this.id = takeLog(this.#tables, this.#options);
    this.#topics = this.#recover();
    this.#demandRoom(bytesWrittenFor(this.#topics.unflushedBytes, this.#topics.unflushed.size));
    this.#putTopics(new Set(this.#topics.unflushed), undefined);
    this.#ahead = this.#beginAhead();
  }

  /** The topic as committed; known from its first append or question on. */
  topic(name: string): Topic {
    return this.#topics.get(name);
  }

  /** A half is full, and should be flushed before the other one is. */
  get mustFlush(): boolean {
    return this.#flushing.size > 0;
  }

  /** There is something that the tables do not have. */
  get isDirty(): boolean {
    return this.#topics.unflushed.size > 0;
  }

  /**
   * Stores the batches in order, all of them or none; durable when it returns.
   * @throws LapseError `ERR_LOG_FULL` (nothing stored, retryable), `ERR_DATA_IN_USE`,
   *   `ERR_LOG_UNAVAILABLE`: the storage must not be used any more
   */
  commit(batches: readonly PendingBatch[]): Committed {
    this.#demandRoomFor(batches);
    const given = { storedAtMs: this.#clock.now(), bytesMax: this.#options.bytesMax };
    const applied = batches.map((pending) => applyBatch(this.#topics, pending, given));
    const entries = applied.flatMap((one) => one.entries);
    const counts = new Map<Topic, number>();
    let bytes = 0;
    for (const { topic: name, value } of entries) {
      const topic = this.topic(name);
      counts.set(topic, (counts.get(topic) ?? 0) + 1);
      bytes += value.length;
    }
    if (bytes > this.#aheadBytes * AHEAD_SHARE_MAX) this.#flushTopics(counts.keys());
    else if (entries.length > 0) this.#writeAhead(entries);
    return { results: applied.map(({ results }) => results), counts };
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
    if (this.isDirty) this.#flushTopics(this.#topics.unflushed);
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
    this.#demandRoom(TRIM_BYTES);
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

  /** What the disk holds: the tables, and what was written ahead of them. */
  #recover(): Topics {
    this.#folder.room.written();
    const topics = new Topics(this.#tables);
    this.#needed = aheadNeeded(this.#tables);
    const written = writtenAhead(this.#folder.writeAhead, this.#needed);
    for (const entry of written) topics.recover(entry);
    // Both halves may hold some of it.
    this.#flushing = new Set(topics.unflushed);
    return topics;
  }

  /** The tables hold all. A new file in place of the one that the owner before may write to. */
  #beginAhead(): WriteAhead {
    // In a transaction: whoever takes the folder meanwhile must not lose the file that he begins.
    return this.#transaction(() => {
      const bytes = 2 * this.#aheadBytes;
      try {
        const ahead = new WriteAhead(this.#folder.writeAhead, this.#aheadBytes);
        this.#folder.sync();
        this.#needed = { bytes, from: ahead.halfFrom };
        noteAheadNeeded(this.#tables, this.#needed);
        return ahead;
      } catch (error) {
        if (!isOutOfSpace(error)) throw error;
        throw fullError(`the disk of '${this.#options.directory}' has no ${bytes} bytes left`);
      }
    });
  }

  /** Makes sure that the tables have room for this many bytes, and for a trim. */
  #demandRoom(bytes: number): void {
    if (!this.#folder.room.has(bytes)) throw fullError(NO_ROOM);
  }

  #demandRoomFor(batches: readonly PendingBatch[]): void {
    const { unflushed, unflushedBytes } = this.#topics;
    let bytes = unflushedBytes;
    const topics = new Set<string>();
    for (const { batch, topics: names } of batches) {
      const { entries } = batch;
      for (let at = 0; at < entries.length; at += ENTRY.fields) {
        bytes += bytesWrittenForValue(entries[at + ENTRY.length]!);
        topics.add(names[entries[at + ENTRY.topic]!]!);
      }
    }
    this.#demandRoom(bytesWrittenFor(bytes, unflushed.size + topics.size) + TRIM_BYTES);
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
    checkOwner(this.#tables, this.#options);
  }

  /** What was written up to now is to be flushed; new frames go to the half that has been. */
  #turnOver(): void {
    // Before it is written over: from then on it may look like anything.
    const needed = this.#neededAfter(NO_TOPICS);
    if (needed !== this.#needed) this.#putTopics(NO_TOPICS, needed);
    this.#flushing = new Set(this.#topics.unflushed);
    this.#ahead.turnOver();
  }

  /** What is needed of the file once these topics are flushed. */
  #neededAfter(topics: ReadonlySet<Topic>): AheadNeeded | undefined {
    const from = this.#ahead.halfFrom;
    if (this.#needed?.from === from) return this.#needed;
    for (const topic of this.#flushing) if (!topics.has(topic)) return this.#needed;
    return { bytes: 2 * this.#aheadBytes, from };
  }

  #flushTopics(some: Iterable<Topic>): void {
    const topics = new Set(some);
    this.#putTopics(topics, this.#neededAfter(topics));
  }

  #putTopics(topics: ReadonlySet<Topic>, needed: AheadNeeded | undefined): void {
    this.#transaction(() => {
      for (const topic of topics) this.#topics.put(topic);
      if (needed !== this.#needed) noteAheadNeeded(this.#tables, needed);
    });
    this.#needed = needed;
    for (const topic of topics) {
      this.#topics.flushed(topic);
      this.#flushing.delete(topic);
    }
  }

  #transaction<Result>(work: () => Result): Result {
    try {
      return this.#tables.root.transactionSync(() => {
        checkOwner(this.#tables, this.#options);
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

  #unavailable(error: unknown): LapseError {
    return externalError(
      'ERR_LOG_UNAVAILABLE',
      `The log in '${this.#options.directory}' must take writes, it failed: ${messageOf(error)}.`,
      { cause: error },
    );
  }
}
