import { describe, expect, test } from 'vitest';
import { Arena } from '../../../engine/state/arena.ts';
import { emptyKey, type Key, rehash } from '../../../engine/state/key.ts';
import { WindowTable } from '../../../engine/state/window-table.ts';
import { Prng } from '../../support/prng.ts';
import { keyOf, withHash } from '../../support/state-keys.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const WITHIN_MS = 60_000;
const deadlines = {
  dueAtMs: (rule: number, anchorAtMs: number) => anchorAtMs + WITHIN_MS * (rule + 1),
};

function aTable(nowMs = START_MS) {
  const arena = new Arena();
  return { arena, windows: new WindowTable(arena, deadlines, nowMs) };
}

function keptOf(text: string) {
  const bytes = new TextEncoder().encode(text);
  return { bytes, start: 0, end: bytes.length };
}

function opened(anchorAtMs: number, nowMs = anchorAtMs) {
  return { anchorAtMs, nowMs, eventIdLo: anchorAtMs >>> 0, eventIdHi: 7, match: 3 };
}

function keptBy(windows: WindowTable, slot: number): string {
  const key = emptyKey();
  const start = windows.keyOf(slot, key);
  return new TextDecoder().decode(key.bytes.subarray(start, windows.keptEndOf(slot)));
}

function foundBy(windows: WindowTable, key: Key, rule: number): number[] {
  return [...windows.found.subarray(0, windows.find(key, rule))].sort((a, b) => a - b);
}

interface ModelWindow {
  readonly user: number;
  readonly rule: number;
  anchorAtMs: number;
  readonly firstAtMs: number;
  kept: string;
}

/** Six users: two whose hashes collide, one id both anonymous and known, one long id. */
const USERS = [
  withHash(keyOf('a'), 5, 5),
  withHash(keyOf('b'), 5, 5),
  keyOf('c'),
  keyOf('c', true),
  keyOf('ü'.repeat(300)),
  keyOf(''),
];

describe('window table', () => {
  test('agrees with a list over opens, restarts, cancels, firing and restores', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const prng = new Prng(seed);
      let { arena, windows } = aTable();
      const model = new Map<number, ModelWindow>();
      let nowMs = START_MS;
      for (let step = 0; step < 250; step++) {
        const user = prng.below(USERS.length);
        // The first and the last share a group of rules.
        const rule = prng.pick([0, 1, 128]);
        const slots = [...model].filter(([, w]) => w.user === user && w.rule === rule);
        const mine = slots.map(([slot]) => slot).sort((a, b) => a - b);
        expect(foundBy(windows, USERS[user]!, rule), `seed ${seed} step ${step}`).toEqual(mine);
        const ofUser = [...model].filter(([, w]) => w.user === user).map(([slot]) => slot);
        const found = windows.findOfUser(USERS[user]!).sort((a, b) => a - b);
        expect(found, `seed ${seed} step ${step}`).toEqual(ofUser.sort((a, b) => a - b));
        const kept = 'k'.repeat(prng.below(100));
        const action = prng.below(4);
        if (action === 0 && mine.length > 0) {
          const slot = prng.pick(mine);
          windows.cancel(slot);
          model.delete(slot);
        } else if (action === 1 && mine.length > 0) {
          const slot = prng.pick(mine);
          const window = model.get(slot)!;
          window.anchorAtMs += prng.below(1_000);
          window.kept = kept;
          windows.restart(slot, USERS[user]!, window.anchorAtMs, keptOf(kept), { nowMs });
        } else {
          const slot = windows.open(USERS[user]!, rule, opened(nowMs), keptOf(kept));
          model.set(slot, { user, rule, anchorAtMs: nowMs, firstAtMs: nowMs, kept });
        }
        if (prng.chance(0.2)) {
          nowMs += prng.below(WITHIN_MS);
          for (
            let count = windows.wheel.take(nowMs);
            count > 0;
            count = windows.wheel.take(nowMs)
          ) {
            for (const slot of windows.wheel.taken.slice(0, count)) {
              const { rule: dueRule, anchorAtMs } = model.get(slot)!;
              expect(deadlines.dueAtMs(dueRule, anchorAtMs)).toBe(windows.wheel.nowMs);
              windows.release(slot);
              model.delete(slot);
            }
          }
          const overdue = [...model.values()].filter(
            ({ rule: r, anchorAtMs }) => deadlines.dueAtMs(r, anchorAtMs) <= nowMs,
          );
          expect(overdue, `seed ${seed}`).toEqual([]);
        }
        if (prng.chance(0.04)) {
          const copies = structuredClone([arena.freeze(), windows.freeze()] as const);
          ({ arena, windows } = aTable());
          arena.restore(copies[0]);
          windows.restore(copies[1], nowMs);
        }
      }
      expect(windows.count).toBe(model.size);
      expect(windows.wheel.count).toBe(model.size);
      for (const [slot, { anchorAtMs, firstAtMs, kept, rule }] of model) {
        expect(windows.anchorAtMs(slot)).toBe(anchorAtMs);
        expect(windows.extendedMs(slot)).toBe(anchorAtMs - firstAtMs);
        expect(windows.ruleOf(slot)).toBe(rule);
        expect(windows.eventIdLoOf(slot)).toBe(firstAtMs >>> 0);
        expect(keptBy(windows, slot)).toBe(kept);
        windows.cancel(slot);
      }
      expect([windows.count, windows.wheel.count, arena.bytesUsed]).toEqual([0, 0, 0]);
    }
  });

  test('the windows of a user are found at the same cost, whatever others have', () => {
    const stepsOf = (rules: number) => {
      const { windows } = aTable();
      for (let i = 0; i < 20_000; i++) {
        windows.open(keyOf(`u${i}`), i % rules, opened(START_MS), keptOf(''));
      }
      const key = keyOf('ann');
      const slots = [windows.open(key, 7, opened(START_MS), keptOf(''))];
      const before = windows.steps;
      expect(windows.findOfUser(key)).toEqual(slots);
      return windows.steps - before;
    };
    // One look a group of rules; a look takes a few steps.
    expect(stepsOf(10_000)).toBeLessThan(2 * stepsOf(128));
    expect(stepsOf(10)).toBeLessThan(10 * 20);
  });

  test('a frozen table does not change while windows open, restart and close', () => {
    const { arena, windows } = aTable();
    const keys = Array.from({ length: 9_000 }, (_, i) => keyOf(`u${i}`));
    const slots = keys.map((key) => windows.open(key, 0, opened(START_MS), keptOf('before')));
    const frozen = [arena.freeze(), windows.freeze()] as const;
    slots.forEach((slot, i) => {
      if (i % 3 === 0) windows.cancel(slot);
      else windows.restart(slot, keys[i]!, START_MS + 500, keptOf('after'), { nowMs: START_MS });
    });
    for (const key of keys) windows.open(key, 1, opened(START_MS), keptOf('new'));
    const restored = aTable();
    restored.arena.restore(frozen[0]);
    restored.windows.restore(frozen[1], START_MS);
    expect(restored.windows.count).toBe(keys.length);
    for (const i of [0, 1, 2, 4_095, 4_096, 8_999]) {
      expect(foundBy(restored.windows, keys[i]!, 0)).toEqual([slots[i]!]);
      expect(restored.windows.anchorAtMs(slots[i]!)).toBe(START_MS);
      expect(keptBy(restored.windows, slots[i]!)).toBe('before');
    }
  });

  test('finds all windows of one key, far more than a rule may open', () => {
    const { windows } = aTable();
    const slots = Array.from({ length: 300 }, () =>
      windows.open(keyOf('u1'), 0, opened(START_MS), keptOf('')),
    );
    expect(foundBy(windows, keyOf('u1'), 0)).toEqual(slots);
    for (const slot of slots) windows.cancel(slot);
    expect(foundBy(windows, keyOf('u1'), 0)).toEqual([]);
  });

  test('an extension of more than 2³² ms survives', () => {
    const { windows } = aTable();
    const slot = windows.open(keyOf('u1'), 0, opened(START_MS), keptOf(''));
    const extendedMs = 2 ** 32 + 12_345;
    windows.restart(slot, keyOf('u1'), START_MS + extendedMs, keptOf(''), { nowMs: START_MS });
    expect(windows.extendedMs(slot)).toBe(extendedMs);
  });

  test('a window whose end has passed is due at once, not in the past', () => {
    const { windows } = aTable();
    windows.open(keyOf('u1'), 0, opened(START_MS - 10 * WITHIN_MS, START_MS), keptOf(''));
    expect(windows.wheel.take(START_MS - 1)).toBe(0);
    expect(windows.wheel.take(START_MS)).toBe(1);
    expect(windows.wheel.nowMs).toBe(START_MS);
  });

  test('one that has passed ahead of partition time is due then, over a restart too', () => {
    const { arena, windows } = aTable();
    const aheadMs = START_MS + 70_000;
    const passed = { ...opened(START_MS - 10 * WITHIN_MS, aheadMs), isAhead: true };
    const key = keyOf('u1');
    const slot = windows.open(key, 0, passed, keptOf('kept'));
    expect(windows.dueAtMs(slot)).toBe(aheadMs);
    const restored = aTable();
    restored.arena.restore(arena.freeze());
    restored.windows.restore(windows.freeze(), START_MS);
    // Beyond the first levels of the wheel: it asks again on the way.
    for (const { wheel } of [windows, restored.windows]) {
      expect(wheel.take(aheadMs - 1)).toBe(0);
      expect([wheel.take(aheadMs), wheel.nowMs]).toEqual([1, aheadMs]);
    }
    // Its slot is used again, by one that is in time.
    windows.release(slot);
    const next = windows.open(key, 0, opened(aheadMs - WITHIN_MS, aheadMs), keptOf(''));
    expect(next).toBe(slot);
    expect(windows.dueAtMs(next)).toBeLessThanOrEqual(aheadMs);
    expect(windows.freeze().late).toEqual([]);
  });

  test('work grows with the windows, not faster: probes and links counted from 1,000 to 100,000', () => {
    const probesAWindow = [1_000, 10_000, 100_000].map((count) => {
      const { windows } = aTable();
      const key = emptyKey();
      key.bytes = new Uint8Array(8);
      key.length = 8;
      const view = new DataView(key.bytes.buffer);
      const move = (i: number) => {
        view.setUint32(0, i);
        rehash(key);
      };
      for (let i = 0; i < count; i++) {
        move(i);
        windows.open(key, 0, opened(START_MS + i), keptOf(''));
      }
      let asked = 0;
      const { dueAtMs } = windows;
      windows.dueAtMs = (slot) => {
        asked++;
        return dueAtMs.call(windows, slot);
      };
      let found = 0;
      for (let i = 0; i < count; i++) {
        move(i);
        found += windows.find(key, 0);
      }
      expect(found).toBe(count);
      const untilMs = START_MS + count + WITHIN_MS;
      let taken = 0;
      for (let got = windows.wheel.take(untilMs); got > 0; got = windows.wheel.take(untilMs)) {
        taken += got;
      }
      expect(taken).toBe(count);
      return asked / count;
    });
    // A timer cascades at most once a level, however many there are.
    for (const asked of probesAWindow) expect(asked).toBeLessThanOrEqual(5);
  });
});
