import { describe, expect, test } from 'vitest';
import { httpDateMs } from '../../../operators/delivery/http-date.ts';
import { RETRY_AFTER_MS_MAX, retryAfterMs } from '../../../operators/delivery/retry.ts';
import {
  BASE_MS,
  campaignOf,
  campaignsOf,
  deliveryOf,
  LaneBench,
  OK,
  status,
  TTL_MS,
  webhookOf,
} from './lane-bench.ts';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const single = { batch: { max: 1, lingerMs: 0 } };

describe('Retry-After as a date', () => {
  const MOMENT_MS = Date.parse('1994-11-06T08:49:37Z');
  const NOW_MS = Date.parse('1994-11-06T08:49:00Z');

  // The examples of RFC 9110, and what senders make of them.
  test.each([
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37 +0000',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'sun, 06 nov 1994 08:49:37 gmt',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sunday, 06-Nov-94 08:49:37',
    'Sun Nov  6 08:49:37 1994',
    'Sun Nov 6 08:49:37 1994',
    'Sun Nov  6 08:49:37 1994 GMT',
  ])('"%s" is read as UTC, whatever the zone of the machine', (text) => {
    const zone = process.env.TZ;
    try {
      for (const TZ of ['UTC', 'America/New_York', 'Asia/Kolkata']) {
        process.env.TZ = TZ;
        expect(httpDateMs(text, NOW_MS)).toBe(MOMENT_MS);
        expect(retryAfterMs(text, NOW_MS)).toBe(37 * SECOND_MS);
      }
    } finally {
      if (zone === undefined) delete process.env.TZ;
      else process.env.TZ = zone;
    }
  });

  test.each([
    '',
    'soon',
    '1994',
    '1994-11-06T08:49:37Z',
    'Sun, 31 Feb 1994 08:49:37 GMT',
    'Sun, 06 Foo 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:49:37 GMT',
    'Sun, 06 Nov 1994 08:61:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 EST',
    'Sun, 06 Nov 1994 08:49:37 GMT, 5',
  ])('"%s" is none', (text) => {
    expect(httpDateMs(text, NOW_MS)).toBeNaN();
  });

  test('two digits of a year are of this century unless that were over 50 years ahead', () => {
    const now2026Ms = Date.parse('2026-01-05T09:00:00Z');
    const yearOf = (text: string) => new Date(httpDateMs(text, now2026Ms)).getUTCFullYear();
    expect(yearOf('Monday, 05-Jan-26 09:00:30 GMT')).toBe(2026);
    expect(yearOf('Monday, 05-Jan-76 09:00:30 GMT')).toBe(2076);
    expect(yearOf('Monday, 05-Jan-77 09:00:30 GMT')).toBe(1977);
  });
});

describe('a hold never lets a message expire by itself', () => {
  test.each(['3600', '7200', '99999999999999999999', 'Fri, 31 Dec 2027 23:59:59 GMT'])(
    'Retry-After "%s" leaves a message of an hour an attempt before its end',
    (asked) => {
      const bench = new LaneBench({}, (_, nth) => (nth === 1 ? status(503, asked) : OK));
      bench.offer(deliveryOf('ann'));
      bench.runOut();
      expect(bench.outcomes).toEqual(['ann:delivered']);
      expect(bench.attempts[1]!.atMs).toBeLessThan(BASE_MS + TTL_MS);
      expect(bench.attempts[1]!.atMs).toBeGreaterThan(BASE_MS + TTL_MS - 10 * SECOND_MS);
    },
  );

  test('a message with a longer life waits for as long as the receiver asked, an hour at most', () => {
    const expiresAtMs = BASE_MS + 24 * HOUR_MS;
    const bench = new LaneBench({}, (_, nth) => (nth === 1 ? status(503, '7200') : OK));
    bench.offer(deliveryOf('ann', { expiresAtMs }));
    bench.runOut();
    const [first, second] = bench.attempts;
    expect(second!.atMs - first!.atMs).toBe(RETRY_AFTER_MS_MAX);
  });

  test('neither one that waited before the hold, nor one that comes during it, expires', () => {
    const longMs = BASE_MS + 24 * HOUR_MS;
    const answer = (_: unknown, nth: number) => (nth === 1 ? status(429, '1800') : OK);
    const campaigns = new Map(['c', 'd'].map((id) => [id, campaignOf(id)]));
    const bench = new LaneBench(
      { campaigns, webhook: webhookOf({ ...single, maxInFlight: 1 }) },
      answer,
    );
    bench.offer(
      deliveryOf('first', { expiresAtMs: longMs }),
      deliveryOf('waiting', { campaignId: 'd', expiresAtMs: BASE_MS + 20 * 60_000 }),
    );
    bench.runUntil(BASE_MS + 60_000);
    bench.offer(deliveryOf('coming', { expiresAtMs: BASE_MS + 10 * 60_000 }));
    bench.runOut();
    expect(bench.outcomes.toSorted()).toEqual([
      'coming:delivered',
      'first:delivered',
      'waiting:delivered',
    ]);
    expect(bench.attempts[1]!.atMs).toBeGreaterThan(BASE_MS + 9 * 60_000);
  });

  test('a receiver that asks again and again is asked at most once a second', () => {
    const bench = new LaneBench({ webhook: webhookOf({ ...single, maxInFlight: 1 }) }, () =>
      status(503, '3600'),
    );
    const lifeMs = 5 * SECOND_MS;
    bench.offer(
      ...Array.from({ length: 100 }, (_, i) =>
        deliveryOf(`u${i}`, { expiresAtMs: BASE_MS + lifeMs }),
      ),
    );
    bench.runOut();
    expect(bench.attempts.length).toBeLessThanOrEqual(lifeMs / SECOND_MS + 1);
  });
});

test('a lane that starts with a clock set back by an hour sends at once, and at its rate', () => {
  const rate = { limit: 10, perMs: 1_000, burst: 1 };
  const before = new LaneBench({ webhook: webhookOf({ ...single, rate }) }, () =>
    status(429, '60'),
  );
  before.offer(deliveryOf('old', { expiresAtMs: BASE_MS + 24 * HOUR_MS }));
  before.runUntil(BASE_MS + SECOND_MS);
  const snapshot = before.lane.snapshot(true);

  const after = new LaneBench({
    webhook: webhookOf({ ...single, rate }),
    campaigns: campaignsOf('c'),
  });
  after.nowMs = BASE_MS - 2 * HOUR_MS;
  after.lane.restore({ ...snapshot, open: [], batches: [], readTo: 0 });
  after.lane.recovered(0, after.nowMs);
  after.offer(...['a', 'b', 'c'].map((name) => deliveryOf(name)));
  after.runUntil(after.nowMs + RETRY_AFTER_MS_MAX + SECOND_MS);
  expect(after.outcomes).toEqual(['a:delivered', 'b:delivered', 'c:delivered']);
  const times = after.attempts.map(({ atMs }) => atMs);
  expect(times[1]! - times[0]!).toBe(100);
});

test('the signature has the time of the system clock, the records have the time of the log', () => {
  const bench = new LaneBench();
  bench.offer(deliveryOf('ann'));
  const wallMs = BASE_MS - HOUR_MS;
  const attempt = bench.lane.poll(BASE_MS + 50, wallMs)!;
  expect(attempt.request.headers['webhook-timestamp']).toBe(String(wallMs / 1_000));
  expect(attempt.startedAtMs).toBe(BASE_MS + 50);
});
