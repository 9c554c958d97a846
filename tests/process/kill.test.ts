/**
 * `kill -9` of `serve` at random moments under load: no acknowledged event is lost, every
 * qualification is settled once, every attempt of a delivery has one and the same id.
 *
 *   LAPSE_KILL_ROUNDS  how often a process is killed in each test (default 2)
 *   LAPSE_KILL_SEED    another course of events and moments
 */
import { afterEach, describe, expect, test } from 'vitest';
import { EventFeed, planEvents } from '../support/event-feed.ts';
import { natsPrograms } from '../support/nats-server.ts';
import { Prng } from '../support/prng.ts';
import type { ServeProcess } from '../support/serve-process.ts';
import { until } from '../support/until.ts';
import { EVERY_RULE } from './campaigns.ts';
import { Stage } from './stage.ts';
import type { StoredTopics } from './stored-topics.ts';

const ROUNDS = Number(process.env.LAPSE_KILL_ROUNDS ?? 2);
const SEED = Number(process.env.LAPSE_KILL_SEED ?? 1);
/** A process lives so long, at most, from the moment it is started: recovery, load, checkpoints. */
const LIFE_MS_MAX = 4_000;
/** Right after the start, before it is ready. */
const EARLY_MS_MAX = 600;
const EARLY_SHARE = 0.25;
const EVENTS_PER_ROUND = 500;
const TIMEOUT_MS = 60_000 + ROUNDS * 15_000;
const programs = await natsPrograms();
const newest = programs.at(-1);
const homes = [
  ['embedded', undefined],
  ...(newest === undefined ? [] : [[`NATS ${newest.version}`, newest] as const]),
] as const;

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

describe('kill -9 at random moments', () => {
  test.each(homes)(
    'loses nothing, decides once and sends by one id, when the log is %s',
    async (_name, nats) => {
      const prng = new Prng(SEED);
      stage = await Stage.open({
        campaigns: EVERY_RULE,
        webhook: { timeout: '300ms', retry: ['200ms', '500ms'] },
        engine: { checkpointInterval: '1s' },
        isTrimmed: true,
        ...(nats === undefined ? {} : { nats }),
      });
      const receiver = new Prng(SEED + 1);
      stage.sink.misbehave = () =>
        receiver.chance(0.15) ? 500 : receiver.chance(0.05) ? 'hang' : 200;
      let serve = await stage.serve().ready();
      const stored = await stage.stored();
      const count = EVENTS_PER_ROUND * ROUNDS;
      const events = planEvents({ seed: SEED, count, users: 60 });
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
      const { settled } = await stage.reckon(serve, feed.acknowledged);
      const retried = stage.sink.requests.filter(({ attempt }) => attempt > 1).length;
      console.info(
        `${ROUNDS} kills (${inRecovery} before ready), ${feed.acknowledged.size} events, ` +
          `${settled.length} deliveries, ${retried} second attempts, ${feed.retries} retries in`,
      );
      expect(retried).toBeGreaterThan(0);
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
