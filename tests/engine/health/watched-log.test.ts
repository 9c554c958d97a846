import { describe, expect, test } from 'vitest';
import { externalError, LapseError } from '../../../engine/errors/errors.ts';
import { Conditions } from '../../../engine/health/conditions.ts';
import { WatchedLog } from '../../../engine/health/watched-log.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';

const START_MS = 1_000_000;
const PROBE_MS = 500;
const STALLED_MS = 4_000;

const full = () => externalError('ERR_LOG_FULL', 'The log must have room, it is full.');

function stage(beforeStore: (topic: string) => void | Promise<void>) {
  const clock = new ManualClock(START_MS);
  const told: string[] = [];
  const conditions = new Conditions(clock, {
    began: ({ cause }) => told.push(cause),
    over: ({ cause }, ms) => told.push(`${cause} over after ${ms}`),
  });
  const memory = new MemoryLog({ partitionCount: 1, beforeStore });
  const sized = Object.assign(memory, { sizeBytes: () => Promise.resolve(0) });
  const log = new WatchedLog(sized, clock, conditions.from('test'));
  /** Moves time and lets what it starts come to its end. */
  const advance = async (ms: number) => {
    clock.advanceTo(clock.now() + ms);
    await new Promise<void>((resolve) => setImmediate(resolve));
  };
  return { clock, told, conditions, log, memory, advance };
}

const BYTES = new Uint8Array(2_000);

describe('a watched log', () => {
  test('that is full says so once, and finds out by itself when it is not any more', async () => {
    let isFull = true;
    const { told, log, advance } = stage(() => {
      if (isFull) throw full();
    });
    for (let i = 0; i < 3; i++) {
      await expect(log.append('in.0', BYTES)).rejects.toMatchObject({ code: 'ERR_LOG_FULL' });
    }
    expect(told).toEqual(['log-full']);
    await advance(PROBE_MS);
    await advance(PROBE_MS);
    expect(told).toEqual(['log-full']);
    isFull = false;
    await advance(PROBE_MS);
    expect(told).toEqual(['log-full', `log-full over after ${3 * PROBE_MS}`]);
  });

  test('that takes small records and refuses large ones is still full', async () => {
    const room = 1_000;
    const { told, log, advance, memory } = stage(() => {});
    const append = memory.append.bind(memory);
    memory.append = (topic, bytes, fence) =>
      bytes.length > room ? Promise.reject(full()) : append(topic, bytes, fence);
    await log.append('in.0', BYTES).catch(() => undefined);
    await log.append('in.0', BYTES.subarray(0, 10));
    await advance(PROBE_MS);
    expect(told).toEqual(['log-full']);
  });

  test('is over when all that was refused goes through, and not before', async () => {
    const refusing = new Set(['in', 'done']);
    const { told, log, advance } = stage((topic) => {
      if (refusing.has(topic.split('.')[0]!)) throw full();
    });
    await log.append('in.0', BYTES).catch(() => undefined);
    await log.append('done.crm', BYTES).catch(() => undefined);
    refusing.delete('in');
    await advance(PROBE_MS);
    expect(told).toEqual(['log-full']);
    refusing.delete('done');
    await advance(PROBE_MS);
    expect(told.at(-1)).toBe(`log-full over after ${2 * PROBE_MS}`);
  });

  test('that does not answer is told after some seconds, and over with its answer', async () => {
    let answer = () => {};
    const { told, log, advance } = stage(
      () =>
        new Promise<void>((resolve) => {
          answer = resolve;
        }),
    );
    const appended = log.append('in.0', BYTES);
    await advance(STALLED_MS - 1);
    expect(told).toEqual([]);
    await advance(1);
    expect(told).toEqual(['log-unavailable']);
    answer();
    await appended;
    await advance(0);
    expect(told).toEqual(['log-unavailable', 'log-unavailable over after 0']);
  });

  test('that is slow and answers is well', async () => {
    const answers: (() => void)[] = [];
    const { told, log, advance } = stage(
      (topic) =>
        new Promise<void>((resolve) => {
          if (topic === 'in.0') answers.push(resolve);
          else resolve();
        }),
    );
    for (let i = 0; i < 10; i++) void log.append('in.0', BYTES);
    for (let i = 0; i < 9; i++) {
      await advance(STALLED_MS - 1);
      answers.shift()!();
      await advance(0);
    }
    expect(told).toEqual([]);
  });

  test('does not take a fence that does its work for a failure', async () => {
    const { told, log } = stage(() => {
      throw new LapseError('ERR_FENCED', 'Another owner has written.', { domain: 'external' });
    });
    await expect(log.append('in.0', BYTES)).rejects.toMatchObject({ code: 'ERR_FENCED' });
    expect(told).toEqual([]);
  });

  test('that is closed keeps nobody waiting', async () => {
    const { clock, log } = stage(() => {
      throw full();
    });
    await log.append('in.0', BYTES).catch(() => undefined);
    await log.close();
    expect(clock.timerCount).toBe(0);
  });
});
