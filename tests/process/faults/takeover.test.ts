/** Two processes that both believe they own the partitions of one log. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { stablePort } from '../../support/ports.ts';
import { Prng } from '../../support/prng.ts';
import type { ServeProcess } from '../../support/serve-process.ts';
import { until } from '../../support/until.ts';
import { EVERY_RULE } from '../campaigns.ts';
import { homeOf, natsHomes } from '../homes.ts';
import { Stage } from '../stage.ts';
import { feedOf, lives, reckon, SEED, times } from './trial.ts';

const ROUNDS = times(1);
const EVENTS_PER_ROUND = 400;
const FEED_MS_PER_ROUND = 4_000;
const TIMEOUT_MS = 120_000 + ROUNDS * 30_000;
const WEBHOOK = { timeout: '300ms', retry: ['200ms', '500ms'] };
/** What an owner says when another has followed it. */
const FENCED = 'ERR_FENCED';

const NATS_HOMES = await natsHomes();
const NEWEST = NATS_HOMES.slice(-1);

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

async function requireFenced(old: ServeProcess): Promise<void> {
  expect(await old.ended(), old.output).toBe(1);
  expect(old.line(FENCED)?.msg, old.output).toMatch(/another|Another/);
  expect(old.output).not.toMatch(/^\s+at /m);
}

describe('two owners of one JetStream log', () => {
  const kinds = [
    { how: 'stopped', folders: 'one folder' },
    { how: 'stopped', folders: 'a folder each' },
    { how: 'alive', folders: 'one folder' },
  ] as const;
  const rows = NATS_HOMES.flatMap((home) => {
    // The older server is asked for what differs there: how a compare-and-set is answered. It
    // cannot keep a copy of what is trimmed.
    const asked = NEWEST.includes(home) ? kinds : kinds.slice(1, 2);
    return asked.map((kind) => ({ ...kind, home, name: home.name }));
  });

  test.each(rows)(
    'the older one ends, $how while it was followed, with $folders, on $name',
    async ({ how, folders, home }) => {
      const isShared = folders === 'one folder';
      stage = await Stage.open({
        campaigns: EVERY_RULE,
        webhook: WEBHOOK,
        // A fresh folder needs the log from its beginning.
        engine: { checkpointInterval: isShared ? '1s' : '1h' },
        isTrimmed: isShared,
        ...homeOf(home),
      });
      const prng = new Prng(SEED);
      const receiver = new Prng(SEED + 1);
      stage.sink.misbehave = () => (receiver.chance(0.2) ? 500 : 200);
      let owner = await stage.serve().ready();
      await stage.stored();
      const feed = feedOf(stage, ROUNDS * EVENTS_PER_ROUND);
      const feeding = feed.run(ROUNDS * FEED_MS_PER_ROUND);
      for (let round = 0; round < ROUNDS; round++) {
        await lives(owner, 500 + prng.below(1_500));
        const old = owner;
        if (how === 'stopped') old.freeze();
        owner = await stage
          .serve({
            port: await stablePort(),
            ...(isShared ? {} : { data: join(stage.folder, `data-${round}`) }),
          })
          .ready();
        // So that there is something that the older one does not know of.
        if (how === 'stopped') await lives(owner, 200 + prng.below(800));
        old.thaw();
        await requireFenced(old);
      }
      stage.sink.misbehave = () => 200;
      await feeding;
      const fault = `two owners, the older one ${how}, ${folders}`;
      await reckon({ stage, serve: owner, feed }, { fault, log: home.name, tried: ROUNDS });
    },
    TIMEOUT_MS,
  );

  test.each(NEWEST)(
    'of several that start at once all but one end, on $name',
    async (home) => {
      stage = await Stage.open({
        campaigns: EVERY_RULE,
        webhook: WEBHOOK,
        engine: { checkpointInterval: '1h' },
        ...homeOf(home),
      });
      const place = stage;
      const first = await place.serve().ready();
      await place.stored();
      const feed = feedOf(place, EVENTS_PER_ROUND);
      const feeding = feed.run(FEED_MS_PER_ROUND);
      const ports = [await stablePort(), await stablePort()];
      const rivals = [
        first,
        ...ports.map((port, n) => place.serve({ port, data: join(place.folder, `data-${n}`) })),
      ];
      const [owner] = await until(
        'one is left and takes events',
        () => {
          const left = rivals.filter((one) => !one.hasEnded);
          if (left.length === 0) throw new Error(rivals.map(({ output }) => output).join('\n'));
          return left.length === 1 && left[0]!.isReady ? left : undefined;
        },
        { describe: () => rivals.map(({ output }) => output).join('\n') },
      );
      for (const one of rivals) if (one !== owner) expect(await one.ended(), one.output).toBe(1);
      await feeding;
      const trial = { fault: 'three owners at once', log: home.name, tried: 1 };
      await reckon({ stage: place, serve: owner!, feed }, trial);
    },
    TIMEOUT_MS,
  );
});

describe('two owners of one embedded log', () => {
  test(
    'the second is refused, also while the first is stopped',
    async () => {
      stage = await Stage.open({ campaigns: EVERY_RULE, webhook: WEBHOOK });
      const first = await stage.serve().ready();
      const feed = feedOf(stage, EVENTS_PER_ROUND);
      const feeding = feed.run(FEED_MS_PER_ROUND);
      const refusals: string[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        for (const isStopped of [false, true]) {
          if (isStopped) first.freeze();
          const second = stage.serve({ port: await stablePort() });
          expect(await second.ended(), second.output).toBe(2);
          refusals.push(second.output);
          first.thaw();
        }
      }
      expect(refusals.filter((output) => !output.includes('ERR_DATA_IN_USE'))).toEqual([]);
      await feeding;
      const trial = { fault: 'a second owner', log: 'embedded', tried: refusals.length };
      await reckon({ stage, serve: first, feed }, trial);
    },
    TIMEOUT_MS,
  );
});
