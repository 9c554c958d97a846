import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { identityOf, idPrefixOf } from '../../../connectors/doors/nats/stream-identity.ts';

const CREATED = '2026-11-01T10:00:00.123456789Z';
const LATER = '2026-11-02T10:00:00Z';
const STORED_MS = Date.parse('2026-11-01T11:00:00.500Z');

function managerOf(messageAtMs: number | undefined): JetStreamManager {
  const message = messageAtMs === undefined ? null : { time: new Date(messageAtMs) };
  return { streams: { getMessage: () => Promise.resolve(message) } } as unknown as JetStreamManager;
}

const streamOf = (created: string, lastSequence: number) =>
  ({ config: { name: 'E' }, created, state: { last_seq: lastSequence } }) as unknown as StreamInfo;

const positionOf = (created: string, sequence = 50) => ({
  sequence,
  storedAtMs: STORED_MS,
  created,
});

test.each([
  ['never read', CREATED, undefined, 3, undefined, CREATED],
  ['the same', CREATED, positionOf(CREATED), 60, STORED_MS, CREATED],
  [
    'the same, whose message is kept no longer',
    CREATED,
    positionOf(CREATED),
    60,
    undefined,
    CREATED,
  ],
  ['the same, of which nothing was read', CREATED, positionOf(CREATED, 0), 3, undefined, CREATED],
  ['another one', LATER, positionOf(CREATED), 60, STORED_MS, LATER],
  ['one that lost all it had', CREATED, positionOf(CREATED), 3, undefined, `${CREATED}#1`],
  [
    'one that lost all it had again',
    CREATED,
    positionOf(`${CREATED}#1`),
    3,
    undefined,
    `${CREATED}#2`,
  ],
  ['one that has refilled', CREATED, positionOf(CREATED), 60, STORED_MS + 1, `${CREATED}#1`],
  ['the one after a loss', CREATED, positionOf(`${CREATED}#1`), 60, STORED_MS, `${CREATED}#1`],
] as const)('a stream is %s', async (_, created, saved, lastSequence, messageAtMs, identity) => {
  const manager = managerOf(messageAtMs);
  expect(await identityOf(manager, streamOf(created, lastSequence), saved)).toBe(identity);
});

test('each of them has ids of its own', () => {
  const prefixes = [CREATED, LATER, `${CREATED}#1`, `${CREATED}#2`].map((one) =>
    idPrefixOf('E', one),
  );
  expect(new Set(prefixes).size).toBe(prefixes.length);
  for (const prefix of prefixes) expect(prefix).toMatch(/^nats:E@[0-9a-z.]+$/);
});
