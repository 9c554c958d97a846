import { describe, expect, test } from 'vitest';
import { type Hold, IntakeHolds } from '../../../engine/intake/intake-holds.ts';
import { Prng } from '../../support/prng.ts';

const TIMES_MS = 40;
const STEPS = 2_000;

describe('holds of a lane', () => {
  test('the limit is the lowest time that is held, in whatever order they come and go', () => {
    const prng = new Prng(1);
    const holds = new IntakeHolds();
    const held: { readonly hold: Hold; readonly atMs: number }[] = [];
    for (let step = 0; step < STEPS; step++) {
      const atMs = prng.below(TIMES_MS);
      if (prng.chance(0.5)) held.push({ hold: holds.add(atMs), atMs });
      else if (held.length > 0) holds.release(held.splice(prng.below(held.length), 1)[0]!.hold);
      expect(holds.limitMs).toBe(Math.min(...held.map((one) => one.atMs)));
    }
  });
});
