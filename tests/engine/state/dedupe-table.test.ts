import { describe, expect, test } from 'vitest';
import { DEDUPE_BLOCK_SLOTS, DedupeTable } from '../../../engine/state/dedupe-table.ts';
import { Prng } from '../../support/prng.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const WINDOW_MS = 86_400_000;
/** A block of slots is closed when two thirds are taken. */
const BLOCK_ENTRIES = Math.ceil((DEDUPE_BLOCK_SLOTS * 2) / 3);
const BLOCKS_MAX = 16;

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
          table.restore({ blocks: blocks.map((b) => ({ ...b, words: b.words.slice() })) });
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

  test('forgets the oldest block and counts its ids, when more comes than the blocks hold', () => {
    const table = new DedupeTable(WINDOW_MS);
    const entries = BLOCK_ENTRIES * BLOCKS_MAX;
    for (let i = 0; i < entries; i++) table.isNew(Math.imul(i, 0x9e3779b1) >>> 0, i + 1, START_MS);
    expect(table.evictedEarly).toBe(0);
    expect(table.isNew(0, 1, START_MS)).toBe(false);
    for (let i = entries; table.evictedEarly === 0; i++) {
      table.isNew(Math.imul(i, 0x9e3779b1) >>> 0, i + 1, START_MS);
    }
    expect(table.evictedEarly).toBe(BLOCK_ENTRIES);
    expect(table.isNew(0, 1, START_MS)).toBe(true);
    expect(table.bytes).toBeLessThanOrEqual(BLOCKS_MAX * DEDUPE_BLOCK_SLOTS * 12);
  });

  test('a frozen copy does not change while the table goes on', () => {
    const table = new DedupeTable(WINDOW_MS);
    for (let i = 1; i <= BLOCK_ENTRIES + 100; i++) table.isNew(i, 0, START_MS);
    const frozen = table.freeze();
    const copy = structuredClone(frozen);
    const laterMs = START_MS + WINDOW_MS + 1_000;
    for (let i = 1; i <= BLOCK_ENTRIES + 200; i++) table.isNew(i, 0, laterMs);
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
