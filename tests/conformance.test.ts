import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { DefinitionsError } from '../config/definitions/problem.ts';
import { parseJson } from '../engine/json/parse-json.ts';
import { type ConformanceCase, problemsOf, runCase } from './support/conformance.ts';

const folder = join(dirname(fileURLToPath(import.meta.url)), 'conformance');
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));

/** Cases of what is not built yet: they must be refused by name, never run half. */
const NOT_BUILT = new Set([
  'custom JSON body with Liquid, a default, query parameters and headers',
  'plain text',
  'abort sends nothing',
  'profile at sending, event as it was',
]);

for (const file of files) {
  const cases = [parseJson(readFileSync(join(folder, file), 'utf8'))].flat() as ConformanceCase[];
  describe(`conformance, ${file}`, () => {
    for (const one of cases) {
      if (NOT_BUILT.has(one.name)) {
        test(`${one.name} (${one.spec}): refused by name`, async () => {
          const refusal = await runCase(one, 1).catch((error: unknown) => error);
          expect(refusal).toBeInstanceOf(DefinitionsError);
          const codes = (refusal as DefinitionsError).problems.map(({ code }) => code);
          expect(new Set(codes)).toEqual(new Set(['ERR_NOT_BUILT']));
        });
        continue;
      }
      test(`${one.name} (${one.spec})`, async () => {
        const lines = await runCase(one, 1);
        expect(problemsOf(one, lines)).toEqual([]);
        expect(await runCase(one, 7), 'the same for every number of partitions').toEqual(lines);
      });
    }
  });
}
