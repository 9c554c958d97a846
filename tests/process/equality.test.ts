/** The same events by `simulate` and by `serve` on either log: the same qualifications. */
import { afterEach, describe, expect, test } from 'vitest';
import { EventFeed, planEvents } from '../support/event-feed.ts';
import { natsPrograms } from '../support/nats-server.ts';
import { EVERY_RULE } from './campaigns.ts';
import { Stage } from './stage.ts';

const EVENTS = planEvents({ seed: 7, count: 3_000, users: 200, hasJoins: true });
const FEED_MS = 7_000;
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

describe('serve and simulate', () => {
  test.each(homes)('decide alike, when the log is %s', async (_name, nats) => {
    stage = await Stage.open({ campaigns: EVERY_RULE, ...(nats === undefined ? {} : { nats }) });
    const process = await stage.serve().ready();
    await stage.stored();
    const feed = new EventFeed(EVENTS, stage.producer);
    await feed.run(FEED_MS);
    const { input, expected } = await stage.reckon(process, feed);
    const stored = EVENTS.filter(({ type }) => type !== 'alias');
    expect(input.taken).toBe(stored.length);
    expect(input.leaves.length).toBeGreaterThan(0);
    expect(process.warnings).toEqual([]);
    // Every campaign is met, or the comparison says little.
    const met = new Set([...expected.values()].map(({ campaign }) => campaign));
    expect([...met].sort()).toEqual(EVERY_RULE.map(({ id }) => id).sort());
  });
});
