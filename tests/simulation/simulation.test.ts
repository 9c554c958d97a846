import { expect, test } from 'vitest';
import { runSeed } from './run-seed.ts';

const SEEDS = Number(process.env.LAPSE_SEEDS ?? 90);
const FIRST = Number(process.env.LAPSE_SEED_FIRST ?? 1);

test(`the whole system does what it must, over ${SEEDS} seeds of load and faults`, async () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const { problems } = await runSeed(seed);
    expect(problems, `npm run seeds -- --seed ${seed}`).toEqual([]);
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
