/** The NATS server dies under a running `serve`, again and again, and comes back. */
import { afterEach, describe, expect, test } from 'vitest';
import { natsPrograms } from '../../support/nats-server.ts';
import { Prng } from '../../support/prng.ts';
import { until } from '../../support/until.ts';
import { EVERY_RULE } from '../campaigns.ts';
import { Stage } from '../stage.ts';
import { feedOf, lives, reckon, SEED, times } from './trial.ts';

const ROUNDS = times(1);
const EVENTS_PER_ROUND = 800;
const FEED_MS_PER_ROUND = 3_000;
const TIMEOUT_MS = 120_000 + ROUNDS * 30_000;
const programs = await natsPrograms();

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

describe.each(programs)('a crash of NATS $version', (nats) => {
  test(
    'is said, is got over without a restart and loses nothing',
    async () => {
      const prng = new Prng(SEED);
      stage = await Stage.open({ campaigns: EVERY_RULE, nats });
      const serve = await stage.serve().ready();
      await stage.stored();
      const feed = feedOf(stage, ROUNDS * EVENTS_PER_ROUND);
      const feeding = feed.run(ROUNDS * FEED_MS_PER_ROUND);
      for (let round = 0; round < ROUNDS; round++) {
        await lives(serve, 500 + prng.below(1_500));
        await stage.nats!.kill();
        await until(
          'it says that it is not ready',
          async () => (await serve.readyz())?.status === 503,
        );
        const answer = await serve.readyz();
        expect(answer?.reasons.map(({ cause }) => cause)).toEqual(['nats-away']);
        await lives(serve, prng.below(2_000));
        await stage.nats!.restart();
        await until('it is ready again', async () => (await serve.readyz())?.status === 200);
      }
      await feeding;
      expect(serve.hasEnded).toBe(false);
      expect(serve.told('nats-away')).toEqual({ began: ROUNDS, over: ROUNDS });
      const trial = { fault: 'NATS killed', log: `NATS ${nats.version}`, tried: ROUNDS };
      await reckon({ stage, serve, feed }, trial);
    },
    TIMEOUT_MS,
  );
});
