import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeDeliveries, encodeDeliveries } from '../../../operators/delivery/codec.ts';
import { Deadlines } from '../../../operators/delivery/deadlines.ts';
import type { Delivery } from '../../../operators/delivery/delivery.ts';
import {
  decodeRecords,
  decodeSnapshot,
  encodeRecords,
  encodeSnapshot,
} from '../../../operators/delivery/done-codec.ts';
import type { LaneRecord, LaneSnapshot } from '../../../operators/delivery/lane-records.ts';
import { RateLimit } from '../../../operators/delivery/rate-limit.ts';
import {
  BASE_MS,
  campaignsOf,
  deliveryOf,
  LaneBench,
  OK,
  status,
  webhookOf,
} from './lane-bench.ts';

const instant = fc.integer({ min: 0, max: 2 ** 42 });
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const delivery: fc.Arbitrary<Delivery> = fc.record({
  id: text,
  campaignId: fc.constantFrom('a', 'b', 'ç'),
  userId: text,
  qualifiedAtMs: instant,
  dueAtMs: instant,
  expiresAtMs: instant,
  body: text,
});
const position = fc.record({ offset: fc.integer({ min: 1, max: 2 ** 50 }), index: fc.nat(65_535) });
const facts = fc.record({
  attempt: fc.integer({ min: 1, max: 100 }),
  startedAtMs: instant,
  answer: fc.oneof(
    fc.integer({ min: 100, max: 599 }),
    fc.constantFrom('timeout' as const, 'dns' as const),
  ),
  durationMs: fc.nat(),
});
/** What asks for nothing is left out. */
const outcomeFlags = fc.constantFrom(
  {},
  { wantsOutcome: true },
  { isAnonymous: true },
  { isAnonymous: true, wantsOutcome: true },
);
const positions = fc.array(position, { minLength: 1, maxLength: 5 });
const places = fc.record({ campaignId: text, day: fc.nat(60_000) });
const record: fc.Arbitrary<LaneRecord> = fc.oneof(
  fc.record(
    { kind: fc.constant('formed' as const), webhookId: text, members: positions, places },
    { requiredKeys: ['kind', 'webhookId', 'members'] },
  ),
  fc
    .record({ webhookId: text, members: positions, retryAtMs: instant, holdUntilMs: instant })
    .chain((rest) => facts.map((known) => ({ kind: 'retry' as const, ...rest, ...known }))),
  fc.record(
    {
      kind: fc.constant('settled' as const),
      webhookId: text,
      campaignId: text,
      outcome: fc.constantFrom('delivered', 'failed', 'suppressed'),
      reason: text,
      atMs: instant,
      last: facts,
      members: fc.array(
        fc
          .tuple(position, fc.record({ id: text, userId: text }), outcomeFlags)
          .map(([at, named, flags]) => ({ ...at, ...named, ...flags })),
        { minLength: 1, maxLength: 5 },
      ),
    },
    { requiredKeys: ['kind', 'webhookId', 'campaignId', 'outcome', 'reason', 'atMs', 'members'] },
  ),
);
const snapshot: fc.Arbitrary<LaneSnapshot> = fc.record({
  readTo: fc.nat(),
  open: fc.array(
    fc.record({ offset: fc.nat(), count: fc.nat(1_000), settled: fc.array(fc.nat(999)) }),
  ),
  batches: fc.array(
    fc.record(
      { webhookId: text, attempts: fc.nat(50), retryAtMs: instant, members: positions, places },
      { requiredKeys: ['webhookId', 'attempts', 'retryAtMs', 'members'] },
    ),
  ),
  rateArrivalAtMs: fc.double({ min: 0, max: 2 ** 42, noNaN: true }),
  holdUntilMs: instant,
  aloneUpTo: fc.nat(),
  isClean: fc.boolean(),
  caps: fc.array(
    fc.record({
      campaignId: text,
      delivered: fc.nat(),
      day: fc.nat(60_000),
      dayDelivered: fc.nat(),
    }),
  ),
});

test('codec: deliveries come back as they were, also after the next envelope is written', () => {
  fc.assert(
    fc.property(fc.array(delivery), fc.array(delivery), (first, second) => {
      const bytes = encodeDeliveries(first);
      encodeDeliveries(second);
      expect(decodeDeliveries(bytes)).toEqual(first);
    }),
  );
});

test('codec: lane records and snapshots come back as they were', () => {
  fc.assert(
    fc.property(fc.array(record), snapshot, (records, state) => {
      const bytes = encodeRecords(records);
      const stateBytes = encodeSnapshot(state);
      expect(decodeRecords(bytes)).toEqual(records);
      expect(decodeSnapshot(stateBytes)).toEqual(state);
    }),
  );
});

test('codec: an envelope of another version, or cut short, is refused by name', () => {
  const bytes = encodeDeliveries([deliveryOf('ann')]);
  const newer = Uint8Array.from(bytes);
  newer[0] = 9;
  expect(() => decodeDeliveries(newer)).toThrow(
    expect.objectContaining({ code: 'ERR_ENVELOPE_VERSION' }),
  );
  expect(() => decodeDeliveries(bytes.subarray(0, 12))).toThrow(
    expect.objectContaining({ code: 'ERR_ENVELOPE_CORRUPT' }),
  );
  expect(() => decodeRecords(new Uint8Array(0))).toThrow(
    expect.objectContaining({ code: 'ERR_ENVELOPE_VERSION' }),
  );
});

test('codec: a delivery costs little more than its texts', () => {
  const many = Array.from({ length: 100 }, (_, i) => deliveryOf(`u${i}`));
  const texts = many.reduce(
    (sum, { id, userId, body }) => sum + id.length + userId.length + body.length,
    0,
  );
  expect(encodeDeliveries(many).length).toBeLessThan(texts + 100 * 16);
});

test('deadlines: come up in order of time, then of arrival, without the dead', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(50), fc.boolean()), { maxLength: 4_000 }), (added) => {
      const deadlines = new Deadlines<{ n: number; isLive: boolean }>(({ isLive }) => isLive);
      const values = added.map(([atMs], n) => ({ atMs, n, isLive: true }));
      for (const value of values) deadlines.add(value.atMs, value);
      values.forEach((value, n) => {
        value.isLive = added[n]![1];
      });
      const wanted = values
        .filter(({ isLive }) => isLive)
        .toSorted((a, b) => a.atMs - b.atMs || a.n - b.n);
      const taken = [];
      for (let next = deadlines.takeDue(99); next !== undefined; next = deadlines.takeDue(99))
        taken.push(next);
      expect(taken).toEqual(wanted);
    }),
    { numRuns: 30 },
  );
});

test('deadlines: the dead do not pile up', () => {
  const deadlines = new Deadlines<{ isLive: boolean }>(({ isLive }) => isLive);
  for (let i = 0; i < 100_000; i++) {
    const value = { isLive: true };
    deadlines.add(1_000_000 + i, value);
    value.isLive = false;
  }
  expect(deadlines.size).toBeLessThanOrEqual(1_024);
});

/** The slow, obvious rate limiter: a bucket of `burst` tokens that fills evenly. */
class Bucket {
  #tokens: number;
  #atMs = 0;

  readonly rate: { limit: number; perMs: number; burst: number };

  constructor(rate: { limit: number; perMs: number; burst: number }) {
    this.rate = rate;
    this.#tokens = rate.burst;
  }

  tryTake(nowMs: number): boolean {
    const { limit, perMs, burst } = this.rate;
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#atMs) * limit) / perMs);
    this.#atMs = nowMs;
    if (this.#tokens < 1 - 1e-9) return false;
    this.#tokens -= 1;
    return true;
  }
}

test('rate limit: lets through what a bucket of tokens lets through', () => {
  const rates = fc.record({
    // Intervals of whole ms, so that both can be exact.
    perMs: fc.constantFrom(1_000, 10_000, 60_000),
    limit: fc.constantFrom(1, 2, 5, 10, 100),
    burst: fc.integer({ min: 1, max: 8 }),
  });
  fc.assert(
    fc.property(rates, fc.array(fc.nat(3_000), { maxLength: 300 }), (rate, gaps) => {
      const limit = new RateLimit(rate);
      const bucket = new Bucket(rate);
      let nowMs = BASE_MS;
      bucket.tryTake(0);
      limit.take(0);
      for (const gapMs of gaps) {
        nowMs += gapMs;
        const isFree = limit.freeAtMs(0, nowMs) <= nowMs;
        if (isFree) limit.take(nowMs);
        expect(isFree).toBe(bucket.tryTake(nowMs));
      }
    }),
  );
});

test('rate limit: keeps the exact mean, when intervals are fractions of a millisecond', () => {
  for (const limit of [3, 300, 700, 3_000]) {
    const rate = new RateLimit({ limit, perMs: 1_000, burst: 1 });
    let taken = 0;
    for (let nowMs = BASE_MS; nowMs < BASE_MS + 10_000; nowMs++) {
      for (; rate.freeAtMs(0, nowMs) <= nowMs; taken++) rate.take(nowMs);
    }
    expect(Math.abs(taken - limit * 10)).toBeLessThanOrEqual(1);
  }
});

test('lane: no member is lost or doubled, no batch too large, order is kept', () => {
  const steps = fc.array(
    fc.record({
      gapMs: fc.constantFrom(0, 1, 2, 30, 700),
      campaigns: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 40 }),
    }),
    { maxLength: 25 },
  );
  const shape = fc.record({
    max: fc.constantFrom(1, 2, 7, 100),
    lingerMs: fc.constantFrom(0, 1, 50),
    maxInFlight: fc.constantFrom(1, 3, 32),
    latencyMs: fc.constantFrom(0, 5, 300),
    failEvery: fc.constantFrom(2, 5, 1_000),
  });
  fc.assert(
    fc.property(steps, shape, (plan, { max, lingerMs, maxInFlight, latencyMs, failEvery }) => {
      const bench = new LaneBench(
        {
          webhook: webhookOf({ batch: { max, lingerMs }, maxInFlight }),
          campaigns: campaignsOf('a', 'b', 'c'),
        },
        (_, nth) => (nth % failEvery === 0 ? status(500) : OK),
        latencyMs,
      );
      const owed: Delivery[] = [];
      for (const { gapMs, campaigns } of plan) {
        const batch = campaigns.map((campaignId) => {
          // Long enough for any number of failures in a row.
          const times = { dueAtMs: bench.nowMs, expiresAtMs: BASE_MS + 30 * 24 * 3_600_000 };
          const named = deliveryOf(`u${owed.length}`, { campaignId, ...times });
          owed.push(named);
          return named;
        });
        bench.offer(...batch);
        bench.runUntil(bench.nowMs + gapMs);
      }
      bench.runOut();
      const firsts = bench.attempts.filter(({ attempt }) => attempt.attempt === 1);
      for (const { attempt } of firsts) expect(attempt.members.length).toBeLessThanOrEqual(max);
      for (const campaignId of ['a', 'b', 'c']) {
        const sent = firsts.filter(({ attempt }) => attempt.campaignId === campaignId);
        const users = sent.flatMap(({ attempt }) => attempt.members.map(({ userId }) => userId));
        const wanted = owed.filter((one) => one.campaignId === campaignId);
        expect(users).toEqual(wanted.map(({ userId }) => userId));
      }
      expect(bench.outcomes.toSorted()).toEqual(
        owed.map(({ userId }) => `${userId}:delivered`).toSorted(),
      );
    }),
    { numRuns: 60 },
  );
});
