/** The disk is full under load, again and again, and has room again. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Prng } from '../../support/prng.ts';
import { SmallDisk } from '../../support/small-disk.ts';
import { until } from '../../support/until.ts';
import { EVERY_RULE } from '../campaigns.ts';
import { homeOf, natsHomes } from '../homes.ts';
import { Stage } from '../stage.ts';
import { feedOf, lives, reckon, SEED, times } from './trial.ts';

const DISK_BYTES = 128 * 2 ** 20;
const ROUNDS = times(1);
const EVENTS_PER_ROUND = 500;
const FEED_MS_PER_ROUND = 5_000;
const FULL_MS_MAX = 2_500;
const EVENT_BYTES = 16 * 1024;
const REQUEST_EVENTS = 24;
const TIMEOUT_MS = 120_000 + ROUNDS * 40_000;
const STAGE = {
  campaigns: EVERY_RULE,
  webhook: { timeout: '300ms', retry: ['200ms', '500ms'] },
  engine: { checkpointInterval: '1s' },
  isTrimmed: true,
};

const probe = await SmallDisk.mount(2 ** 20);
await probe?.unmount();

const NEWEST = (await natsHomes()).slice(-1);

let stage: Stage | undefined;
let disk: SmallDisk | undefined;
afterEach(async () => {
  await stage?.close();
  await disk?.unmount();
  [stage, disk] = [undefined, undefined];
});

/** Brings events in that are of no campaign; the log has taken some room ahead of need. */
async function isRefused(url: string): Promise<boolean> {
  const properties = { text: 'x'.repeat(EVENT_BYTES) };
  const filler = { type: 'track', event: 'Filled', userId: 'filler', properties };
  const response = await fetch(`${url}/v1/batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ batch: Array.from({ length: REQUEST_EVENTS }, () => filler) }),
  });
  const answer = (await response.json()) as { code?: string };
  if (response.status === 200) return false;
  expect(answer.code).toBe('ERR_LOG_FULL');
  return true;
}

describe.runIf(probe !== undefined)('a full disk', () => {
  test(
    'under the embedded log is said to who sends, and is got over without a restart',
    async () => {
      const prng = new Prng(SEED);
      disk = (await SmallDisk.mount(DISK_BYTES))!;
      stage = await Stage.open({ ...STAGE, disk });
      const serve = await stage.serve().ready();
      const feed = feedOf(stage, ROUNDS * EVENTS_PER_ROUND);
      const feeding = feed.run(ROUNDS * FEED_MS_PER_ROUND);
      for (let round = 0; round < ROUNDS; round++) {
        await lives(serve, 300 + prng.below(1_500));
        disk.fill();
        await until('the log is full', () => isRefused(serve.url));
        await lives(serve, prng.below(FULL_MS_MAX));
        disk.free();
        await until('there is room again', async () => !(await isRefused(serve.url)));
      }
      await feeding;
      await reckon({ stage, serve, feed }, { fault: 'disk full', log: 'embedded', tried: ROUNDS });
    },
    TIMEOUT_MS,
  );

  test.each(NEWEST)(
    'under $name is got over without a restart of serve, once the server has room and is restarted',
    async (home) => {
      const prng = new Prng(SEED);
      disk = (await SmallDisk.mount(DISK_BYTES))!;
      const natsOptions = { store: join(disk.folder, 'store') };
      stage = await Stage.open({ ...STAGE, ...homeOf(home), natsOptions });
      const serve = await stage.serve().ready();
      await stage.stored();
      const feed = feedOf(stage, ROUNDS * EVENTS_PER_ROUND);
      const feeding = feed.run(ROUNDS * FEED_MS_PER_ROUND);
      for (let round = 0; round < ROUNDS; round++) {
        await lives(serve, 300 + prng.below(1_500));
        const { retries } = feed;
        disk.fill();
        await until('the server takes no more', () => feed.isDone || feed.retries > retries);
        await lives(serve, prng.below(FULL_MS_MAX));
        disk.free();
        // A server that was out of space has put JetStream aside.
        await stage.nats!.restart();
        await until('it is ready', async () => (await serve.readyz())?.status === 200);
      }
      await feeding;
      expect(feed.retries).toBeGreaterThan(0);
      await reckon({ stage, serve, feed }, { fault: 'disk full', log: home.name, tried: ROUNDS });
    },
    TIMEOUT_MS,
  );
});
