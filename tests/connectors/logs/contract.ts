/** The log contract as tests: every home of the log passes the same ones. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Log, Offset } from '../../../engine/log/log.ts';
import { appending } from './contract-appending.ts';
import { fencing } from './contract-fencing.ts';
import { at, type LogHome, numbers } from './contract-given.ts';
import { reading } from './contract-reading.ts';
import { trimming } from './contract-trimming.ts';
import { bytesOf, readSome, texts } from './reading.ts';

export function describeLog(name: string, open: () => Promise<LogHome>): void {
  describe(name, () => {
    let home: LogHome;
    let log: Log;
    let topicCount = 0;
    /** A topic that no other test has written to. */
    const freshTopic = (kind = 'done') => `${kind}.test-${topicCount++}`;
    let partitionsUsed = 0;
    const freshPartition = () => partitionsUsed++;

    beforeAll(async () => {
      home = await open();
      log = await home.connect();
    });
    afterAll(async () => {
      await log?.close();
      await home?.stop();
    });

    appending(() => ({ log, home, freshTopic }));
    fencing(() => ({ log, home, freshTopic }));
    reading(() => ({ log, home, freshTopic }));
    trimming(() => ({ log, home, freshTopic }));

    test('claim: exactly one wins, when several claim one epoch at once', async () => {
      const partition = freshPartition();
      const rivals = await Promise.all(numbers(4).map(() => home.connect()));
      for (const epoch of [1, 2, 3]) {
        const claims = rivals.map((rival, i) => rival.claim(partition, epoch, bytesOf(`${i}`)));
        const settled = await Promise.allSettled(claims);
        const won = settled.filter(({ status }) => status === 'fulfilled');
        expect(won).toHaveLength(1);
        for (const result of settled) {
          if (result.status === 'rejected') {
            expect(result.reason).toMatchObject({ code: 'ERR_EPOCH_TAKEN' });
          }
        }
        expect(await log.epochOf(partition)).toBe(epoch);
      }
      await Promise.all(rivals.map((rival) => rival.close()));
    });

    test('claim: its offset is a position in the input, read with the rest', async () => {
      const partition = freshPartition();
      const topic = `in.${partition}`;
      expect(await log.epochOf(partition)).toBe(0);
      const before = await log.append(topic, bytesOf('before'));
      const claimed = await log.claim(partition, 1, bytesOf('claim'));
      const after = await log.append(topic, bytesOf('after'));
      const seen = await readSome(log, topic, 0, 3);
      expect(seen.map(({ offset }) => offset)).toEqual([before, claimed, after]);
      expect(texts(seen)).toEqual(['before', 'claim', 'after']);
    });

    test('claim: an epoch stays taken, when the topic was trimmed past it', async () => {
      const partition = freshPartition();
      await log.claim(partition, 1, bytesOf('one'));
      const offset = await log.claim(partition, 2, bytesOf('two'));
      await log.trim(`in.${partition}`, offset);
      expect(await log.epochOf(partition)).toBe(2);
      for (const epoch of [1, 2]) {
        const again = log.claim(partition, epoch, bytesOf('again'));
        await expect(again).rejects.toMatchObject({ code: 'ERR_EPOCH_TAKEN' });
      }
      await log.claim(partition, 3, bytesOf('three'));
      expect(await log.epochOf(partition)).toBe(3);
    });

    test('reopen: everything acknowledged is there, positions and epochs too', async () => {
      const partition = freshPartition();
      const plain = freshTopic();
      const lane = freshTopic('out');
      const offsets: (Offset | undefined)[] = [];
      for (const i of numbers(20)) offsets.push(await log.append(plain, bytesOf(`p${i}`)));
      await log.append(lane, bytesOf('f'), { writer: 7, position: at(3, 40, 2) });
      await log.claim(partition, 5, bytesOf('claim'));
      await log.close();
      await home.reopen();
      log = await home.connect();
      const seen = await readSome(log, plain, 0, 20);
      expect(seen.map(({ offset }) => offset)).toEqual(offsets);
      expect(texts(seen)).toEqual(numbers(20).map((i) => `p${i}`));
      expect(await log.tail(plain)).toBe(offsets.at(-1));
      expect(await log.positionOf(lane, 7)).toEqual(at(3, 40, 2));
      expect(await log.epochOf(partition)).toBe(5);
      const next = await log.append(plain, bytesOf('next'));
      expect(next).toBeGreaterThan(offsets.at(-1)!);
    });
  });
}
