import { lacking } from './lacking.ts';
import type { OracleReport } from './oracle-records.ts';
import type { World } from './world.ts';

/**
 * Every decision on a qualification once, with its reason: what the processes reported is what the
 * oracle decides. Whoever reads a record again, after a crash, decides the same.
 */
export function checkReports(
  world: World,
  partition: number,
  wanted: readonly OracleReport[],
): void {
  const found = world.reports.of(partition);
  for (const problem of found.problems) world.problem(problem);
  const texts = wanted.map(({ text }) => text);
  for (const text of lacking(texts, found.texts)) {
    world.problem(`partition ${partition} did not report ${text}`);
  }
  for (const text of lacking(found.texts, texts)) {
    world.problem(`partition ${partition} reported, though it is not so, ${text}`);
  }
}
