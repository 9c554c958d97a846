import { describe, expect, test } from 'vitest';
import { DEDUPE_BLOCK_IDS } from '../../../engine/state/dedupe-block.ts';
import { DedupeTable } from '../../../engine/state/dedupe-table.ts';
import { mix32 } from '../../../engine/state/hash.ts';
import { Prng } from '../../support/prng.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const WINDOW_MS = 86_400_000;
const IDS_MAX = 200_000;

/** Adds ids `from` to `to`; all are new. */
function fill(table: DedupeTable, from: number, to: number, nowMs: number): void {
  for (let i = from; i < to; i++) expect(table.isNew(mix32(i), i, nowMs)).toBe(true);
}

describe('dedupe table', () => {
  test('knows what it has seen within the window, through growth and restores', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const prng = new Prng(seed);
      let table = new DedupeTable(WINDOW_MS);
      const seenAtMs = new Map<string, number>();
      let nowMs = START_MS;
      for (let step = 0; step < 3_000; step++) {
        nowMs += prng.below(1_000) * 60;
        const lo = 1 + prng.below(40);
        const hi = prng.below(40);
        const seen = seenAtMs.get(`${lo}.${hi}`);
        // Its clock counts seconds: what lies that near the edge may be either.
        const ageMs = seen === undefined ? Infinity : nowMs - seen;
        const isNew = table.isNew(lo, hi, nowMs);
        if (Math.abs(ageMs - WINDOW_MS) >= 1_000) {
          expect(isNew, `seed ${seed} step ${step}`).toBe(ageMs > WINDOW_MS);
        }
        if (isNew) seenAtMs.set(`${lo}.${hi}`, nowMs);
        if (prng.chance(0.01)) {
          const { blocks } = table.freeze();
          table = new DedupeTable(WINDOW_MS);
          table.restore(structuredClone({ blocks }));
        }
      }
    }
  });

  test('the window counts from when an id was seen first, not from its repetitions', () => {
    const table = new DedupeTable(WINDOW_MS);
    expect(table.isNew(1, 2, START_MS)).toBe(true);
    expect(table.isNew(1, 2, START_MS + WINDOW_MS / 2)).toBe(false);
    expect(table.isNew(1, 2, START_MS + WINDOW_MS)).toBe(false);
    expect(table.isNew(1, 2, START_MS + WINDOW_MS + 1_000)).toBe(true);
    expect(table.isNew(1, 2, START_MS + WINDOW_MS + 2_000)).toBe(false);
  });

  test('keeps pairs apart that are equal in one half, and knows the pair 0, 0', () => {
    const table = new DedupeTable(WINDOW_MS);
    expect(table.isNew(7, 8, START_MS)).toBe(true);
    expect(table.isNew(7, 9, START_MS)).toBe(true);
    expect(table.isNew(8, 8, START_MS)).toBe(true);
    expect(table.isNew(8, 7, START_MS)).toBe(true);
    expect(table.isNew(0, 0, START_MS)).toBe(true);
    expect(table.isNew(0, 0, START_MS)).toBe(false);
  });

  test('holds the window whatever comes in it, and no more than a sixteenth longer', () => {
    const table = new DedupeTable(WINDOW_MS);
    const steps = 200;
    const stepMs = WINDOW_MS / 100;
    const each = 2_000;
    for (let step = 0; step < steps; step++) {
      const nowMs = START_MS + step * stepMs;
      fill(table, step * each, (step + 1) * each, nowMs);
      const oldest = Math.max(0, step - 100);
      expect(table.has(mix32(oldest * each), oldest * each, nowMs)).toBe(true);
      expect(table.count).toBeLessThanOrEqual(each * (100 * (1 + 1 / 16) + 2));
    }
    expect(table.evictedEarly).toBe(0);
  });

  test('an id costs the same few steps and bytes, whether few are remembered or many', () => {
    const table = new DedupeTable(WINDOW_MS);
    const [few, many] = [20_000, 1_500_000];
    const stepsOfOne = (from: number) => {
      const before = table.steps;
      fill(table, from, from + few, START_MS);
      return (table.steps - before) / few;
    };
    const atFirst = stepsOfOne(0);
    for (let i = few; i < many; i++) table.isNew(mix32(i), i, START_MS);
    expect(stepsOfOne(many)).toBeLessThan(2 * atFirst + 4);
    expect(table.bytes / table.count).toBeGreaterThan(16);
    expect(table.bytes / table.count).toBeLessThan(31);
  });

  test('old ids leave nothing behind: steps and bytes stay, however long it runs', () => {
    const table = new DedupeTable(WINDOW_MS);
    const each = 1_000;
    const day = (number: number) => {
      const before = table.steps;
      for (let hour = 0; hour < 24; hour++) {
        const from = (number * 24 + hour) * each;
        fill(table, from, from + each, START_MS + (number * 24 + hour) * 3_600_000);
      }
      return { steps: table.steps - before, bytes: table.bytes };
    };
    day(0);
    const second = day(1);
    for (let number = 2; number < 9; number++) day(number);
    const tenth = day(9);
    expect(tenth.steps).toBeLessThan(1.5 * second.steps);
    expect(tenth.bytes).toBeLessThan(1.5 * second.bytes);
  });

  test('forgets the oldest sixteenth and counts it, where more ids come than it may hold', () => {
    const table = new DedupeTable(WINDOW_MS, IDS_MAX);
    const part = Math.floor(IDS_MAX / 16);
    fill(table, 0, 16 * part, START_MS);
    expect([table.count, table.evictedEarly]).toEqual([16 * part, 0]);
    expect(table.has(mix32(0), 0, START_MS)).toBe(true);
    fill(table, 16 * part, 16 * part + 1, START_MS);
    expect([table.count, table.evictedEarly]).toEqual([15 * part + 1, part]);
    expect(table.has(mix32(part - 1), part - 1, START_MS)).toBe(false);
    expect(table.has(mix32(part), part, START_MS)).toBe(true);
    fill(table, 16 * part + 1, 64 * part, START_MS);
    expect(table.count).toBeLessThanOrEqual(IDS_MAX);
    expect(table.evictedEarly + table.count).toBe(64 * part);
  });

  test('is what it was after a restore, with more blocks than one', () => {
    const table = new DedupeTable(WINDOW_MS);
    fill(table, 0, 3 * DEDUPE_BLOCK_IDS + 5, START_MS);
    const copy = new DedupeTable(WINDOW_MS);
    fill(copy, 0, 5, START_MS);
    copy.restore(table.freeze());
    expect(copy.count).toBe(table.count);
    for (let i = 0; i < 3 * DEDUPE_BLOCK_IDS + 5; i++) {
      if (!copy.has(mix32(i), i, START_MS)) throw new Error(`id ${i} is lost`);
    }
    fill(copy, 3 * DEDUPE_BLOCK_IDS + 5, 4 * DEDUPE_BLOCK_IDS, START_MS);
    expect(copy.freeze().blocks.length).toBe(4);
  });

  test('a snapshot shares the blocks that are closed, and copies no more than one', () => {
    const table = new DedupeTable(WINDOW_MS);
    fill(table, 0, 2 * DEDUPE_BLOCK_IDS + 5, START_MS);
    const [one, other] = [table.freeze().blocks, table.freeze().blocks];
    expect(one.map(({ prints }, i) => prints === other[i]!.prints)).toEqual([true, true, false]);
  });

  test('a frozen copy does not change while the table goes on', () => {
    const table = new DedupeTable(WINDOW_MS);
    fill(table, 0, DEDUPE_BLOCK_IDS + 100, START_MS);
    const frozen = table.freeze();
    const copy = structuredClone(frozen);
    const restored = new DedupeTable(WINDOW_MS);
    restored.restore(frozen);
    const laterMs = START_MS + WINDOW_MS + 1_000;
    fill(table, 0, DEDUPE_BLOCK_IDS + 200, laterMs);
    fill(restored, 0, DEDUPE_BLOCK_IDS + 200, laterMs);
    expect(frozen).toEqual(copy);
  });
});

test('dedupe: has says what isNew would say, and remembers nothing', () => {
  const windowMs = 60_000;
  const table = new DedupeTable(windowMs);
  expect([table.has(1, 2, 0), table.has(1, 2, 0)]).toEqual([false, false]);
  table.isNew(1, 2, 1_000);
  table.isNew(0, 0, 1_000);
  expect(table.has(0, 0, 1_000)).toBe(true);
  for (const nowMs of [1_000, 1_000 + windowMs, 1_999 + windowMs, 2_000 + windowMs]) {
    const wanted = table.has(1, 2, nowMs);
    const copy = new DedupeTable(windowMs);
    copy.restore(table.freeze());
    expect(copy.isNew(1, 2, nowMs), String(nowMs)).toBe(!wanted);
  }
});
