/**
 * Small changes to the code that every other test once let pass: nothing reached the sizes at which
 * they matter. Each test fails with the change whose name it carries (docs/testing/mutations.md).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { JetStreamApiError } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { readEventLines } from '../connectors/doors/file/event-lines.ts';
import { BodyRoom } from '../connectors/doors/http/body-room.ts';
import { readBody } from '../connectors/doors/http/http-body.ts';
import { writeFence } from '../connectors/logs/embedded/lmdb-schema.ts';
import { Storage } from '../connectors/logs/embedded/storage.ts';
import { openStorageFolder } from '../connectors/logs/embedded/storage-folder.ts';
import { JetStreamAppender } from '../connectors/logs/jetstream/jetstream-appender.ts';
import { ensureStream, type StreamClients } from '../connectors/logs/jetstream/streams.ts';
import { EgressGuard } from '../connectors/webhook/egress/egress-guard.ts';
import { WebhookTransport } from '../connectors/webhook/webhook-transport.ts';
import { PartitionState } from '../engine/partition/partition-state.ts';
import { Arena } from '../engine/state/arena.ts';
import { DedupeTable } from '../engine/state/dedupe-table.ts';
import { keyOf } from '../engine/state/key.ts';
import { ProfileTable } from '../engine/state/profile-table.ts';
import { systemClock } from '../engine/time/clock.ts';
import { TimingWheel } from '../engine/time/timing-wheel.ts';
import { Lane } from '../operators/delivery/lane.ts';
import { holdUntilMsOf } from '../operators/delivery/retry.ts';
import { compileFilter } from '../operators/filters/compile.ts';
import { parseFilter } from '../operators/filters/parse.ts';
import { KeptProperties } from '../operators/rules/inaction/kept-properties.ts';
import { batchOf } from './connectors/logs/storage-batches.ts';
import {
  BASE_MS,
  campaignsOf,
  deliveryOf,
  status,
  webhookOf,
} from './operators/delivery/lane-bench.ts';

test('S3: places freed beyond 16 MiB are given out again as they are', () => {
  const arena = new Arena();
  for (let i = 0; i < 300; i++) arena.allocate(60_000);
  const [a, b] = [arena.allocate(30), arena.allocate(30)];
  arena.free(a);
  arena.free(b);
  expect([arena.allocate(30), arena.allocate(30)]).toEqual([b, a]);
});

test('S4: an id seen anew in a full block is known for a whole window from then on', () => {
  const DAY = 86_400_000;
  const table = new DedupeTable(DAY);
  for (let i = 1; i <= 43_691; i++) table.isNew(i, 7, 1_000);
  expect(table.isNew(5, 7, DAY + 6_000)).toBe(true);
  expect(table.isNew(999_999, 9, DAY + 7_000)).toBe(true);
  expect(table.isNew(5, 7, DAY + 9_000)).toBe(false);
});

test('R3: properties come back whatever number their shape has', () => {
  const state = new PartitionState({ deadlines: { dueAtMs: () => 1_000 } });
  const kept = new KeptProperties(state);
  const key = keyOf('u1', false);
  for (let i = 0; i < 300; i++) {
    const properties = { [`p${i}`]: `v${i}` };
    const opened = { anchorAtMs: 0, eventIdLo: 0, eventIdHi: 0, match: 0, nowMs: 0 };
    const slot = state.windows.open(key, 0, opened, kept.keepProperties(key, properties)!);
    expect(kept.propertiesOf(slot)).toEqual(properties);
  }
});

test.each([
  ['contains', 'VIP', ['vip'], true],
  ['containsAll', ['A', 'B'], ['b', 'a'], true],
  ['notContains', 'VIP', ['vip'], false],
] as const)('F2: %s with i on a list', (op, value, tags, wanted) => {
  const filter = parseFilter({ tags: { [op]: value, i: true } }, 'where');
  expect(
    compileFilter(filter)({ properties: { tags }, nowMs: 0, userBucket: 0, timezone: 'UTC' }),
  ).toBe(wanted);
});

test('ID2: of equally old values the one that stands here stays', () => {
  const profiles = new ProfileTable(new Arena());
  const key = keyOf('u', false);
  profiles.merge(key, { plan: 'pro' }, 1_000);
  profiles.join(key, { attributes: { plan: 'free' }, saidAtMs: { plan: 1_000 } });
  expect({ ...profiles.attributesOf(key) }).toEqual({ plan: 'pro' });
});

test('H1: a body of exactly the limit is read', async () => {
  const held = new BodyRoom({ clock: systemClock, bytesMax: 200 }).open('client');
  const body = await readBody(Readable.from([Buffer.alloc(60), Buffer.alloc(40)]), 100, 100, held);
  expect(body.length).toBe(100);
});

test('H2: a line of exactly the limit may end in CRLF, wherever chunks end', async () => {
  const line = Buffer.from(JSON.stringify({ a: 'x'.repeat(50) }));
  const file = Buffer.concat([line, Buffer.from('\r\n')]);
  for (let cut = 1; cut < file.length; cut++) {
    const input = Readable.from([file.subarray(0, cut), file.subarray(cut)]);
    for await (const one of readEventLines('-', { eventBytesMax: line.length, input }))
      expect([cut, one.refused, one.bytes.length]).toEqual([cut, undefined, line.length]);
  }
});

test('W2: a raised limit of connections holds from the next request on', async () => {
  let open = 0;
  let most = 0;
  const server = http.createServer((request, response) => {
    most = Math.max(most, ++open);
    request.resume();
    setTimeout(() => {
      open--;
      response.end();
    }, 100);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const transport = new WebhookTransport({
    clock: systemClock,
    guard: new EgressGuard({ allow: ['127.0.0.1'] }),
  });
  const send = (connectionsMax: number) =>
    transport.send({
      lane: 'hook',
      method: 'POST',
      url: `http://127.0.0.1:${port}/`,
      headers: {},
      body: new Uint8Array(2),
      timeoutMs: 5_000,
      connectionsMax,
    });
  await send(1);
  await Promise.all([send(4), send(4), send(4), send(4)]);
  await transport.close();
  server.close();
  expect(most).toBe(4);
});

test('J2: ids of messages are known for longer than an append is tried', async () => {
  let config: { duplicate_window?: number } = {};
  const info = () =>
    Promise.reject(new JetStreamApiError({ code: 404, err_code: 10059, description: 'no' }));
  const add = async (made: object) => {
    config = made;
    return { created: '2026-01-05T09:00:00Z' };
  };
  const manager = { streams: { info, add, getMessage: async () => null } };
  const client = { publish: async () => ({}) };
  const clients = { manager, client } as unknown as StreamClients;
  await ensureStream(clients, 'in', { prefix: 'lapse', replicas: 1, create: true });
  expect(config.duplicate_window).toBeGreaterThanOrEqual(30_000 * 1e6);
});

test('J3: a claim whose acknowledgement was lost is ours', async () => {
  const stored: { subject: string; headers: Record<string, string> }[] = [];
  const publisher = {
    async publish({
      subject,
      headers = {},
    }: {
      subject: string;
      headers?: Record<string, string>;
    }) {
      if (stored.length > 0)
        throw new JetStreamApiError({
          code: 400,
          err_code: 10071,
          description: 'wrong last sequence',
        });
      stored.push({ subject, headers });
      throw new Error('timeout');
    },
  };
  const getMessage = async () => {
    const last = stored.at(-1);
    return last === undefined
      ? null
      : {
          seq: 1,
          subject: last.subject,
          header: { get: (name: string) => last.headers[name] ?? '' },
        };
  };
  const retried = async <R>(_what: string, request: () => Promise<R>) =>
    request().catch((error: Error) =>
      error.message === 'timeout' ? request() : Promise.reject(error),
    );
  const appender = new JetStreamAppender({
    publisher: publisher as never,
    manager: { streams: { getMessage } } as never,
    prefix: 'lapse',
    payloadBytesMax: 1e6,
    ensure: async () => {},
    retried,
  });
  expect(await appender.claim(3, 5, new Uint8Array(3))).toBe(1);
});

test('S1: a timer of level 2 fires at its time, whatever is added meanwhile', () => {
  const due: number[] = [];
  const links: [number, number][] = [];
  const slots = {
    linkNext: (s: number) => links[s]![0],
    linkPrevious: (s: number) => links[s]![1],
    setLinks(s: number, a: number, b: number) {
      links[s] = [a, b];
    },
    setNext(s: number, a: number) {
      links[s]![0] = a;
    },
    setPrevious(s: number, b: number) {
      links[s]![1] = b;
    },
    dueAtMs: (s: number) => due[s]!,
  };
  const wheel = new TimingWheel(slots, 0);
  const add = (s: number, at: number) => {
    due[s] = at;
    wheel.add(s, at);
  };
  wheel.take(1);
  add(0, 70_000);
  expect(wheel.take(68_000)).toBe(0);
  add(1, 72_000);
  expect(wheel.take(71_000)).toBe(1);
  expect([wheel.taken[0], wheel.nowMs]).toEqual([0, 70_000]);
});

test('D7: 503 with Retry-After holds the webhook as 429 does', () => {
  for (const code of [429, 503]) expect(holdUntilMsOf(status(code, '30'), 1_000)).toBe(31_000);
});

test('D6: a hold outlives a restart', () => {
  const options = {
    webhook: webhookOf({ batch: { max: 1, lingerMs: 0 } }),
    campaigns: campaignsOf('c'),
    userAgent: 'x',
  };
  const first = new Lane(options);
  first.offer(1, [deliveryOf('a'), deliveryOf('b')], BASE_MS);
  const attempt = first.poll(BASE_MS)!;
  first.onResult(attempt, status(503, '60'), BASE_MS);
  const records = first.takeRecords();
  const second = new Lane(options);
  for (const record of records) second.replay(record);
  second.recovered(1, BASE_MS + 1_000);
  second.offer(1, [deliveryOf('a'), deliveryOf('b')], BASE_MS + 1_000);
  expect(second.poll(BASE_MS + 59_000)).toBeUndefined();
});

test('E2: what a writer has stored is known after a clean stop', async () => {
  const place = mkdtempSync(join(tmpdir(), 'lapse-e2-'));
  const open = () =>
    new Storage(
      {
        directory: place,
        partitionCount: 4,
        durability: 'process',
        bytesMax: Infinity,
        ownerToken: 'o',
      } as never,
      systemClock,
      openStorageFolder(place, 'process'),
      4_096,
    );
  const first = open();
  const pending = batchOf([{ topic: 0, bytes: 16 }]);
  const bytes = pending.batch.bytes;
  writeFence(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, {
    writer: 3,
    position: { epoch: 2, offset: 9, ordinal: 1 },
  } as never);
  first.commit([pending]);
  await first.close();
  const second = open();
  expect(second.topic('in.0').positions.get(3)).toEqual({ epoch: 2, offset: 9, ordinal: 1 });
  await second.close();
  rmSync(place, { recursive: true, force: true });
});
