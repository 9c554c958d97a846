import { describe, expect, test } from 'vitest';
import { TimingWheel, type WheelSlots } from '../../../engine/time/timing-wheel.ts';
import { Prng } from '../../support/prng.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');

class PlainSlots implements WheelSlots {
  readonly next: number[] = [];
  readonly previous: number[] = [];
  readonly due: number[] = [];
  linkNext(slot: number) {
    return this.next[slot]!;
  }
  linkPrevious(slot: number) {
    return this.previous[slot]!;
  }
  setLinks(slot: number, next: number, previous: number) {
    this.next[slot] = next;
    this.previous[slot] = previous;
  }
  setNext(slot: number, next: number) {
    this.next[slot] = next;
  }
  setPrevious(slot: number, previous: number) {
    this.previous[slot] = previous;
  }
  dueAtMs(slot: number) {
    return this.due[slot]!;
  }
}

function wheelAt(nowMs: number) {
  const slots = new PlainSlots();
  const wheel = new TimingWheel(slots, nowMs);
  const add = (slot: number, dueAtMs: number) => {
    slots.due[slot] = dueAtMs;
    wheel.add(slot, dueAtMs);
  };
  /** Everything due until then, with the time at which it was taken. */
  const takeAll = (untilMs: number) => {
    const taken: [number, number][] = [];
    for (let count = wheel.take(untilMs); count > 0; count = wheel.take(untilMs)) {
      for (const slot of wheel.taken.subarray(0, count)) taken.push([wheel.nowMs, slot]);
    }
    return taken;
  };
  return { wheel, slots, add, takeAll };
}

describe('timing wheel', () => {
  test('takes a timer at its very millisecond, whatever level it began in', () => {
    const delays = [
      0,
      1,
      255,
      256,
      257,
      65_535,
      65_536,
      1 << 24,
      2 ** 31,
      2 ** 32,
      2 ** 34,
      2 ** 41,
    ];
    for (const delay of delays) {
      const { add, takeAll, wheel } = wheelAt(START_MS);
      add(0, START_MS + delay);
      if (delay > 0) expect(takeAll(START_MS + delay - 1)).toEqual([]);
      expect(wheel.nextTurnAtMs()).toBeLessThanOrEqual(START_MS + delay);
      expect(takeAll(START_MS + delay)).toEqual([[START_MS + delay, 0]]);
      expect(wheel.count).toBe(0);
      expect(wheel.nextTurnAtMs()).toBe(Infinity);
    }
  });

  test('a timer that is overdue when it is added is due at the time of the wheel', () => {
    const { add, takeAll } = wheelAt(START_MS);
    add(7, START_MS - 5_000);
    expect(takeAll(START_MS)).toEqual([[START_MS, 7]]);
  });

  test('a removed timer is never taken, when it is first, last or alone in its bucket', () => {
    for (const removed of [0, 1, 2]) {
      const { add, takeAll, wheel } = wheelAt(START_MS);
      for (const slot of [0, 1, 2]) add(slot, START_MS + 1_000);
      wheel.remove(removed);
      const left = takeAll(START_MS + 1_000).map(([, slot]) => slot);
      expect(left.sort()).toEqual([0, 1, 2].filter((slot) => slot !== removed));
    }
    const { add, wheel } = wheelAt(START_MS);
    add(0, START_MS + 1_000);
    wheel.remove(0);
    expect(wheel.nextTurnAtMs()).toBe(Infinity);
  });

  test('stands at the time asked for when nothing is due', () => {
    const { add, takeAll, wheel } = wheelAt(START_MS);
    add(0, START_MS + 10_000);
    expect(takeAll(START_MS + 5_000)).toEqual([]);
    expect(wheel.nowMs).toBe(START_MS + 5_000);
    add(1, START_MS + 6_000);
    expect(takeAll(START_MS + 10_000)).toEqual([
      [START_MS + 6_000, 1],
      [START_MS + 10_000, 0],
    ]);
  });

  test('agrees with a sorted list over random adds, removes and jumps of time', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const prng = new Prng(seed);
      const { wheel, slots, add, takeAll } = wheelAt(START_MS);
      const model = new Map<number, number>();
      let nowMs = START_MS;
      for (let step = 0; step < 600; step++) {
        const slot = prng.below(60);
        if (model.has(slot)) {
          if (prng.chance(0.5)) {
            wheel.remove(slot);
            model.delete(slot);
          }
        } else {
          const dueAtMs = nowMs + prng.below(2 ** prng.below(42));
          add(slot, dueAtMs);
          model.set(slot, dueAtMs);
        }
        if (prng.chance(0.3)) {
          nowMs += prng.below(2 ** prng.below(36));
          const due = [...model].filter(([, at]) => at <= nowMs).map(([s, at]) => [at, s]);
          const byTime = (a: number[], b: number[]) => a[0]! - b[0]! || a[1]! - b[1]!;
          expect(takeAll(nowMs).sort(byTime), `seed ${seed}`).toEqual(due.sort(byTime));
          for (const [, s] of due) model.delete(s!);
        }
        const earliest = Math.min(Infinity, ...model.values());
        expect(wheel.nextTurnAtMs(), `seed ${seed}`).toBeLessThanOrEqual(Math.max(earliest, nowMs));
        expect(wheel.count).toBe(model.size);
        expect(slots.due.length).toBeLessThanOrEqual(60);
      }
    }
  });
});
