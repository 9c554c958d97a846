import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeSnapshot, encodeSnapshot } from '../../../operators/delivery/done-codec.ts';
import { BASE_MS, campaignOf, deliveryOf, LaneBench, OK, status, webhookOf } from './lane-bench.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LONG_MS = 30 * DAY_MS;

function capped(cap: { total?: number; perDay?: number }, timezone = 'UTC') {
  return { webhook: webhookOf(), campaigns: new Map([['c', campaignOf('c', { cap })]]), timezone };
}

function users(count: number, from = 0) {
  return Array.from({ length: count }, (_, i) =>
    deliveryOf(`u${from + i}`, { expiresAtMs: BASE_MS + LONG_MS }),
  );
}

function countOf(bench: LaneBench, word: string): number {
  return bench.outcomes.filter((outcome) => outcome.endsWith(`:${word}`)).length;
}

describe('a cap in all', () => {
  test('exactly so many are delivered; the others are suppressed at once', () => {
    const bench = new LaneBench(capped({ total: 10 }));
    bench.offer(...users(25));
    bench.runUntil(BASE_MS);
    expect(countOf(bench, 'targeting-cap')).toBe(15);
    expect(bench.settled.every(({ outcome }) => outcome === 'suppressed')).toBe(true);
    bench.runOut();
    expect(countOf(bench, 'delivered')).toBe(10);
    expect(bench.lane.takeCompleted()).toEqual(['c']);
    expect(bench.lane.takeCompleted()).toEqual([]);
  });

  test('what finally fails gives its place back (E32)', () => {
    const bench = new LaneBench(capped({ total: 1 }), (_, nth) => (nth === 1 ? status(400) : OK));
    bench.offer(...users(1));
    bench.runUntil(BASE_MS + 1_000);
    bench.offer(...users(2, 1));
    bench.runOut();
    expect(bench.outcomes).toEqual(['u0:http-400', 'u2:targeting-cap', 'u1:delivered']);
  });

  test('what waits for another attempt keeps its place', () => {
    const bench = new LaneBench(capped({ total: 1 }), (_, nth) => (nth === 1 ? status(500) : OK));
    bench.offer(...users(1));
    bench.runUntil(BASE_MS + 1_000);
    bench.offer(...users(1, 1));
    bench.runOut();
    expect(bench.outcomes).toEqual(['u1:targeting-cap', 'u0:delivered']);
  });

  test('a campaign that is stopped gives the places of what waited back', () => {
    const bench = new LaneBench(capped({ total: 1 }), () => status(500));
    bench.offer(...users(1));
    bench.runUntil(BASE_MS + 1_000);
    bench.lane.update({ ...capped({ total: 1 }), lives: new Map([['c', 'stopped']]) }, bench.nowMs);
    bench.lane.update(capped({ total: 1 }), bench.nowMs);
    bench.offer(...users(1, 1));
    expect(bench.lane.pendingCount).toBe(1);
  });

  test('one that is raised makes room, and is complete again only when it is used up', () => {
    const bench = new LaneBench(capped({ total: 1 }));
    bench.offer(...users(2));
    bench.runOut();
    expect(bench.lane.takeCompleted()).toEqual(['c']);
    bench.lane.update(capped({ total: 2 }), bench.nowMs);
    expect(bench.lane.takeCompleted()).toEqual([]);
    bench.offer(deliveryOf('late', { expiresAtMs: bench.nowMs + HOUR_MS }));
    bench.runUntil(bench.nowMs + HOUR_MS);
    expect(countOf(bench, 'delivered')).toBe(2);
    expect(bench.lane.takeCompleted()).toEqual(['c']);
  });
});

describe('a cap a day', () => {
  test('begins anew with each calendar day of the account', () => {
    // 09:00 UTC is 14:30 in Kolkata, whose day ends nine and a half hours later.
    const bench = new LaneBench(capped({ perDay: 2 }, 'Asia/Kolkata'));
    const dayEndsMs = BASE_MS + 9.5 * HOUR_MS;
    bench.offer(...users(3));
    bench.runUntil(dayEndsMs - 1);
    bench.offer(...users(1, 3));
    bench.runUntil(dayEndsMs);
    bench.offer(...users(3, 4));
    bench.runUntil(dayEndsMs + HOUR_MS);
    const suppressed = bench.outcomes.filter((outcome) => outcome.endsWith(':targeting-cap'));
    expect(suppressed).toEqual(['u2:targeting-cap', 'u3:targeting-cap', 'u6:targeting-cap']);
    expect(countOf(bench, 'delivered')).toBe(4);
  });

  test('a place that was taken yesterday and given back today makes none today', () => {
    const bench = new LaneBench(capped({ perDay: 1 }), (_, nth) => (nth === 1 ? status(500) : OK));
    bench.offer(deliveryOf('old', { expiresAtMs: BASE_MS + LONG_MS }));
    bench.runUntil(BASE_MS + 1_000);
    bench.nowMs = BASE_MS + DAY_MS;
    bench.offer(...users(2));
    bench.runOut();
    expect(countOf(bench, 'delivered')).toBe(2);
    expect(countOf(bench, 'targeting-cap')).toBe(1);
  });
});

/** What happens to the lane, in random order; each delivery is one of a few users. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ offer: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 4, arbitrary: fc.record({ passMs: fc.constantFrom(1, 60, 5_000, 6 * HOUR_MS) }) },
  { weight: 1, arbitrary: fc.record({ restart: fc.constant(true) }) },
);

type Step = { offer: number } | { passMs: number } | { restart: boolean };

function take(bench: LaneBench, one: Step, cap: { total: number; perDay: number }): void {
  const { nowMs } = bench;
  if ('passMs' in one) bench.runUntil(nowMs + one.passMs);
  else if ('restart' in one) {
    bench.restart(capped(cap), (state) => decodeSnapshot(encodeSnapshot(state)));
  } else {
    const owed = Array.from({ length: one.offer }, (_, i) =>
      deliveryOf(`${nowMs}-${i}`, { dueAtMs: nowMs, expiresAtMs: nowMs + DAY_MS }),
    );
    bench.offer(...owed);
  }
}

test('cap: the model agrees, over retries, failures, days and restarts', () => {
  fc.assert(
    fc.property(
      fc.record({ total: fc.integer({ min: 1, max: 8 }), perDay: fc.integer({ min: 1, max: 4 }) }),
      fc.array(step, { maxLength: 30 }),
      fc.array(fc.constantFrom(OK, OK, status(500), status(400)), { minLength: 1 }),
      (cap, steps, script) => {
        const bench = new LaneBench(capped(cap), (_, nth) => script[nth % script.length]!);
        for (const one of steps) {
          take(bench, one, cap);
          checkModel(bench, cap);
        }
        bench.runUntil(bench.nowMs + 2 * DAY_MS);
        checkModel(bench, cap);
        expect(bench.lane.pendingCount).toBe(0);
      },
    ),
    { numRuns: 300 },
  );
});

/** The obvious count: what was requested and is not settled as failed has a place. */
function checkModel(bench: LaneBench, cap: { total: number; perDay: number }): void {
  const failed = new Set(
    bench.settled
      .filter(({ outcome }) => outcome !== 'delivered')
      .flatMap(({ members }) => members.map(({ id }) => id)),
  );
  const takenAtMs = new Map<string, number>();
  for (const { attempt, atMs } of bench.attempts) {
    for (const { id } of attempt.members) {
      if (!failed.has(id) && !takenAtMs.has(id)) takenAtMs.set(id, atMs);
    }
  }
  expect(takenAtMs.size).toBeLessThanOrEqual(cap.total);
  const days = [...takenAtMs.values()].map((atMs) => Math.floor(atMs / DAY_MS));
  for (const day of days) {
    expect(days.filter((other) => other === day).length).toBeLessThanOrEqual(cap.perDay);
  }
}
