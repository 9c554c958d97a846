import { expect, test } from 'vitest';
import type { Campaign } from '../../../operators/definitions.ts';
import type { Life } from '../../../operators/router/campaign-entry.ts';
import {
  BASE_MS,
  campaignOf,
  deliveryOf,
  LaneBench,
  OK,
  status,
  TTL_MS,
  webhookOf,
} from './lane-bench.ts';

const MINUTE_MS = 60_000;
/** Waits before the second attempt and later ones. */
const RETRY_MS = 2 * MINUTE_MS;
const ONE_BY_ONE = webhookOf({ batch: { max: 1, lingerMs: 0 }, retryScheduleMs: [RETRY_MS] });

function definitions(lives: Readonly<Record<string, Life>>, overrides: Partial<Campaign> = {}) {
  return {
    webhook: ONE_BY_ONE,
    campaigns: new Map(['c', 'd'].map((id) => [id, campaignOf(id, overrides)])),
    lives: new Map(Object.entries(lives)),
  };
}

function minutes(count: number): number {
  return BASE_MS + count * MINUTE_MS;
}

test('a paused campaign: nothing of it is attempted, others go on, and nothing is lost', () => {
  const bench = new LaneBench(definitions({ c: 'paused' }));
  bench.offer(deliveryOf('ann'), deliveryOf('bob', { campaignId: 'd' }), deliveryOf('cid'));
  bench.runUntil(minutes(10));
  expect(bench.outcomes).toEqual(['bob:delivered']);
  bench.lane.update(definitions({}), bench.nowMs);
  bench.runUntil(minutes(11));
  expect(bench.outcomes).toEqual(['bob:delivered', 'ann:delivered', 'cid:delivered']);
  expect(bench.attempts[1]?.atMs).toBe(minutes(10));
});

test('a paused campaign: a retry waits for its end, and is made at once then', () => {
  const bench = new LaneBench(definitions({}), (_, nth) => (nth === 1 ? status(500) : OK));
  bench.offer(deliveryOf('ann'));
  bench.runUntil(minutes(1));
  bench.lane.update(definitions({ c: 'paused' }), bench.nowMs);
  bench.runUntil(minutes(20));
  expect(bench.attempts).toHaveLength(1);
  bench.lane.update(definitions({}), bench.nowMs);
  bench.runOut();
  expect(bench.attempts.map(({ atMs }) => atMs)).toEqual([BASE_MS, minutes(20)]);
  expect(bench.outcomes).toEqual(['ann:delivered']);
});

test('a paused campaign: time to live goes on (E40)', () => {
  const bench = new LaneBench(definitions({ c: 'paused' }));
  bench.offer(deliveryOf('ann'));
  bench.runUntil(BASE_MS + TTL_MS);
  expect(bench.outcomes).toEqual(['ann:expired']);
  expect(bench.attempts).toEqual([]);
});

test('a paused campaign: it wakes the lane for its expiry alone', () => {
  const bench = new LaneBench(definitions({ c: 'paused' }));
  bench.offer(deliveryOf('ann'));
  bench.runUntil(minutes(1));
  expect(bench.lane.nextWakeAtMs(bench.nowMs)).toBe(BASE_MS + TTL_MS);
});

test.each(['stopped', 'archived', 'draft'] as const)(
  'a campaign that is %s: what waits is cancelled',
  (life) => {
    const bench = new LaneBench(definitions({}), () => status(500), 10);
    bench.offer(deliveryOf('ann'));
    bench.runUntil(minutes(1));
    bench.lane.update(definitions({ c: 'paused' }), bench.nowMs);
    bench.offer(deliveryOf('bob'));
    bench.runUntil(minutes(1) + 5);
    bench.lane.update(definitions({ c: life }), bench.nowMs);
    bench.offer(deliveryOf('cid'));
    bench.runOut();
    expect(bench.attempts).toHaveLength(1);
    expect(bench.outcomes.toSorted()).toEqual(['ann:cancelled', 'bob:cancelled', 'cid:cancelled']);
  },
);

test('a campaign that is stopped: what is in flight may finish', () => {
  const bench = new LaneBench(definitions({}), () => OK, 100);
  bench.offer(deliveryOf('ann'));
  bench.runUntil(BASE_MS + 50);
  bench.lane.update(definitions({ c: 'stopped' }), bench.nowMs);
  bench.runOut();
  expect(bench.outcomes).toEqual(['ann:delivered']);
});

test('a campaign that has ended: what is due at the end is sent, nothing later (E47)', () => {
  const ends = (atMs: number) => definitions({}, { schedule: { endAtMs: atMs } });
  const bench = new LaneBench(ends(minutes(1)), (_, nth) => (nth === 1 ? status(500) : OK));
  bench.offer(deliveryOf('ann'));
  bench.runUntil(BASE_MS);
  // Its retry would come after the end.
  expect(bench.outcomes).toEqual(['ann:campaign-ended']);
  bench.runUntil(minutes(1));
  bench.offer(deliveryOf('bob'));
  bench.runUntil(minutes(1));
  bench.nowMs++;
  bench.offer(deliveryOf('cid'));
  bench.runOut();
  expect(bench.outcomes).toEqual(['ann:campaign-ended', 'bob:delivered', 'cid:campaign-ended']);
});

test('a campaign whose end is moved: what waits goes by the new one', () => {
  const ends = (atMs?: number) =>
    definitions({ c: 'paused' }, { schedule: atMs === undefined ? {} : { endAtMs: atMs } });
  const bench = new LaneBench(ends(minutes(5)));
  bench.offer(deliveryOf('ann'));
  bench.lane.update(ends(minutes(20)), bench.nowMs);
  bench.runUntil(minutes(10));
  expect(bench.outcomes).toEqual([]);
  bench.lane.update(ends(minutes(12)), bench.nowMs);
  bench.runUntil(minutes(12) + 1);
  expect(bench.outcomes).toEqual(['ann:campaign-ended']);
  expect(bench.settled[0]?.atMs).toBe(minutes(12) + 1);
});
