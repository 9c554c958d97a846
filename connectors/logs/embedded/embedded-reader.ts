/** Reads a topic straight from the memory map, up to the tail that the storage thread told. */
import { LapseError } from '../../../engine/errors.ts';
import type { LogReader, Offset, StoredEnvelope } from '../../../engine/log.ts';
import {
  ENVELOPE_KEY_BYTES,
  envelopeKey,
  type LogTables,
  readFence,
  STORED,
} from './lmdb-schema.ts';
import type { TopicTail } from './storage-protocol.ts';

/** What this thread knows of a topic that somebody in it reads. */
export class FollowedTopic {
  readonly name: string;
  readonly readers = new Set<EmbeddedReader>();
  topicId = 0;
  tail: Offset = 0;
  trimmedUpTo: Offset = 0;
  failure: LapseError | undefined;

  constructor(name: string) {
    this.name = name;
  }

  onTail(told: TopicTail): void {
    this.topicId = told.topicId;
    this.tail = told.tail;
    this.trimmedUpTo = Math.max(this.trimmedUpTo, told.trimmedUpTo);
    for (const reader of this.readers) reader.wake();
  }

  fail(error: LapseError): void {
    this.failure = error;
    for (const reader of this.readers) reader.wake();
  }
}

const key = Buffer.alloc(ENVELOPE_KEY_BYTES);

export class EmbeddedReader implements LogReader {
  readonly #tables: LogTables;
  readonly #topic: FollowedTopic;
  readonly #onReadable: () => void;
  readonly #onClose: () => void;
  #after: Offset;
  #isWaiting = false;
  /** Holds the envelope handed out last; grows to the largest one. */
  #buffer: Buffer = Buffer.alloc(0);

  constructor(options: {
    readonly tables: LogTables;
    readonly topic: FollowedTopic;
    readonly after: Offset;
    readonly onReadable: () => void;
    readonly onClose: () => void;
  }) {
    this.#tables = options.tables;
    this.#topic = options.topic;
    this.#after = options.after;
    this.#onReadable = options.onReadable;
    this.#onClose = options.onClose;
    this.#topic.readers.add(this);
  }

  poll(): StoredEnvelope | undefined {
    const topic = this.#topic;
    for (;;) {
      if (topic.failure !== undefined) throw topic.failure;
      const offset = Math.max(this.#after, topic.trimmedUpTo) + 1;
      if (offset > topic.tail) {
        this.#isWaiting = true;
        return undefined;
      }
      const value = this.#valueAt(offset);
      if (value !== undefined) {
        this.#after = offset;
        return this.#handOut(offset, value);
      }
      // Not there: trimmed since we were told of it, or the log has a hole.
      const trimmedUpTo = this.#tables.topics.get(topic.name)?.trimmedUpTo ?? 0;
      if (trimmedUpTo < offset) {
        throw new LapseError(
          'ERR_LOG_CORRUPT',
          `Offset ${offset} of '${topic.name}' must stand in the log, it is missing.`,
          { facts: { topic: topic.name, offset, tail: topic.tail, trimmedUpTo } },
        );
      }
      topic.trimmedUpTo = trimmedUpTo;
    }
  }

  wake(): void {
    const { tail, failure } = this.#topic;
    if (!this.#isWaiting || (failure === undefined && tail <= this.#after)) return;
    this.#isWaiting = false;
    this.#onReadable();
  }

  close(): void {
    if (!this.#topic.readers.delete(this)) return;
    this.#onClose();
  }

  #valueAt(offset: Offset): Buffer | undefined {
    const { envelopes, root } = this.#tables;
    const at = envelopeKey(key, this.#topic.topicId, offset);
    const value = envelopes.getBinaryFast(at);
    if (value !== undefined) return value;
    // This turn's snapshot may be older than the tail we were told of.
    root.resetReadTxn();
    return envelopes.getBinaryFast(at);
  }

  #handOut(offset: Offset, value: Buffer): StoredEnvelope {
    if (value.length > this.#buffer.length) {
      this.#buffer = Buffer.allocUnsafeSlow(
        Math.max(4096, 2 ** Math.ceil(Math.log2(value.length))),
      );
    }
    // lmdb-js reads all values of a thread into one buffer; another reader's poll would overwrite it.
    // Only `length` is set to the value's, the bytes behind are all of that buffer: hence a view.
    this.#buffer.set(new Uint8Array(value.buffer, value.byteOffset, value.length), 0);
    const { buffer } = this.#buffer;
    const view = new DataView(buffer, 0, STORED.bytes);
    const storedAtMs = view.getFloat64(STORED.storedAtMs, true);
    const bytes = new Uint8Array(buffer, STORED.bytes, value.length - STORED.bytes);
    const fence = readFence(view, 0);
    return fence === undefined
      ? { offset, storedAtMs, bytes }
      : { offset, storedAtMs, fence, bytes };
  }
}
