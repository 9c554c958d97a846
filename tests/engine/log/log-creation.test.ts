import { expect, test } from 'vitest';
import { logIdentity } from '../../../engine/log/log-creation.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';

const CREATED_MS = Date.parse('2026-01-05T09:00:00Z');
const FIRST = { createdAtMs: CREATED_MS, fingerprintKey: '00000002ffffffff' };
const SECOND = { createdAtMs: CREATED_MS + 60_000, fingerprintKey: '0000000400000003' };
const STORED = { createdAtMs: CREATED_MS, fingerprintKey: { lo: 0xffffffff, hi: 2 } };

test('a log has the time and the key of the first that opened it, whoever asks later', async () => {
  const log = new MemoryLog({ partitionCount: 1 });
  expect(await logIdentity(log, FIRST)).toEqual(STORED);
  expect(await logIdentity(log, SECOND)).toEqual(STORED);
});

test('of two processes that open a new log at once both hear of the same', async () => {
  const log = new MemoryLog({ partitionCount: 1 });
  const identities = await Promise.all([logIdentity(log, FIRST), logIdentity(log, SECOND)]);
  expect(identities).toEqual([STORED, STORED]);
});

test.each([
  '{"createdAtMs":"x","fingerprintKey":"0123456789abcdef"}',
  '{"createdAtMs":1}',
  '{"createdAtMs":1,"fingerprintKey":"0123"}',
  'null',
  '{',
])('a note that is none is told, without what may be a secret: %s', async (note) => {
  const log = new MemoryLog({ partitionCount: 1 });
  await log.append('owner.created', new TextEncoder().encode(note), {
    writer: 0,
    position: { epoch: 1, offset: 1, ordinal: 0 },
  });
  await expect(logIdentity(log, FIRST)).rejects.toMatchObject({
    code: 'ERR_LOG_CREATION',
    message: expect.not.stringContaining('0123'),
  });
});
