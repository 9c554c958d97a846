/** Tells a client of what is new in the topics that it follows, the values with it. */
import { padded } from './lmdb-schema.ts';
import type { FreshValues, TopicNews } from './storage-protocol.ts';
import { flushedUpTo, type Topic } from './topics.ts';

/**
 * @param counts by topic: how many values it has got since the last news; 'whole' for a client
 *   that knows nothing of it yet
 */
export function freshValues(counts: Iterable<readonly [Topic, number | 'whole']>): FreshValues {
  const topics: TopicNews[] = [];
  const values: Uint8Array[] = [];
  let length = 0;
  for (const [topic, count] of counts) {
    const { name, id, tail, trimmedUpTo, unflushed } = topic;
    const isWhole = count === 'whole';
    const fresh = isWhole ? unflushed : unflushed.slice(Math.max(0, unflushed.length - count));
    topics.push({
      topic: name,
      topicId: id,
      tail,
      trimmedUpTo,
      flushedUpTo: flushedUpTo(topic),
      lengths: fresh.map((value) => value.length),
      isWhole,
    });
    for (const value of fresh) {
      values.push(value);
      length += padded(value.length);
    }
  }
  // Not of a pool: its buffer goes over to the client.
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const value of values) {
    bytes.set(value, at);
    at += padded(value.length);
  }
  return { kind: 'readable', topics, bytes };
}

/** The values of each topic, in the order of `topics`. */
export function* valuesOf({
  topics,
  bytes,
}: FreshValues): Generator<readonly [TopicNews, Uint8Array[]]> {
  let at = 0;
  for (const news of topics) {
    const values = news.lengths.map((length) => {
      const value = bytes.subarray(at, at + length);
      at += padded(length);
      return value;
    });
    yield [news, values];
  }
}
