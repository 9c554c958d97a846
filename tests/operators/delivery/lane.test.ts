import { describe, expect, test } from 'vitest';
import { RETRY_SCHEDULE_MS } from '../../../operators/delivery/retry.ts';
import {
  BASE_MS,
  bodyOf,
  campaignOf,
  campaignsOf,
  deliveryOf,
  LaneBench,
  OK,
  status,
  TIMEOUT,
  TTL_MS,
  webhookOf,
} from './lane-bench.ts';

const QUIET_MS = 2;

function crowd(count: number, overrides = {}) {
  return Array.from({ length: count }, (_, i) => deliveryOf(`u${i}`, overrides));
}

describe('batches', () => {
  test('lane: a single delivery leaves after the quiet time, under its own id', () => {
    const bench = new LaneBench();
    bench.offer(deliveryOf('ann'));
    bench.runOut();
    expect(bench.attempts).toHaveLength(1);
    expect(bench.attempts[0]!.atMs).toBe(BASE_MS + QUIET_MS);
    expect(bench.attempts[0]!.attempt.webhookId).toBe('msg_ann');
    expect(bench.records.map(({ kind }) => kind)).toEqual(['settled']);
  });

  test('lane: 250 at once leave in three batches, full ones at once', () => {
    const bench = new LaneBench();
    bench.offer(...crowd(250));
    bench.runOut();
    const sizes = bench.attempts.map(({ atMs, attempt }) => [atMs, attempt.members.length]);
    expect(sizes).toEqual([
      [BASE_MS, 100],
      [BASE_MS, 100],
      [BASE_MS + QUIET_MS, 50],
    ]);
    expect(bench.usersByAttempt().flat()).toEqual(crowd(250).map(({ userId }) => userId));
  });

  test('lane: a batch leaves when its oldest has lingered, though others keep joining', () => {
    const bench = new LaneBench();
    const lingerMs = webhookOf().batch.lingerMs;
    for (let ms = 0; ms <= lingerMs; ms++) {
      bench.runUntil(BASE_MS + ms);
      bench.offer(deliveryOf(`u${ms}`));
    }
    bench.runUntil(BASE_MS + lingerMs);
    expect(bench.attempts).toHaveLength(1);
    expect(bench.attempts[0]!.attempt.members).toHaveLength(lingerMs);
  });

  test('lane: a batch is not attempted before its record is durable', () => {
    const { lane } = new LaneBench();
    lane.offer(1, crowd(2), BASE_MS);
    expect(lane.poll(BASE_MS + QUIET_MS)).toBeUndefined();
    expect(lane.takeRecords().map(({ kind }) => kind)).toEqual(['formed']);
    expect(lane.poll(BASE_MS + QUIET_MS)).toBeUndefined();
    lane.onDurable();
    expect(lane.poll(BASE_MS + QUIET_MS)?.members).toHaveLength(2);
  });

  test('lane: a batch holds one campaign only, and campaigns take turns', () => {
    const bench = new LaneBench({
      webhook: webhookOf({ batch: { max: 2, lingerMs: 50 }, maxInFlight: 1 }),
      campaigns: campaignsOf('big', 'small'),
    });
    const big = Array.from({ length: 6 }, (_, i) => deliveryOf(`b${i}`, { campaignId: 'big' }));
    const small = Array.from({ length: 2 }, (_, i) => deliveryOf(`s${i}`, { campaignId: 'small' }));
    bench.offer(...big, ...small);
    bench.runOut();
    const turns = bench.attempts.map(({ attempt }) => attempt.campaignId);
    expect(turns).toEqual(['big', 'small', 'big', 'big']);
  });

  test('lane: members that expire far apart do not share a batch', () => {
    const bench = new LaneBench();
    bench.offer(deliveryOf('soon', { expiresAtMs: BASE_MS + 100_000 }), deliveryOf('late'));
    bench.runOut();
    expect(bench.usersByAttempt()).toEqual([['soon'], ['late']]);
  });

  test('lane: no more are in flight than allowed, and formed ones count', () => {
    const webhook = webhookOf({ maxInFlight: 3, batch: { max: 2, lingerMs: 0 } });
    const { lane } = new LaneBench({ webhook });
    lane.offer(1, crowd(20), BASE_MS);
    expect(lane.poll(BASE_MS)).toBeUndefined();
    expect(lane.takeRecords()).toHaveLength(3);
    lane.onDurable();
    const attempts = [0, 1, 2].map(() => lane.poll(BASE_MS));
    expect(attempts.every((attempt) => attempt !== undefined)).toBe(true);
    expect(lane.poll(BASE_MS)).toBeUndefined();
    expect(lane.takeRecords()).toEqual([]);
    lane.onResult(attempts[0]!, OK, BASE_MS);
    expect(lane.poll(BASE_MS)).toBeUndefined();
    expect(lane.takeRecords().map(({ kind }) => kind)).toEqual(['settled', 'formed']);
  });
});

describe('outcomes', () => {
  test.each([408, 425, 429, 500, 502, 599])('lane: %i is tried again', (code) => {
    const bench = new LaneBench({}, (_, nth) => (nth === 1 ? status(code) : OK));
    bench.offer(deliveryOf('ann'));
    bench.runOut();
    expect(bench.attempts.map(({ attempt }) => attempt.attempt)).toEqual([1, 2]);
    expect(bench.outcomes).toEqual(['ann:delivered']);
  });

  test.each([301, 302, 400, 401, 404, 422])('lane: %i is final', (code) => {
    const bench = new LaneBench({}, () => status(code));
    bench.offer(deliveryOf('ann'));
    bench.runOut();
    expect(bench.attempts).toHaveLength(1);
    expect(bench.outcomes).toEqual([`ann:http-${code}`]);
    expect(bench.settled[0]!.last).toMatchObject({ attempt: 1, answer: code });
  });

  test('lane: 204 is a success, unless only 200 is', () => {
    for (const [success, wanted] of [
      ['2xx', 'ann:delivered'],
      ['200', 'ann:http-204'],
    ] as const) {
      const bench = new LaneBench({ webhook: webhookOf({ success }) }, () => status(204));
      bench.offer(deliveryOf('ann'));
      bench.runOut();
      expect(bench.outcomes).toEqual([wanted]);
    }
  });

  test('lane: a retry has the same id and members, a new number, and waits at least as long', () => {
    const bench = new LaneBench({}, (_, nth) => (nth < 4 ? status(500) : OK));
    bench.offer(...crowd(3));
    bench.runOut();
    const ids = new Set(bench.attempts.map(({ attempt }) => attempt.webhookId));
    expect(ids.size).toBe(1);
    expect(new Set(bench.usersByAttempt().map((users) => users.join()))).toEqual(
      new Set(['u0,u1,u2']),
    );
    for (let i = 1; i < bench.attempts.length; i++) {
      const waitedMs = bench.attempts[i]!.atMs - bench.attempts[i - 1]!.atMs;
      const scheduledMs = RETRY_SCHEDULE_MS[i - 1]!;
      expect(waitedMs).toBeGreaterThanOrEqual(scheduledMs);
      expect(waitedMs).toBeLessThanOrEqual(scheduledMs + Math.max(scheduledMs / 4, 1_000));
      expect(bench.attempts[i]!.attempt.attempt).toBe(i + 1);
    }
  });

  test('lane: given up as expired when the next attempt would come too late', () => {
    const bench = new LaneBench({}, () => TIMEOUT);
    bench.offer(deliveryOf('ann', { expiresAtMs: BASE_MS + 60_000 }));
    bench.runOut();
    expect(bench.outcomes).toEqual(['ann:expired']);
    expect(bench.attempts.length).toBe(3);
    expect(bench.settled[0]!.atMs).toBeLessThanOrEqual(BASE_MS + 60_000);
  });

  test('lane: one that never got its turn expires in time, in the queue', () => {
    const bench = new LaneBench({ webhook: webhookOf({ maxInFlight: 1 }) }, () => OK, 10_000);
    bench.offer(deliveryOf('first'));
    bench.runUntil(BASE_MS + 1_000);
    bench.offer(deliveryOf('second', { expiresAtMs: BASE_MS + 5_000 }));
    bench.runOut();
    expect(bench.outcomes).toEqual(['second:expired', 'first:delivered']);
    expect(bench.settled[0]!.atMs).toBe(BASE_MS + 5_000);
  });

  test('lane: an attempt in flight at expiry may finish', () => {
    const bench = new LaneBench({}, () => OK, 4_000);
    bench.offer(deliveryOf('ann', { expiresAtMs: BASE_MS + 1_000 }));
    bench.runOut();
    expect(bench.outcomes).toEqual(['ann:delivered']);
  });

  test('lane: what lost its campaign is cancelled, wherever it is', () => {
    const bench = new LaneBench({ campaigns: campaignsOf('c', 'd') }, () => status(500));
    bench.offer(deliveryOf('retrying'), deliveryOf('retrying-too'));
    bench.runUntil(BASE_MS + 1_000);
    bench.offer(deliveryOf('queued'), deliveryOf('other', { campaignId: 'd' }));
    bench.lane.update({ webhook: webhookOf(), campaigns: campaignsOf('d') }, bench.nowMs);
    bench.offer(deliveryOf('later'));
    bench.runUntil(bench.nowMs);
    expect(bench.outcomes.toSorted()).toEqual([
      'later:cancelled',
      'queued:cancelled',
      'retrying-too:cancelled',
      'retrying:cancelled',
    ]);
    expect(bench.lane.pendingCount).toBe(1);
  });

  test('lane: one in flight when its campaign goes is not tried again', () => {
    const bench = new LaneBench({}, () => status(500), 100);
    bench.offer(deliveryOf('ann'));
    bench.runUntil(BASE_MS + 50);
    bench.lane.update({ webhook: webhookOf(), campaigns: new Map() }, bench.nowMs);
    bench.runOut();
    expect(bench.outcomes).toEqual(['ann:cancelled']);
    expect(bench.attempts).toHaveLength(1);
  });
});

describe('pace', () => {
  test('lane: Retry-After holds the whole webhook back', () => {
    const answer = (_: unknown, nth: number) => (nth === 1 ? status(429, '40') : OK);
    const bench = new LaneBench({ webhook: webhookOf({ batch: { max: 1, lingerMs: 0 } }) }, answer);
    bench.offer(deliveryOf('u1'));
    bench.runUntil(BASE_MS + 10_000);
    bench.offer(deliveryOf('u2'));
    bench.runOut();
    const held = bench.attempts.slice(1);
    expect(held.map(({ atMs }) => atMs)).toEqual([BASE_MS + 40_000, BASE_MS + 40_000]);
    expect(bench.outcomes.toSorted()).toEqual(['u1:delivered', 'u2:delivered']);
  });

  test('lane: a message that expired on its way does not shorten a hold', () => {
    const [HOLD_MS, LATENCY_MS] = [40_000, 2_000];
    const answer = (_: unknown, nth: number) => (nth === 1 ? status(429, '40') : OK);
    const batch = { max: 1, lingerMs: 0 };
    const bench = new LaneBench({ webhook: webhookOf({ batch }) }, answer, LATENCY_MS);
    bench.offer(deliveryOf('u1', { expiresAtMs: BASE_MS + 1_000 }));
    bench.runUntil(BASE_MS + 10_000);
    bench.offer(deliveryOf('u2'));
    bench.runOut();
    expect(bench.attempts[1]!.atMs).toBe(BASE_MS + LATENCY_MS + HOLD_MS);
  });

  test('lane: a Retry-After on another status holds nothing', () => {
    const bench = new LaneBench({}, (_, nth) => (nth === 1 ? status(500, '40') : OK));
    bench.offer(deliveryOf('ann'));
    bench.runOut();
    expect(bench.attempts[1]!.atMs).toBeLessThan(BASE_MS + 4_000);
  });

  test('lane: the rate spreads attempts evenly', () => {
    const rate = { limit: 60, perMs: 60_000, burst: 1 };
    const bench = new LaneBench({ webhook: webhookOf({ rate, batch: { max: 1, lingerMs: 0 } }) });
    bench.offer(...crowd(180));
    bench.runOut();
    const intervalMs = rate.perMs / rate.limit;
    expect(bench.attempts.map(({ atMs }) => atMs)).toEqual(
      crowd(180).map((_, i) => BASE_MS + i * intervalMs),
    );
  });

  test('lane: with a rate, batches fill up while they wait for their turn', () => {
    const rate = { limit: 1, perMs: 10_000, burst: 1 };
    const bench = new LaneBench({ webhook: webhookOf({ rate }) });
    bench.offer(deliveryOf('first'));
    for (let ms = 1_000; ms <= 9_000; ms += 1_000) {
      bench.runUntil(BASE_MS + ms);
      bench.offer(deliveryOf(`u${ms}`));
    }
    bench.runOut();
    expect(bench.attempts.map(({ attempt }) => attempt.members.length)).toEqual([1, 9]);
  });

  test('lane: takes in no more than it has room for', () => {
    const bench = new LaneBench({ deliveriesMax: 10, webhook: webhookOf({ maxInFlight: 1 }) });
    expect(bench.lane.room).toBe(10);
    bench.offer(...crowd(8));
    expect(bench.lane.room).toBe(2);
    bench.runOut();
    expect(bench.lane.room).toBe(10);
    expect(bench.lane.pendingCount).toBe(0);
  });
});

describe('update', () => {
  test('lane: contents are those at the time of sending', () => {
    const bench = new LaneBench({}, (_, nth) => (nth === 1 ? status(500) : OK));
    bench.offer(deliveryOf('ann'));
    bench.runUntil(BASE_MS + 1_000);
    const { content } = campaignOf('c');
    const renamed = campaignOf('c', { content: { ...content, keyValues: { code: 'MT50' } } });
    const campaigns = new Map([['c', renamed]]);
    bench.lane.update({ webhook: webhookOf({ url: 'https://new.test/' }), campaigns }, bench.nowMs);
    bench.runOut();
    expect(bodyOf(bench.attempts[0]!.attempt)).toMatchObject({ key_values: {} });
    expect(bodyOf(bench.attempts[1]!.attempt)).toMatchObject({ key_values: { code: 'MT50' } });
    expect(bench.attempts[1]!.attempt.request.url).toBe('https://new.test/');
  });

  test('lane: nothing is left behind once everything is settled', () => {
    const bench = new LaneBench({}, (_, nth) => (nth % 3 === 0 ? OK : status(500)));
    for (let i = 0; i < 20; i++) {
      bench.offer(...crowd(7, { dueAtMs: bench.nowMs }));
      bench.runUntil(bench.nowMs + 30_000);
    }
    bench.runUntil(BASE_MS + 2 * TTL_MS);
    expect(bench.lane.pendingCount).toBe(0);
    expect(bench.lane.nextWakeAtMs(bench.nowMs)).toBeUndefined();
    expect(bench.lane.snapshot(true)).toMatchObject({ open: [], batches: [], readTo: 20 });
    expect(bench.lane.base).toBe(20);
  });
});
