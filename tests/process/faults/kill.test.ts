/**
 * `kill -9` of `serve` at random moments under load: no acknowledged event is lost, every
 * qualification is settled once, every attempt of a delivery has one and the same id.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { EventFeed, planEvents } from '../../support/event-feed.ts';
import { Prng } from '../../support/prng.ts';
import type { ServeProcess } from '../../support/serve-process.ts';
import { until } from '../../support/until.ts';
import { EVERY_RULE } from '../campaigns.ts';
import { homeOf, homes } from '../homes.ts';
import { Stage } from '../stage.ts';
import type { StoredTopics } from '../stored-topics.ts';
import { KILLS, reckon, SEED } from './trial.ts';

const ROUNDS = Number(KILLS ?? 2);
/** A process lives so long, at most, from the moment it is started: recovery, load, checkpoints. */
const LIFE_MS_MAX = 4_000;
/** Right after the start, before it is ready. */
const EARLY_MS_MAX = 600;
const EARLY_SHARE = 0.25;
const EVENTS_PER_ROUND = 500;
const TIMEOUT_MS = 60_000 + ROUNDS * 15_000;

const HOMES = await homes();

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

describe('kill -9 at random moments', () => {
  test.each(HOMES)(
    'loses nothing, decides once and sends by one id, when the log is $name',
    async (home) => {
      const prng = new Prng(SEED);
      stage = await Stage.open({
        campaigns: EVERY_RULE,
        webhook: { timeout: '300ms', retry: ['200ms', '500ms'] },
        engine: { checkpointInterval: '1s' },
        isTrimmed: true,
        ...homeOf(home),
      });
      const receiver = new Prng(SEED + 1);
      stage.sink.misbehave = () =>
        receiver.chance(0.15) ? 500 : receiver.chance(0.05) ? 'hang' : 200;
      let serve = await stage.serve().ready();
      const stored = await stage.stored();
      const count = EVENTS_PER_ROUND * ROUNDS;
      const events = planEvents({ seed: SEED, count, users: 60, hasJoins: true });
      const feed = new EventFeed(events, stage.producer, SEED + 2);
      const feeding = feed.run((ROUNDS * LIFE_MS_MAX) / 2);
      let inRecovery = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const isEarly = prng.chance(EARLY_SHARE);
        const lifeMs = prng.below(isEarly ? EARLY_MS_MAX : LIFE_MS_MAX);
        await live(serve, stored, lifeMs);
        if (!serve.isReady) inRecovery++;
        await serve.kill();
        await stored.collect();
        serve = stage.serve();
      }
      stage.sink.misbehave = () => 200;
      const finished = live(serve, stored, TIMEOUT_MS, () => feed.isDone);
      await Promise.all([feeding, finished]);
      await serve.ready();
      const trial = { fault: 'kill -9', log: home.name, tried: ROUNDS };
      const { settled } = await reckon({ stage, serve, feed }, trial);
      const retried = stage.sink.requests.filter(({ attempt }) => attempt > 1).length;
      console.info(
        `${ROUNDS} kills (${inRecovery} before ready), ${feed.acknowledged.size} events, ` +
          `${settled.length} deliveries, ${retried} second attempts, ${feed.retries} retries in`,
      );
      // By two kills perhaps no request was cut off.
      if (ROUNDS >= 10) expect(retried).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});

/** Lets it live for a while; what stands in its log is seen before it is trimmed. */
async function live(
  serve: ServeProcess,
  stored: StoredTopics,
  lifeMs: number,
  isEnough: () => boolean = () => false,
): Promise<void> {
  const endsAtMs = performance.now() + lifeMs;
  await until(
    'its life is over',
    async () => {
      if (serve.hasEnded) throw new Error(`serve ended by itself:\n${serve.output}`);
      if (serve.isReady) await stored.collect();
      return performance.now() >= endsAtMs || isEnough();
    },
    { timeoutMs: lifeMs + 10_000, pollMs: Math.min(50, lifeMs) },
  );
}
