import { describe, expect, test } from 'vitest';
import { Ring } from '../../../engine/intake/ring.ts';
import { Prng } from '../../support/prng.ts';

const STEPS = 5_000;

describe('ring', () => {
  test.each([1, 3, 8])('agrees with an array, with room for %i at first', (capacity) => {
    const prng = new Prng(capacity);
    const ring = new Ring<number>(capacity);
    const model: number[] = [];
    for (let step = 0; step < STEPS; step++) {
      if (prng.chance(0.52)) {
        ring.push(step);
        model.push(step);
      } else expect(ring.shift()).toBe(model.shift());
      expect([ring.length, ring.first]).toEqual([model.length, model[0]]);
    }
  });
});
