/** The network is cut, silent, slow, or ends in the middle of a write, and heals, under load. */
import { afterEach, describe, expect, test } from 'vitest';
import type { Fault } from '../../support/fault-proxy.ts';
import { Prng } from '../../support/prng.ts';
import { until } from '../../support/until.ts';
import { EVERY_RULE } from '../campaigns.ts';
import { type Home, homeOf, homes, natsHomes } from '../homes.ts';
import { type Span, Stage } from '../stage.ts';
import { feedOf, lives, reckon, SEED, times } from './trial.ts';

/** Each in turn, one a round. */
const FAULTS: readonly Fault[] = [
  { kind: 'refuse' },
  { kind: 'blackhole' },
  { kind: 'halve', bytesMax: 20_000 },
  { kind: 'delay', msMax: 100 },
  { kind: 'throttle', bytesPerSecond: 20_000 },
];
const ROUNDS = times(FAULTS.length);
const FAULT_MS_MIN = 300;
const FAULT_MS_MAX = 1_200;
const EVENTS_PER_ROUND = 120;
const FEED_MS_PER_ROUND = 1_300;
const TIMEOUT_MS = 180_000 + ROUNDS * 20_000;

const EMBEDDED: Home = { name: 'embedded' };
const NEWEST = (await natsHomes()).slice(-1);
const ROWS: readonly { readonly span: Span; readonly home: Home; readonly name: string }[] = [
  ...NEWEST.map((home) => ({ span: 'nats' as const, home, name: home.name })),
  ...(await homes()).map((home) => ({ span: 'receiver' as const, home, name: home.name })),
  { span: 'door', home: EMBEDDED, name: EMBEDDED.name },
];

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

describe('a faulty network', () => {
  test.each(ROWS)(
    'before the $span is got over without a restart, when the log is $name',
    async ({ span, home, name }) => {
      stage = await Stage.open({
        campaigns: EVERY_RULE,
        webhook: { timeout: '500ms', retry: ['200ms', '500ms'] },
        faultySpans: [span],
        seed: SEED,
        ...homeOf(home),
      });
      const place = stage;
      const prng = new Prng(SEED);
      const serve = await place.serve().ready();
      await place.stored();
      const feed = feedOf(place, ROUNDS * EVENTS_PER_ROUND);
      const feeding = feed.run(ROUNDS * FEED_MS_PER_ROUND);
      const proxy = place.proxy(span);
      for (let round = 0; round < ROUNDS; round++) {
        await proxy.become(FAULTS[round % FAULTS.length]!);
        await lives(serve, FAULT_MS_MIN + prng.below(FAULT_MS_MAX - FAULT_MS_MIN));
        await proxy.heal();
        await lives(serve, FAULT_MS_MIN + prng.below(FAULT_MS_MAX - FAULT_MS_MIN));
      }
      await feeding;
      await until('it is ready', async () => (await serve.readyz())?.status === 200);
      expect(proxy.cuts + proxy.struck).toBeGreaterThan(0);
      const trial = { fault: `network before the ${span}`, log: name, tried: ROUNDS };
      await reckon({ stage: place, serve, feed }, trial);
    },
    TIMEOUT_MS,
  );
});
