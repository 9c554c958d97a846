/** What the log contract says of appends. */
import { expect, test } from 'vitest';
import { type Given, numbers } from './contract-given.ts';
import { bytesOf, readSome, texts } from './reading.ts';

export function appending(given: Given): void {
  test('append: offsets grow and order is that of the calls', async () => {
    const { log, freshTopic } = given();
    const topic = freshTopic();
    const wanted = numbers(300).map((i) => `envelope ${i}`);
    const offsets = await Promise.all(wanted.map((text) => log.append(topic, bytesOf(text))));
    for (let i = 1; i < offsets.length; i++) {
      expect(offsets[i]).toBeGreaterThan(offsets[i - 1]!);
    }
    const seen = await readSome(log, topic, 0, wanted.length);
    expect(texts(seen)).toEqual(wanted);
    expect(seen.map(({ offset }) => offset)).toEqual(offsets);
    expect(await log.tail(topic)).toBe(offsets.at(-1));
    expect(await log.head(topic)).toBe(offsets[0]);
  });

  test('append: the bytes are copied, when the caller uses its buffer again', async () => {
    const { log, freshTopic } = given();
    const topic = freshTopic();
    const buffer = new Uint8Array(8);
    const stored = numbers(10).map((i) => {
      buffer.fill(65 + i);
      return log.append(topic, buffer);
    });
    await Promise.all(stored);
    const wanted = numbers(10).map((i) => String.fromCharCode(65 + i).repeat(8));
    expect(texts(await readSome(log, topic, 0, 10))).toEqual(wanted);
  });

  test('append: large envelopes come back whole', async () => {
    const { log, freshTopic } = given();
    const topic = freshTopic();
    const lengths = [300 * 1024, 1, 4096, 299_999];
    for (const [i, length] of lengths.entries()) {
      await log.append(topic, bytesOf(String(i).repeat(length)));
    }
    const seen = await readSome(log, topic, 0, lengths.length);
    expect(texts(seen).map((text) => text.length)).toEqual(lengths);
    for (const [i, { text }] of seen.entries()) expect(new Set(text)).toEqual(new Set([`${i}`]));
  });

  test('append: many topics keep apart, and names may hold any character', async () => {
    const { log, freshTopic } = given();
    const odd = ['a.b', 'a*b', '>', 'ü ñ', 'a/b', '=', 'r', 'own'];
    const topics = [
      ...odd.map((text) => `${freshTopic('out')}-${text}`),
      ...numbers(40).map(() => freshTopic()),
      'rejected',
    ];
    await Promise.all(
      topics.flatMap((topic) => [0, 1].map((i) => log.append(topic, bytesOf(topic + i)))),
    );
    for (const topic of topics) {
      expect(texts(await readSome(log, topic, 0, 2))).toEqual([`${topic}0`, `${topic}1`]);
    }
  });

  test('tail and head: are 0, when nothing was ever appended', async () => {
    const { log, freshTopic } = given();
    const topic = freshTopic();
    expect(await log.tail(topic)).toBe(0);
    expect(await log.head(topic)).toBe(0);
    expect(await log.positionOf(topic, 1)).toBeUndefined();
  });
}
