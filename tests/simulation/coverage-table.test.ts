import { expect, test } from 'vitest';
import { FEATURES, type Feature } from './coverage.ts';
import { CoverageTable } from './coverage-table.ts';

const SEEDS_OF_A_FLOOR = 1_000;
const floors = Object.values(FEATURES).flatMap(
  (features) => Object.entries(features) as [Feature, number][],
);

/** A table of runs of which each feature has its floor and `more`. */
function tableOf({ more, seeds }: { more: number; seeds: number }): CoverageTable {
  const table = new CoverageTable();
  for (let seed = 0; seed < seeds; seed++) {
    const met = floors.filter(([, floor]) => seed < floor + more).map(([feature]) => feature);
    table.add(Object.fromEntries(met.map((feature) => [feature, 3])));
  }
  return table;
}

test('every feature has a floor', () => {
  expect(floors.filter(([, floor]) => floor <= 0)).toEqual([]);
});

test('what is met in as many seeds as it must be is no problem', () => {
  expect(tableOf({ more: 0, seeds: SEEDS_OF_A_FLOOR }).problems()).toEqual([]);
});

test('what is met in one seed too few is one, by its name', () => {
  const problems = tableOf({ more: -1, seeds: SEEDS_OF_A_FLOOR }).problems();
  expect(problems).toHaveLength(floors.length);
  const [[feature, floor]] = floors as [[Feature, number]];
  expect(problems[0]).toContain(`'${feature}' in ${floor - 1} seeds`);
});

test('few seeds are not judged', () => {
  expect(tableOf({ more: -1, seeds: SEEDS_OF_A_FLOOR - 1 }).problems()).toEqual([]);
});

test('the table says how often and in how many seeds', () => {
  const table = tableOf({ more: 0, seeds: SEEDS_OF_A_FLOOR });
  const [[feature, floor]] = floors as [[Feature, number]];
  expect(table.lines()).toContain(`| ${feature} | ${3 * floor} | ${floor} | ${floor} |`);
});
