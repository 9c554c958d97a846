import { describe, expect, test } from 'vitest';
import { runSeed } from './run-seed.ts';

const SEEDS = Number(process.env.LAPSE_SEEDS ?? 300);
const FIRST = Number(process.env.LAPSE_SEED_FIRST ?? 1);
const BLOCK = 50;

describe('the whole system does what it must under any load and faults', () => {
  for (let from = FIRST; from < FIRST + SEEDS; from += BLOCK) {
    const last = Math.min(from + BLOCK, FIRST + SEEDS) - 1;
    test(`seeds ${from} to ${last}`, async () => {
      for (let seed = from; seed <= last; seed++) {
        const { problems } = await runSeed(seed);
        expect(problems, `npm run seeds -- --seed ${seed}`).toEqual([]);
      }
    });
  }
});

test('a run is a function of its seed', async () => {
  for (const seed of [1, 2, 3]) {
    const [one, other] = [await runSeed(seed, true), await runSeed(seed, true)];
    expect(one.trace.length).toBeGreaterThan(10);
    expect(one.trace).toEqual(other.trace);
    expect(one.traceHash).toBe(other.traceHash);
  }
});
