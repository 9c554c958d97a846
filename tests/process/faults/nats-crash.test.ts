/** The NATS server dies and comes back under a running `serve`. */
import { afterEach, describe, expect, test } from 'vitest';
import { EventFeed, planEvents } from '../../support/event-feed.ts';
import { natsPrograms } from '../../support/nats-server.ts';
import { until } from '../../support/until.ts';
import { EVERY_RULE } from '../campaigns.ts';
import { Stage } from '../stage.ts';

const EVENTS = 800;
const FEED_MS = 3_000;
const programs = await natsPrograms();

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

describe.each(programs)('a crash of NATS $version', (nats) => {
  test('is said, is got over without a restart and loses nothing', async () => {
    stage = await Stage.open({ campaigns: EVERY_RULE, nats });
    const serve = await stage.serve().ready();
    await stage.stored();
    const events = planEvents({ seed: 5, count: EVENTS, users: 60, hasJoins: true });
    const feed = new EventFeed(events, stage.producer);
    const feeding = feed.run(FEED_MS);
    await until('half of the events are in', () => feed.acknowledged.size > EVENTS / 2);
    await stage.nats!.kill();
    await until('it says that it is not ready', async () => (await serve.readyz())?.status === 503);
    await until('it says why', () => serve.line('ERR_NATS_DOOR'));
    await stage.nats!.restart();
    await until('it is ready again', async () => (await serve.readyz())?.status === 200);
    await feeding;
    expect(serve.hasEnded).toBe(false);
    await stage.reckon(serve, feed);
  });
});
