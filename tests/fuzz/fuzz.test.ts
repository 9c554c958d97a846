/** The share of `node scripts/fuzz.mjs` that runs each time: the whole corpus, and a few inputs of a seed. */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CORPUS, corpusOf, mutatorOf } from './corpus.ts';
import { feed } from './feed.ts';
import type { FuzzRunner } from './target.ts';
import { TARGETS } from './targets.ts';

const SEED = 1;
/** For a target whose inputs cost little; no more of any, so that all take a few seconds. */
const INPUTS = 40;
const CORPUS_FILES_MIN = 3;

test('every target has a corpus, and every corpus a target', () => {
  expect(readdirSync(CORPUS).sort()).toEqual(TARGETS.map(({ name }) => name).sort());
  const poor = TARGETS.filter((target) => corpusOf(target).length < CORPUS_FILES_MIN);
  expect(poor.map(({ name }) => name)).toEqual([]);
});

describe.each(TARGETS.map((target) => [target.name, target] as const))('%s', (_name, target) => {
  let runner: FuzzRunner;
  beforeAll(async () => {
    runner = await target.open();
  });
  afterAll(() => runner.close?.());

  const seeds = target
    .seeds()
    .map((seed, i) => ({ name: `seed ${i}`, bytes: Buffer.from(seed as string) }));

  test('takes its corpus without a finding, and accepts some of its own seeds', async () => {
    let accepted = 0;
    for (const { name, bytes } of [...seeds, ...corpusOf(target)]) {
      const outcome = await feed(runner, bytes).catch((error: unknown) => {
        throw new Error(`${target.name}/${name} broke it.`, { cause: error });
      });
      if (outcome === 'accepted') accepted++;
    }
    expect(accepted).toBeGreaterThan(0);
  });

  test(`takes inputs of seed ${SEED} without a finding`, async () => {
    const mutator = mutatorOf(target);
    const count = Math.ceil(INPUTS * Math.min(1, target.share ?? 1));
    for (let n = 0; n < count; n++) {
      await feed(runner, mutator.input(SEED, n)).catch((error: unknown) => {
        throw new Error(`Input ${n} of seed ${SEED} broke ${target.name}.`, { cause: error });
      });
    }
  });
});
