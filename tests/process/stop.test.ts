/** SIGTERM under load: a quick and clean end, after which nothing is missing or done again. */
import { afterEach, describe, expect, test } from 'vitest';
import { EventFeed, planEvents } from '../support/event-feed.ts';
import { natsPrograms } from '../support/nats-server.ts';
import { until } from '../support/until.ts';
import { EVERY_RULE } from './campaigns.ts';
import { checkpointsOf } from './checkpoint-folder.ts';
import { Stage } from './stage.ts';

const EVENTS = 800;
const FEED_MS = 3_000;
const STOP_MS_MAX = 5_000;
const PARTITIONS = 4;
const newest = (await natsPrograms()).at(-1);
const homes = [
  ['embedded', undefined],
  ...(newest === undefined ? [] : [[`NATS ${newest.version}`, newest] as const]),
] as const;

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

describe('SIGTERM under load', () => {
  test.each(homes)(
    'ends with 0 soon, its checkpoints at the end of the log, when the log is %s',
    async (_name, nats) => {
      stage = await Stage.open({
        campaigns: EVERY_RULE,
        engine: { partitions: PARTITIONS },
        ...(nats === undefined ? {} : { nats }),
      });
      const first = await stage.serve().ready();
      const stored = await stage.stored();
      const events = planEvents({ seed: 3, count: EVENTS, users: 60 });
      const feed = new EventFeed(events, stage.producer);
      const feeding = feed.run(FEED_MS);
      await until('half of the events are in', () => feed.acknowledged.size > EVENTS / 2);
      const stoppingAtMs = performance.now();
      expect(await first.stop()).toBe(0);
      expect(performance.now() - stoppingAtMs).toBeLessThan(STOP_MS_MAX);
      expect(first.warnings).toEqual([]);
      await stored.collect();
      for (let p = 0; p < PARTITIONS; p++) {
        expect(checkpointsOf(stage.data, p)[0]?.offset).toBe(stored.tailOf(`in.${p}`));
      }
      const second = await stage.serve().ready();
      await feeding;
      await stage.reckon(second, feed);
    },
  );
});
