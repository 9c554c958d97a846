/** What `/readyz`, `/metrics` and the log of a real `serve` say when something is wrong. */
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, describe, expect, test } from 'vitest';
import type { ServeProcess } from '../support/serve-process.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';
import { homeOf, natsHomes } from './homes.ts';
import { Stage } from './stage.ts';

const NEWEST = (await natsHomes()).slice(-1);
const probe = await SmallDisk.mount(2 ** 20);
await probe?.unmount();
const DISK_BYTES = 128 * 2 ** 20;
const TIMEOUT_MS = 120_000;
const EVENTS_STREAM = 'LAPSE_EVENTS';
/** Everybody who charges gets a message; who adds to a cart and does not charge gets one later. */
const CAMPAIGNS = [
  {
    id: 'charged',
    webhook: 'single',
    qualify: { live: { action: { event: 'Charged' } } },
    content: { fields: ['identity'] },
  },
  {
    id: 'left',
    webhook: 'single',
    qualify: {
      live: {
        inaction: { did: { event: 'Added' }, without: { event: 'Charged' }, within: '1s' },
      },
    },
    content: { fields: ['identity'] },
  },
];

let stage: Stage | undefined;
let disk: SmallDisk | undefined;
let connection: NatsConnection | undefined;
afterEach(async () => {
  await connection?.close();
  await stage?.close();
  await disk?.unmount();
  [stage, disk, connection] = [undefined, undefined, undefined];
});

async function causesOf(serve: ServeProcess): Promise<string[] | undefined> {
  return (await serve.readyz())?.reasons.map(({ cause }) => cause);
}

async function becomesReady(serve: ServeProcess): Promise<void> {
  await until('it is ready', async () => (await causesOf(serve))?.length === 0, {
    describe: () => serve.output,
  });
}

/** Resolves when exactly these are named. */
async function names(serve: ServeProcess, ...wanted: string[]): Promise<void> {
  let causes: string[] | undefined;
  await until(
    `it names ${wanted}`,
    async () => {
      causes = await causesOf(serve);
      return causes?.join() === wanted.join();
    },
    { timeoutMs: 15_000, describe: () => `it names ${causes}\n${serve.output}` },
  );
}

/** Posts one event. @returns the status */
async function post(serve: ServeProcess, event: object): Promise<number> {
  const response = await fetch(`${serve.url}/v1/track`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ type: 'track', ...event }),
  });
  return response.status;
}

/** How many messages each user got. */
function received(of: Stage): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { profiles } of of.sink.requests) {
    for (const { Identity } of profiles) {
      counts.set(String(Identity), (counts.get(String(Identity)) ?? 0) + 1);
    }
  }
  return counts;
}

describe.each(NEWEST)('the stream of events, $name', (home) => {
  async function setUp() {
    stage = await Stage.open({ campaigns: CAMPAIGNS, ...homeOf(home) });
    connection = await connect({ servers: stage.nats!.url });
    const { streams } = await jetstreamManager(connection);
    const publish = async (from: number, count: number) => {
      for (let i = from; i < from + count; i++) {
        const event = { type: 'track', userId: `u${i}`, event: 'Charged' };
        await jetstream(connection!).publish('events.shop', JSON.stringify(event));
      }
    };
    return { place: stage, streams, publish };
  }

  test(
    'made anew is delivered whole, each event once, over a restart of Lapse',
    async () => {
      const [before, after] = [5, 55];
      const { place, streams, publish } = await setUp();
      const first = await place.serve().ready();
      await publish(0, before);
      await until('they are received', () => received(place).size === before);
      await streams.delete(EVENTS_STREAM);
      await streams.add({ name: EVENTS_STREAM, subjects: ['events.>'] });
      await publish(before, after);
      await until('all are received', () => received(place).size === before + after, {
        describe: () => `${received(place).size} are\n${first.output}`,
      });
      await becomesReady(first);
      expect(await first.stop()).toBe(0);
      const second = await place.serve().ready();
      await publish(before + after, 1);
      await until('the last one is received', () => received(place).size === before + after + 1);
      await becomesReady(second);
      expect([...received(place).values()].filter((count) => count !== 1)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'deleted is named, while HTTP events and their timers go on, and is over when it is there again',
    async () => {
      const { place, streams, publish } = await setUp();
      const serve = await place.serve().ready();
      await streams.delete(EVENTS_STREAM);
      await names(serve, 'stream-gone');
      expect(await serve.metric('lapse_not_ready')).toBe(1);
      await until(
        'it takes events',
        async () => (await post(serve, { userId: 'h', event: 'Added' })) === 200,
      );
      await until('the timer has fired', () => received(place).get('h') === 1, {
        describe: () => serve.output,
      });
      await streams.add({ name: EVENTS_STREAM, subjects: ['events.>'] });
      await publish(0, 1);
      await until('it is received', () => received(place).get('u0') === 1);
      await becomesReady(serve);
      expect(await serve.metric('lapse_not_ready')).toBe(0);
      expect(serve.told('stream-gone')).toEqual({ began: 1, over: 1 });
    },
    TIMEOUT_MS,
  );

  test(
    "of Lapse's own log made anew ends Lapse, and keeps it from starting",
    async () => {
      const { place, streams } = await setUp();
      const serve = await place.serve().ready();
      const { config } = await streams.info('LAPSE_IN');
      await streams.delete('LAPSE_IN');
      await streams.add(config);
      expect(await serve.ended()).toBe(1);
      expect(serve.told('log-gone')).toEqual({ began: 1, over: 0 });
      expect(serve.line('ERR_LOG_GONE')?.msg).toContain('LAPSE_IN');
      const again = place.serve();
      expect(await again.ended()).toBe(2);
      expect(again.output).toContain('ERR_LOG_GONE');
    },
    TIMEOUT_MS,
  );

  test(
    'on a server that hangs is named in seconds',
    async () => {
      const { place } = await setUp();
      const serve = await place.serve().ready();
      await becomesReady(serve);
      place.nats!.freeze();
      try {
        await until('it is not ready', async () => ((await causesOf(serve))?.length ?? 0) > 0, {
          timeoutMs: 15_000,
        });
      } finally {
        place.nats!.thaw();
      }
      await becomesReady(serve);
      await lastLineIsOver(serve);
    },
    TIMEOUT_MS,
  );
});

/** Whatever began is over, and said so. */
async function lastLineIsOver(serve: ServeProcess): Promise<void> {
  await until('all that began is over', () => {
    const causes = new Set(serve.lines.flatMap(({ cause }) => cause ?? []));
    return [...causes].every((cause) => serve.told(cause).began === serve.told(cause).over);
  });
}

describe.runIf(probe !== undefined)('a full disk', () => {
  test(
    'is named once however many are refused, and is over by itself when there is room',
    async () => {
      disk = (await SmallDisk.mount(DISK_BYTES))!;
      stage = await Stage.open({ campaigns: CAMPAIGNS, disk });
      const serve = await stage.serve().ready();
      disk.fill();
      const text = 'x'.repeat(16 * 1024);
      const isRefused = async () =>
        (await post(serve, { userId: 'f', event: 'Filled', properties: { text } })) !== 200;
      await until('the log is full', isRefused, { pollMs: 0 });
      for (let i = 0; i < 20; i++) await isRefused();
      await names(serve, 'log-full');
      expect(serve.told('log-full')).toEqual({ began: 1, over: 0 });
      disk.free();
      await becomesReady(serve);
      expect(await isRefused()).toBe(false);
      expect(serve.told('log-full')).toEqual({ began: 1, over: 1 });
      expect(await serve.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );
});
