import { describe, expect, test } from 'vitest';
import { FollowedTopic } from '../../../connectors/logs/embedded/followed-topic.ts';
import { freshValues, valuesOf } from '../../../connectors/logs/embedded/fresh-values.ts';
import type { Topic } from '../../../connectors/logs/embedded/topics.ts';
import { Prng } from '../../support/prng.ts';

function aTopic(): Topic {
  return {
    name: 'in.0',
    id: 7,
    tail: 0,
    trimmedUpTo: 0,
    epoch: 0,
    bytes: 0,
    positions: new Map(),
    unflushed: [],
    movedWriters: new Set(),
  };
}

function append(topic: Topic, count: number): void {
  for (let i = 0; i < count; i++) topic.unflushed.push(Uint8Array.of(++topic.tail % 256, 1, 2));
}

/** As over a port. */
function tell(followed: FollowedTopic, topic: Topic, count: number | 'whole'): void {
  for (const [news, values] of valuesOf(freshValues([[topic, count]])))
    followed.onNews(news, values);
}

describe('a topic that is followed', () => {
  test('has each value until the tables have it, whatever is told when', () => {
    const prng = new Prng(3);
    const topic = aTopic();
    append(topic, 3);
    const followed = new FollowedTopic('in.0');
    tell(followed, topic, 'whole');
    for (let round = 0; round < 500; round++) {
      const count = prng.below(4);
      append(topic, count);
      const isFlushed = prng.chance(0.2);
      if (isFlushed) topic.unflushed = [];
      // A flush is not always told by itself: the next news tell of it.
      if (count > 0 || prng.chance(0.5)) tell(followed, topic, count);
      if (prng.chance(0.05)) tell(followed, topic, 'whole');
      for (let offset = followed.flushedUpTo + 1; offset <= followed.tail; offset++) {
        expect(followed.freshAt(offset)?.[0]).toBe(offset % 256);
      }
      expect(followed.freshAt(followed.flushedUpTo)).toBeUndefined();
      expect(followed.freshAt(followed.tail + 1)).toBeUndefined();
    }
    expect(followed.tail).toBe(topic.tail);
  });

  test('does not take news for its own that were meant for who followed it before', () => {
    const topic = aTopic();
    append(topic, 5);
    const followed = new FollowedTopic('in.0');
    tell(followed, topic, 2);
    expect(followed.tail).toBe(0);
    tell(followed, topic, 'whole');
    expect([1, 2, 3, 4, 5].map((offset) => followed.freshAt(offset)?.[0])).toEqual([1, 2, 3, 4, 5]);
  });
});
