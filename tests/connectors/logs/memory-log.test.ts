import { expect, test } from 'vitest';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { describeLog } from './contract.ts';
import { bytesOf, readSome, texts } from './reading.ts';

describeLog('memory log', async () => {
  const log = new MemoryLog({ partitionCount: 8 });
  return {
    partitionCount: 8,
    connect: async () => log,
    reopen: async () => undefined,
    stop: async () => undefined,
  };
});

test('memory log: an append that the hook delays delays those behind it', async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let calls = 0;
  const beforeStore = () => (calls++ === 0 ? held : undefined);
  const log = new MemoryLog({ partitionCount: 1, beforeStore });
  const stored = ['first', 'second'].map((text) => log.append('in.0', bytesOf(text)));
  expect(await log.tail('in.0')).toBe(0);
  release();
  expect(await Promise.all(stored)).toEqual([1, 2]);
  expect(texts(await readSome(log, 'in.0', 0, 2))).toEqual(['first', 'second']);
});

test('memory log: nothing is stored, when the hook throws', async () => {
  const error = new Error('injected');
  let isFaulty = true;
  const beforeStore = () => {
    if (isFaulty) throw error;
  };
  const log = new MemoryLog({ partitionCount: 1, beforeStore });
  await expect(log.append('in.0', bytesOf('lost'))).rejects.toBe(error);
  isFaulty = false;
  expect(await log.append('in.0', bytesOf('kept'))).toBe(1);
});

test('memory log: the envelope stands, when only its acknowledgement is lost', async () => {
  const error = new Error('injected');
  const log = new MemoryLog({
    partitionCount: 1,
    afterStore: () => {
      throw error;
    },
  });
  await expect(log.append('in.0', bytesOf('stands'))).rejects.toBe(error);
  expect(await log.tail('in.0')).toBe(1);
});
