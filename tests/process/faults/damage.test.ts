/** Checkpoints that the disk has spoilt. */
import { afterEach, describe, expect, test } from 'vitest';
import { EventFeed, planEvents } from '../../support/event-feed.ts';
import { until } from '../../support/until.ts';
import { EVERY_RULE } from '../campaigns.ts';
import { checkpointsOf, damage } from '../checkpoint-folder.ts';
import { Stage } from '../stage.ts';

const EVENTS = 600;
const FEED_MS = 3_500;

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

/** Runs under load until there are two generations and windows are open; then it is killed. */
async function killedWithTwoGenerations(): Promise<{ stage: Stage; feed: EventFeed }> {
  const opened = await Stage.open({
    campaigns: EVERY_RULE,
    engine: { partitions: 1, checkpointInterval: '1s' },
  });
  stage = opened;
  const serve = await opened.serve().ready();
  const stored = await opened.stored();
  const events = planEvents({ seed: 9, count: EVENTS, users: 40 });
  const feed = new EventFeed(events, opened.producer);
  const feeding = feed.run(FEED_MS);
  await until('two generations are there', async () => {
    await stored.collect();
    return checkpointsOf(opened.data, 0).length === 2 && feed.acknowledged.size > EVENTS / 2;
  });
  feed.stop();
  await feeding;
  await serve.kill();
  await stored.collect();
  return { stage: opened, feed };
}

describe('a damaged checkpoint', () => {
  test.each([0.1, 1])(
    'gives way to the one before with a warning, when the bit is at %d of the file',
    async (share) => {
      const { stage: place, feed } = await killedWithTwoGenerations();
      await damage(checkpointsOf(place.data, 0)[0]!, share);
      const serve = await place.serve().ready();
      expect(serve.warnings.map(({ code }) => code)).toEqual(['ERR_CHECKPOINT_CORRUPT']);
      await place.reckon(serve, feed);
    },
  );

  test('stops the start when it is not the only one and the log is trimmed', async () => {
    const { stage: place } = await killedWithTwoGenerations();
    for (const checkpoint of checkpointsOf(place.data, 0)) await damage(checkpoint, 0.5);
    const serve = place.serve();
    expect(await serve.ended()).toBe(2);
    expect(serve.output).toContain('ERR_STATE_LOST');
    expect(serve.output).not.toMatch(/^\s+at /m);
  });
});
