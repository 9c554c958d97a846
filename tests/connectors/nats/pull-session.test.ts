import type { JetStreamManager } from '@nats-io/jetstream';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import { PullSession } from '../../../connectors/nats/pull-session.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';

const LOST_AFTER_MS = 2_000;
const HEARTBEAT_MS = 3_000;
const SILENCE_MS_MAX = 8_000;
const STORED_NS = `${Date.parse('2026-01-05T09:00:00Z')}000000`;

/** A session with a server that has given `given` messages and is asked how far it is. */
async function startSession() {
  const clock = new ManualClock(1_000_000);
  const broken: string[] = [];
  let deliver: (error: Error | null, message: Msg) => void = () => undefined;
  const server = { given: 0 };
  const connection = {
    subscribe: (_subject: string, { callback }: { callback: typeof deliver }) => {
      deliver = callback;
      return { unsubscribe: () => undefined };
    },
    publish: () => undefined,
    isClosed: () => false,
  };
  const consumers = {
    add: () => Promise.resolve({ name: 'c1' }),
    info: () =>
      Promise.resolve({ delivered: { consumer_seq: server.given, stream_seq: 0 }, num_pending: 0 }),
    delete: () => Promise.resolve(true),
  };
  const session = new PullSession({
    connection: connection as unknown as NatsConnection,
    manager: { consumers } as unknown as JetStreamManager,
    stream: 'S',
    filter: '>',
    start: { sequence: 1 },
    batchBytesMax: 1_000,
    onMessage: () => undefined,
    onLow: () => undefined,
    onBroken: (reason) => broken.push(reason),
    clock,
  });
  await session.open();
  const take = (sequence: number) => {
    const reply = `$JS.ACK.S.c1.1.${sequence}.${sequence}.${STORED_NS}.0`;
    deliver(null, { reply, data: new Uint8Array(0) } as unknown as Msg);
  };
  /** A heartbeat, which says how far the server is. */
  const beat = () => {
    const headers = { code: 100, get: () => String(server.given) };
    deliver(null, { subject: 'inbox.1', headers, data: new Uint8Array(0) } as unknown as Msg);
  };
  return { clock, session, server, take, beat, broken };
}

test('a last delivery that is lost is noticed by the count of the server', async () => {
  const { clock, session, server, take, broken } = await startSession();
  take(1);
  server.given = 2;
  await session.reach();
  clock.advanceTo(clock.now() + LOST_AFTER_MS - 1);
  await session.reach();
  expect(broken).toEqual([]);
  clock.advanceTo(clock.now() + 1);
  await session.reach();
  expect(broken).toEqual(['delivery 2 did not come']);
});

test('a delivery that is slow, behind others that come, is waited for', async () => {
  const { clock, session, server, take, broken } = await startSession();
  server.given = 3;
  for (const sequence of [1, 2, 3]) {
    await session.reach();
    clock.advanceTo(clock.now() + LOST_AFTER_MS);
    take(sequence);
  }
  await session.reach();
  clock.advanceTo(clock.now() + LOST_AFTER_MS);
  await session.reach();
  expect(broken).toEqual([]);
});

test('it is noticed by heartbeats too, when nobody asks how far the server is', async () => {
  const { clock, session, server, take, beat, broken } = await startSession();
  session.pull();
  take(1);
  beat();
  server.given = 2;
  beat();
  expect(broken).toEqual([]);
  clock.advanceTo(clock.now() + LOST_AFTER_MS);
  beat();
  expect(broken).toEqual(['delivery 2 did not come']);
});

test('a server that goes silent ends the session, one that beats does not', async () => {
  const { clock, session, take, beat, broken } = await startSession();
  session.pull();
  take(1);
  for (let quietMs = 0; quietMs < 3 * SILENCE_MS_MAX; quietMs += HEARTBEAT_MS) {
    clock.advanceTo(clock.now() + HEARTBEAT_MS);
    beat();
  }
  expect(broken).toEqual([]);
  const silentSinceMs = clock.now();
  clock.advanceTo(silentSinceMs + SILENCE_MS_MAX - 1);
  expect(broken).toEqual([]);
  clock.advanceTo(silentSinceMs + SILENCE_MS_MAX);
  expect(broken).toEqual(['no heartbeat came']);
});

test('a server that was asked for nothing may be silent', async () => {
  const { clock, broken } = await startSession();
  clock.advanceTo(clock.now() + 3 * SILENCE_MS_MAX);
  expect(broken).toEqual([]);
});
