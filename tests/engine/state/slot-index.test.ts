import { describe, expect, test } from 'vitest';
import { SlotIndex } from '../../../engine/state/slot-index.ts';
import { Prng } from '../../support/prng.ts';

/** The slots that a walk over the run of `hash` meets with that very hash. */
function slotsOf(index: SlotIndex, hashes: ReadonlyMap<number, number>, hash: number): number[] {
  const slots: number[] = [];
  let position = index.first(hash);
  for (let slot = index.slotAt(position); slot !== -1; slot = index.slotAt(position)) {
    if (hashes.get(slot) === hash) slots.push(slot);
    position = index.next(position);
  }
  return slots.sort((a, b) => a - b);
}

describe('slot index', () => {
  test('finds exactly what was added, with colliding hashes, runs around the end and removals', () => {
    for (let seed = 1; seed <= 80; seed++) {
      const prng = new Prng(seed);
      const hashes = new Map<number, number>();
      const index = new SlotIndex((slot) => hashes.get(slot)!);
      // Few values that lie close together, near the end of the table and far apart.
      const pool = Array.from({ length: 12 }, (_, i) =>
        prng.pick([i, 60 + i, 2 ** 32 - 1 - i, prng.below(2 ** 32)]),
      );
      for (let step = 0; step < 500; step++) {
        const slot = prng.below(300);
        const known = hashes.get(slot);
        if (known === undefined) {
          const hash = prng.pick(pool);
          hashes.set(slot, hash);
          index.add(slot, hash);
        } else {
          index.remove(slot, known);
          hashes.delete(slot);
        }
        expect(index.count).toBe(hashes.size);
      }
      for (const hash of pool) {
        const wanted = [...hashes].filter(([, h]) => h === hash).map(([slot]) => slot);
        expect(slotsOf(index, hashes, hash), `seed ${seed}`).toEqual(wanted.sort((a, b) => a - b));
      }
    }
  });

  test('is empty after a reset, with room for what is announced', () => {
    const index = new SlotIndex((slot) => slot);
    index.add(1, 1);
    index.reset(1_000);
    expect(index.count).toBe(0);
    expect(index.slotAt(index.first(1))).toBe(-1);
    const { bytes } = index;
    for (let slot = 0; slot < 1_000; slot++) index.add(slot, slot);
    expect(index.bytes).toBe(bytes);
  });
});
