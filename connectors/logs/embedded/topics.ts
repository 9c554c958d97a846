/**
 * What the one writer of an embedded log remembers of its topics: what the tables hold, and on top
 * of it what has been written ahead of them.
 */
import { userError } from '../../../engine/errors/errors.ts';
import { BEGINNING, type WriterPosition } from '../../../engine/log/log.ts';
import {
  ENVELOPE_KEY_BYTES,
  envelopeKey,
  type LogTables,
  positionKey,
  readFence,
  type TopicRecord,
} from './lmdb-schema.ts';
import type { WrittenEntry } from './write-ahead-frame.ts';
import { bytesWrittenForValue } from './written-bytes.ts';

export interface Topic extends TopicRecord {
  readonly name: string;
  readonly positions: Map<number, WriterPosition>;
  /** The values at its end that do not stand in the tables yet. */
  unflushed: Uint8Array[];
  /** Writers whose positions in the tables are older. */
  readonly movedWriters: Set<number>;
}

/** Up to here its values stand in the tables. */
export function flushedUpTo({ tail, unflushed }: Topic): number {
  return tail - unflushed.length;
}

export class Topics {
  readonly #tables: LogTables;
  readonly #key = Buffer.alloc(ENVELOPE_KEY_BYTES);
  readonly #byName = new Map<string, Topic>();
  readonly #unflushed = new Set<Topic>();
  #count = 0;
  /** Of all values kept. */
  bytes = 0;
  /** What LMDB writes of the values that the tables do not have yet, see `written-bytes.ts`. */
  unflushedBytes = 0;

  /** As the tables have it. */
  constructor(tables: LogTables) {
    this.#tables = tables;
    tables.root.resetReadTxn();
    const byId: Topic[] = [];
    for (const { key: name, value: record } of tables.topics.getRange({})) {
      const topic = this.#add(name, record);
      byId[topic.id] = topic;
      this.bytes += topic.bytes;
    }
    for (const { key, value } of tables.positions.getRange({})) {
      const [epoch, offset, ordinal] = value;
      byId[key.readUInt32BE(0)]?.positions.set(key.readUInt16BE(4), { epoch, offset, ordinal });
    }
  }

  /** The topic by its name; a new one gets the next number. */
  get(name: string): Topic {
    return this.#byName.get(name) ?? this.#create(name, this.#count);
  }

  /** Those with values that the tables do not have yet. */
  get unflushed(): ReadonlySet<Topic> {
    return this.#unflushed;
  }

  /** Puts a value to the end of its topic. */
  append(topic: Topic, value: Uint8Array, epoch: number): void {
    topic.tail++;
    if (epoch > 0) topic.epoch = epoch;
    const fence = readFence(new DataView(value.buffer, value.byteOffset, value.length), 0);
    if (fence !== undefined) {
      topic.positions.set(fence.writer, fence.position);
      topic.movedWriters.add(fence.writer);
    }
    topic.unflushed.push(value);
    this.#unflushed.add(topic);
    this.unflushedBytes += bytesWrittenForValue(value.length);
    topic.bytes += value.length;
    this.bytes += value.length;
  }

  /**
   * Takes over what was written ahead, unless the tables have it.
   * @throws LapseError `ERR_LOG_CORRUPT`
   */
  recover({ topic: name, topicId, offset, epoch, value }: WrittenEntry): void {
    const topic = this.#byName.get(name) ?? this.#create(name, topicId);
    if (offset <= topic.tail) return;
    if (offset > topic.tail + 1) {
      throw userError(
        'ERR_LOG_CORRUPT',
        `Offset ${topic.tail + 1} of '${name}' must stand in the log, it is missing: its data folder ` +
          'has to come from a copy.',
        { topic: name, offset, tail: topic.tail },
      );
    }
    this.append(topic, value, epoch);
  }

  /** Writes to the tables what they do not have yet; inside a transaction. */
  put(topic: Topic): void {
    const { id, name, tail, trimmedUpTo, epoch, bytes, unflushed } = topic;
    for (const [i, value] of unflushed.entries()) {
      const key = envelopeKey(this.#key, id, flushedUpTo(topic) + 1 + i);
      this.#tables.envelopes.putSync(
        key,
        Buffer.from(value.buffer, value.byteOffset, value.length),
      );
    }
    this.#tables.topics.putSync(name, { id, tail, trimmedUpTo, epoch, bytes });
    for (const writer of topic.movedWriters) {
      const position = topic.positions.get(writer)!;
      const record = [position.epoch, position.offset, position.ordinal] as const;
      this.#tables.positions.putSync(positionKey(id, writer), record);
    }
  }

  /** What was put is durable. */
  flushed(topic: Topic): void {
    for (const { length } of topic.unflushed) this.unflushedBytes -= bytesWrittenForValue(length);
    this.#unflushed.delete(topic);
    topic.unflushed = [];
    topic.movedWriters.clear();
  }

  /** Takes values that stand in the tables out of them; inside a transaction. */
  forget(topic: Topic, upTo: number): void {
    let bytes = 0;
    for (let offset = topic.trimmedUpTo + 1; offset <= upTo; offset++) {
      const key = envelopeKey(this.#key, topic.id, offset);
      bytes += this.#tables.envelopes.getBinaryFast(key)?.length ?? 0;
      this.#tables.envelopes.removeSync(key);
    }
    topic.trimmedUpTo = upTo;
    topic.bytes -= bytes;
    this.bytes -= bytes;
  }

  #create(name: string, id: number): Topic {
    return this.#add(name, { id, tail: BEGINNING, trimmedUpTo: BEGINNING, epoch: 0, bytes: 0 });
  }

  #add(name: string, record: TopicRecord): Topic {
    const topic: Topic = {
      ...record,
      name,
      positions: new Map(),
      unflushed: [],
      movedWriters: new Set(),
    };
    this.#byName.set(name, topic);
    this.#count = Math.max(this.#count, topic.id + 1);
    return topic;
  }
}
