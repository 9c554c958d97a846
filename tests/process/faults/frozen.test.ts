/** A process is stopped under load for longer than every time-out, and goes on. */
import { afterEach, describe, expect, test } from 'vitest';
import { Prng } from '../../support/prng.ts';
import { until } from '../../support/until.ts';
import { EVERY_RULE } from '../campaigns.ts';
import { homeOf, homes, natsHomes } from '../homes.ts';
import { Stage } from '../stage.ts';
import { feedOf, lives, reckon, SEED, times } from './trial.ts';

/**
 * Behind: an attempt of a webhook (300 ms here), one on NATS (3 s), a checkpoint (1 s here), two
 * missed pings of the server (2 s here) and two heartbeats of the stream (8 s); the end of an
 * append's tries and of a pull (30 s); the memory of the server for what was sent twice (60 s).
 */
const FREEZES_MS = [9_000, 4_000, 40_000, 65_000];
const BETWEEN_MS_MAX = 1_500;
const EVENTS_PER_ROUND = 300;
const ROUNDS = times(1);
const TIMEOUT_MS = 120_000 + ROUNDS * 90_000;
const STAGE = {
  campaigns: EVERY_RULE,
  webhook: { timeout: '300ms', retry: ['200ms', '500ms'] },
  engine: { checkpointInterval: '1s' },
  isTrimmed: true,
  // So that the server gives a silent client up while it is frozen.
  natsOptions: { config: 'ping_interval: "1s"\nping_max: 1\nwrite_deadline: "1s"' },
};

const HOMES = await homes();
const NATS_HOMES = (await natsHomes()).slice(-1);

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

/** Freezes and thaws, round after round, while events come in. */
async function freezeUnderLoad(
  place: Stage,
  trial: { readonly fault: string; readonly log: string },
  victim: { freeze(): void; thaw(): void } | undefined,
): Promise<void> {
  const prng = new Prng(SEED);
  const serve = await place.serve().ready();
  const frozen = victim ?? serve;
  await place.stored();
  const feed = feedOf(place, ROUNDS * EVENTS_PER_ROUND);
  const feeding = feed.run(ROUNDS * 2_500);
  for (let round = 0; round < ROUNDS; round++) {
    await lives(serve, 500 + prng.below(BETWEEN_MS_MAX));
    frozen.freeze();
    await lives(serve, FREEZES_MS[round % FREEZES_MS.length]!);
    frozen.thaw();
    let ready: unknown;
    await until(
      'it is ready',
      async () => {
        const answer = await serve.readyz();
        ready = answer;
        return answer?.status === 200;
      },
      { describe: () => `${JSON.stringify(ready)}\n${serve.output}` },
    );
  }
  await feeding;
  expect(serve.hasEnded).toBe(false);
  await reckon({ stage: place, serve, feed }, { ...trial, tried: ROUNDS });
}

describe('SIGSTOP and SIGCONT', () => {
  test.each(HOMES)(
    'of serve lose nothing and do nothing twice, when the log is $name',
    async (home) => {
      stage = await Stage.open({ ...STAGE, ...homeOf(home) });
      const trial = { fault: 'SIGSTOP of serve', log: home.name };
      await freezeUnderLoad(stage, trial, undefined);
    },
    TIMEOUT_MS,
  );

  test.each(NATS_HOMES)(
    'of $name are got over without a restart of serve',
    async (home) => {
      stage = await Stage.open({ ...STAGE, natsOptions: {}, ...homeOf(home) });
      const trial = { fault: 'SIGSTOP of the NATS server', log: home.name };
      await freezeUnderLoad(stage, trial, stage.nats);
    },
    TIMEOUT_MS,
  );
});
