import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { AppendQueue } from '../../../connectors/logs/embedded/append-queue.ts';
import {
  type AppendBatch,
  ENTRY,
  RESULT,
  ResultStatus,
} from '../../../connectors/logs/embedded/storage-protocol.ts';
import { LapseError } from '../../../engine/errors/errors.ts';
import { bytesOf } from './reading.ts';

const MIB = 2 ** 20;

function countOf(batch: AppendBatch): number {
  return batch.entries.length / ENTRY.fields;
}

/** Answers a batch as a storage that stores everything, from `firstOffset` on. */
function stored(batch: AppendBatch, firstOffset: number): Float64Array {
  const results = new Float64Array(countOf(batch) * RESULT.fields);
  for (let i = 0; i < countOf(batch); i++) {
    results[i * RESULT.fields + RESULT.status] = ResultStatus.stored;
    results[i * RESULT.fields + RESULT.value] = firstOffset + i;
  }
  return results;
}

test('append queue: the appends of one turn go in one message, each topic named once', async () => {
  const sent: AppendBatch[] = [];
  const queue = new AppendQueue((batch) => sent.push(batch));
  const first = ['a', 'b', 'a'].map((topic) => queue.add({ topic, bytes: bytesOf(topic) }));
  expect(sent).toHaveLength(0);
  await turn();
  const second = queue.add({ topic: 'b', bytes: bytesOf('b') });
  await turn();
  expect(sent.map(countOf)).toEqual([3, 1]);
  expect(sent.map(({ newTopics }) => newTopics)).toEqual([['a', 'b'], []]);
  queue.onResults(stored(sent[0]!, 1));
  expect(await Promise.all(first)).toEqual([1, 2, 3]);
  queue.onResults(stored(sent[1]!, 4));
  expect(await second).toBe(4);
  await queue.idle();
});

test('append queue: sends no more than a window unanswered, and refuses beyond its ceiling', async () => {
  const sent: AppendBatch[] = [];
  const queue = new AppendQueue((batch) => sent.push(batch));
  const bytes = new Uint8Array(MIB);
  const settled: Promise<number | string | undefined>[] = [];
  const count = 200;
  for (let i = 0; i < count; i++) {
    const codeOf = (error: LapseError) => error.code;
    settled.push(queue.add({ topic: 't', bytes }).catch(codeOf));
  }
  await turn();
  const sentBytes = () => sent.reduce((sum, batch) => sum + batch.bytes.length, 0);
  const window = sentBytes();
  expect(window).toBeGreaterThanOrEqual(16 * MIB);
  expect(window).toBeLessThan(24 * MIB);
  let offset = 1;
  for (let answered = 0; answered < sent.length; answered++) {
    const batch = sent[answered]!;
    queue.onResults(stored(batch, offset));
    offset += countOf(batch);
  }
  const results = await Promise.all(settled);
  const accepted = offset - 1;
  expect(accepted).toBeLessThan(count);
  expect(results.slice(0, accepted)).toEqual(Array.from({ length: accepted }, (_, i) => i + 1));
  expect(new Set(results.slice(accepted))).toEqual(new Set(['ERR_LOG_UNAVAILABLE']));
});

test('append queue: everything in flight is rejected, when the storage has failed', async () => {
  const queue = new AppendQueue(() => undefined);
  const sent = queue.add({ topic: 't', bytes: bytesOf('sent') });
  await turn();
  const waiting = queue.add({ topic: 't', bytes: bytesOf('waiting') });
  const failure = new LapseError('ERR_LOG_UNAVAILABLE', 'The storage must run, it does not.');
  queue.fail(failure);
  await expect(sent).rejects.toBe(failure);
  await expect(waiting).rejects.toBe(failure);
  await expect(queue.add({ topic: 't', bytes: bytesOf('late') })).rejects.toBe(failure);
  await queue.idle();
});
