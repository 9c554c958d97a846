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

  test.each([
    ['in order of time', (i: number) => i],
    ['against the order of time', (i: number) => -i],
    ['of one time', () => 0],
  ])('a hold costs the logarithm of how many there are, %s', (_, atMsOf) => {
    const stepsOfOne = (count: number) => {
      const holds = new IntakeHolds();
      const held = Array.from({ length: count }, (_unused, i) => holds.add(atMsOf(i)));
      for (const hold of held) holds.release(hold);
      return holds.steps / count;
    };
    const [few, many] = [1_024, 16 * 1_024];
    // Of a heap whose height grows from 10 to 14; a list would cost 16 times as much.
    expect(stepsOfOne(many)).toBeLessThan(2 * stepsOfOne(few) + 2);
  });

  test('one that is held for long keeps nothing in memory that comes and goes meanwhile', () => {
    const holds = new IntakeHolds();
    holds.add(0);
    for (let atMs = 1; atMs <= STEPS; atMs++) {
      holds.release(holds.add(atMs));
      expect(holds.size).toBeLessThanOrEqual(2);
    }
    expect(holds.limitMs).toBe(0);
  });
});
