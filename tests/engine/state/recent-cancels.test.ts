import { describe, expect, test } from 'vitest';
import { mix32 } from '../../../engine/state/hash.ts';
import { RecentCancels } from '../../../engine/state/recent-cancels.ts';
import { Prng } from '../../support/prng.ts';

const WINDOW_MS = 5_000;
const START_MS = Date.parse('2026-01-05T09:00:00Z');
const USER = { lo: 1, hi: 2 };

describe('recent cancels', () => {
  test('agrees with a plain list, through growth and restores', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const prng = new Prng(seed);
      let cancels = new RecentCancels(WINDOW_MS);
      const model: { key: string; eventAtMs: number; receivedAtMs: number }[] = [];
      let nowMs = START_MS;
      for (let step = 0; step < 1_500; step++) {
        nowMs += prng.chance(0.9) ? prng.below(10) : prng.below(3_000);
        const lo = prng.below(4);
        const hi = prng.below(4);
        const rule = prng.below(3);
        const match = prng.below(2);
        const key = `${lo} ${hi} ${rule} ${match}`;
        const atMs = nowMs - prng.below(4_000);
        if (prng.chance(0.6)) {
          // One that came from another partition is remembered since it was received there, one that
          // is ahead of this partition's time from then on.
          const receivedAtMs = prng.chance(0.1) ? nowMs + prng.below(8_000) - 6_000 : nowMs;
          cancels.add({ lo, hi }, rule, match, atMs, receivedAtMs, nowMs);
          model.push({ key, eventAtMs: atMs, receivedAtMs });
        } else {
          const untilMs = atMs + prng.below(4_000);
          const wanted = model.some(
            (cancel) =>
              cancel.key === key &&
              cancel.receivedAtMs >= nowMs - WINDOW_MS &&
              cancel.eventAtMs > atMs &&
              cancel.eventAtMs <= untilMs,
          );
          const got = cancels.has({ lo, hi }, rule, match, atMs, untilMs, nowMs);
          expect(got, `seed ${seed} step ${step}`).toBe(wanted);
        }
        if (prng.chance(0.01)) {
          const frozen = cancels.freeze();
          cancels = new RecentCancels(WINDOW_MS);
          cancels.restore(frozen);
        }
      }
    }
  });

  test('keeps an entry for exactly its window', () => {
    const has = (afterMs: number) => {
      const cancels = new RecentCancels(WINDOW_MS);
      cancels.add(USER, 3, 0, START_MS, START_MS, START_MS);
      return cancels.has(USER, 3, 0, START_MS - 1, START_MS, START_MS + afterMs);
    };
    expect(has(WINDOW_MS)).toBe(true);
    expect(has(WINDOW_MS + 1)).toBe(false);
  });

  test('keeps nothing when its window is 0', () => {
    const cancels = new RecentCancels(0);
    cancels.add(USER, 3, 0, START_MS, START_MS, START_MS);
    expect(cancels.count).toBe(0);
    expect(cancels.has(USER, 3, 0, 0, START_MS, START_MS)).toBe(false);
  });

  test('forgets the oldest before its time and counts it, beyond 262,144 within the window', () => {
    const entriesMax = 262_144;
    const cancels = new RecentCancels(WINDOW_MS);
    for (let i = 0; i <= entriesMax; i++)
      cancels.add({ lo: i, hi: 0 }, 0, 0, START_MS, START_MS, START_MS);
    expect(cancels.count).toBe(entriesMax);
    expect(cancels.evictedEarly).toBe(1);
    const has = (lo: number) => cancels.has({ lo, hi: 0 }, 0, 0, START_MS - 1, START_MS, START_MS);
    expect([has(0), has(1), has(entriesMax)]).toEqual([false, true, true]);
  });

  test('names the rules that it holds something for, until that is forgotten', () => {
    const cancels = new RecentCancels(WINDOW_MS);
    const laterMs = START_MS + WINDOW_MS;
    cancels.add(USER, 3, 0, START_MS, START_MS, START_MS);
    cancels.add(USER, 4, 0, START_MS, laterMs, laterMs);
    const rulesAt = (atMs: number) => [3, 4].filter((rule) => cancels.remembers(rule, atMs));
    expect(rulesAt(laterMs)).toEqual([3, 4]);
    expect(rulesAt(laterMs + 1)).toEqual([4]);
  });

  test('an opener looks at what its own rule has, however many rules the user has', () => {
    const stepsOf = (rules: number) => {
      const cancels = new RecentCancels(WINDOW_MS);
      for (let rule = 0; rule < rules; rule++) {
        cancels.add(USER, rule, 0, START_MS, START_MS, START_MS);
      }
      for (let rule = 0; rule < rules; rule++) {
        expect(cancels.has(USER, rule, 0, START_MS - 1, START_MS, START_MS)).toBe(true);
      }
      return cancels.steps / rules;
    };
    expect(stepsOf(1_000)).toBeLessThan(1.5 * stepsOf(10));
  });

  test('who leaves looks at their own, however many others there are', () => {
    const cancels = new RecentCancels(WINDOW_MS);
    const [users, each] = [20_000, 3];
    for (let i = 0; i < users * each; i++) {
      const user = { lo: mix32(i % users), hi: 0 };
      cancels.add(user, i, i, START_MS, START_MS, START_MS);
    }
    const found: number[] = [];
    cancels.forEach({ lo: mix32(7), hi: 0 }, START_MS, (_, match) => found.push(match));
    expect(found).toEqual([7 + 2 * users, 7 + users, 7]);
    expect(cancels.steps).toBeLessThan(20 * each);
  });
});
