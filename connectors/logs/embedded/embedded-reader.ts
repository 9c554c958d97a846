/**
 * Reads a topic up to the tail that the storage thread told: what the tables hold straight from the
 * memory map, and what they do not have yet from the news of it.
 */
import { LapseError } from '../../../engine/errors/errors.ts';
import type { LogReader, Offset, StoredEnvelope } from '../../../engine/log/log.ts';
import type { FollowedTopic } from './followed-topic.ts';
import {
  ENVELOPE_KEY_BYTES,
  envelopeKey,
  type LogTables,
  readFence,
  STORED,
} from './lmdb-schema.ts';

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
    this.#topic.followers.add(this);
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
      const value = topic.freshAt(offset) ?? this.#valueAt(offset);
      if (value !== undefined) {
        this.#after = offset;
        return envelopeOf(offset, value);
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
    if (!this.#topic.followers.delete(this)) return;
    this.#onClose();
  }

  #valueAt(offset: Offset): Uint8Array | undefined {
    const { envelopes, root } = this.#tables;
    const at = envelopeKey(key, this.#topic.topicId, offset);
    const value = envelopes.getBinaryFast(at);
    if (value !== undefined) return this.#copied(value);
    // This turn's snapshot may be older than the tail we were told of.
    root.resetReadTxn();
    const later = envelopes.getBinaryFast(at);
    return later === undefined ? undefined : this.#copied(later);
  }

  #copied(value: Buffer): Uint8Array {
    if (value.length > this.#buffer.length) {
      this.#buffer = Buffer.allocUnsafeSlow(
        Math.max(4096, 2 ** Math.ceil(Math.log2(value.length))),
      );
    }
    // lmdb-js reads all values of a thread into one buffer; another reader's poll would overwrite it.
    // Only `length` is set to the value's, the bytes behind are all of that buffer: hence a view.
    this.#buffer.set(new Uint8Array(value.buffer, value.byteOffset, value.length), 0);
    return this.#buffer.subarray(0, value.length);
  }
}

function envelopeOf(offset: Offset, value: Uint8Array): StoredEnvelope {
  const view = new DataView(value.buffer, value.byteOffset, STORED.bytes);
  const storedAtMs = view.getFloat64(STORED.storedAtMs, true);
  const bytes = value.subarray(STORED.bytes);
  const fence = readFence(view, 0);
  return fence === undefined ? { offset, storedAtMs, bytes } : { offset, storedAtMs, fence, bytes };
}
