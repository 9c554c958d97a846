/** What the log contract says of readers. */
import { expect, test } from 'vitest';
import type { Log, LogReader } from '../../../engine/log/log.ts';
import { type Given, numbers } from './contract-given.ts';
import { bytesOf, readSome, texts } from './reading.ts';

export function reading(given: Given): void {
  test('read: starts in the middle, behind the offset given', async () => {
    const { log, freshTopic } = given();
    const topic = freshTopic();
    const offsets = await Promise.all(numbers(50).map((i) => log.append(topic, bytesOf(`${i}`))));
    const seen = await readSome(log, topic, offsets[29]!, 20);
    expect(texts(seen)).toEqual(numbers(20).map((i) => `${30 + i}`));
  });

  test('read: is woken once by an append, and only after it was told that there is none', async () => {
    const { log, freshTopic } = given();
    const topic = freshTopic();
    let wakes = 0;
    let onWake: () => void = () => undefined;
    const reader: LogReader = log.read(topic, 0, () => {
      wakes++;
      onWake();
    });
    for (const round of [1, 2, 3]) {
      const woken = new Promise<void>((resolve) => {
        onWake = resolve;
      });
      expect(reader.poll()).toBeUndefined();
      await log.append(topic, bytesOf(`${round}`));
      await woken;
      expect(wakes).toBe(round);
      expect(Buffer.from(reader.poll()!.bytes).toString()).toBe(`${round}`);
    }
    reader.close();
  });

  test('read: nothing is lost or doubled over thousands of envelopes, while they are appended', async () => {
    const { home, freshTopic } = given();
    const topic = freshTopic();
    const count = 5_000;
    const [writer, early, late] = [
      await home.connect(),
      await home.connect(),
      await home.connect(),
    ];
    const wanted = numbers(count).map((i) => `${i} ${'x'.repeat(i % 977)}`);
    const first = readSome(early, topic, 0, count);
    const halfway = Promise.all(
      wanted.slice(0, count / 2).map((text) => writer.append(topic, bytesOf(text))),
    );
    const second = halfway.then(() => readSome(late, topic, 0, count));
    await halfway;
    await Promise.all(wanted.slice(count / 2).map((text) => writer.append(topic, bytesOf(text))));
    expect(texts(await first)).toEqual(wanted);
    expect(texts(await second)).toEqual(wanted);
    await Promise.all([writer, early, late].map((log) => log.close()));
  });

  test('read: bytes stay as they are until the next poll of that reader, when others poll', async () => {
    const { log, freshTopic } = given();
    const topics = [freshTopic(), freshTopic()];
    for (const topic of topics) {
      for (const i of [0, 1]) await log.append(topic, bytesOf(`${topic} ${i}`));
      await readSome(log, topic, 0, 2);
    }
    const readers = await Promise.all(topics.map((topic) => startReader(log, topic)));
    for (const i of [0, 1]) {
      const envelopes = await Promise.all(readers.map((reader) => reader.next()));
      for (const [r, envelope] of envelopes.entries()) {
        expect(Buffer.from(envelope.bytes).toString()).toBe(`${topics[r]} ${i}`);
      }
    }
    for (const reader of readers) reader.close();
  });
}

/** A reader whose `next` waits; the envelope is not copied. */
async function startReader(log: Log, topic: string) {
  let wake: () => void = () => undefined;
  const reader = log.read(topic, 0, () => wake());
  return {
    close: () => reader.close(),
    async next() {
      for (;;) {
        const readable = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const envelope = reader.poll();
        if (envelope !== undefined) return envelope;
        await readable;
      }
    },
  };
}
