import { describe, expect, test } from 'vitest';
import { RecentCancels } from '../../../engine/state/recent-cancels.ts';
import { Prng } from '../../support/prng.ts';

const WINDOW_MS = 5_000;
const START_MS = Date.parse('2026-01-05T09:00:00Z');

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
          cancels.add(lo, hi, rule, match, atMs, receivedAtMs, nowMs);
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
          const got = cancels.has(lo, hi, rule, match, atMs, untilMs, nowMs);
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
      cancels.add(1, 2, 3, 0, START_MS, START_MS, START_MS);
      return cancels.has(1, 2, 3, 0, START_MS - 1, START_MS, START_MS + afterMs);
    };
    expect(has(WINDOW_MS)).toBe(true);
    expect(has(WINDOW_MS + 1)).toBe(false);
  });

  test('keeps nothing when its window is 0', () => {
    const cancels = new RecentCancels(0);
    cancels.add(1, 2, 3, 0, START_MS, START_MS, START_MS);
    expect(cancels.count).toBe(0);
    expect(cancels.has(1, 2, 3, 0, 0, START_MS, START_MS)).toBe(false);
  });

  test('forgets the oldest before its time and counts it, beyond 262,144 within the window', () => {
    const entriesMax = 262_144;
    const cancels = new RecentCancels(WINDOW_MS);
    for (let i = 0; i <= entriesMax; i++) cancels.add(i, 0, 0, 0, START_MS, START_MS, START_MS);
    expect(cancels.count).toBe(entriesMax);
    expect(cancels.evictedEarly).toBe(1);
    const has = (lo: number) => cancels.has(lo, 0, 0, 0, START_MS - 1, START_MS, START_MS);
    expect([has(0), has(1), has(entriesMax)]).toEqual([false, true, true]);
  });

  test('names the rules that it holds something for, until that is forgotten', () => {
    const cancels = new RecentCancels(WINDOW_MS);
    const laterMs = START_MS + WINDOW_MS;
    cancels.add(1, 2, 3, 0, START_MS, START_MS, START_MS);
    cancels.add(1, 2, 4, 0, START_MS, laterMs, laterMs);
    expect(cancels.rulesAt(laterMs)).toEqual(new Set([3, 4]));
    expect(cancels.rulesAt(laterMs + 1)).toEqual(new Set([4]));
  });
});
