import { expect, test } from 'vitest';
import { logCreatedAtMs } from '../../../engine/log/log-creation.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { ManualClock } from '../intake/intake-clock.ts';

const CREATED_MS = Date.parse('2026-01-05T09:00:00Z');
const LATER_MS = CREATED_MS + 60_000;

test('a log was created when it was first opened, whoever asks later', async () => {
  const log = new MemoryLog({ partitionCount: 1 });
  expect(await logCreatedAtMs(log, new ManualClock(CREATED_MS))).toBe(CREATED_MS);
  expect(await logCreatedAtMs(log, new ManualClock(LATER_MS))).toBe(CREATED_MS);
});

test('of two processes that open a new log at once both hear of the same moment', async () => {
  const log = new MemoryLog({ partitionCount: 1 });
  const [one, two] = await Promise.all([
    logCreatedAtMs(log, new ManualClock(CREATED_MS)),
    logCreatedAtMs(log, new ManualClock(LATER_MS)),
  ]);
  expect([one, two]).toEqual([CREATED_MS, CREATED_MS]);
});

test('a note that is none is told', async () => {
  const log = new MemoryLog({ partitionCount: 1 });
  await log.append('owner.created', new TextEncoder().encode('{"createdAtMs":"x"}'), {
    writer: 0,
    position: { epoch: 1, offset: 1, ordinal: 0 },
  });
  await expect(logCreatedAtMs(log, new ManualClock(LATER_MS))).rejects.toMatchObject({
    code: 'ERR_LOG_CREATION',
  });
});
