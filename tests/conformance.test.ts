import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseJson } from '../engine/json/parse-json.ts';
import { type ConformanceCase, problemsOf, runCase } from './support/conformance.ts';

const folder = join(dirname(fileURLToPath(import.meta.url)), 'conformance');
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));

for (const file of files) {
  const cases = [parseJson(readFileSync(join(folder, file), 'utf8'))].flat() as ConformanceCase[];
  describe(`conformance, ${file}`, () => {
    for (const one of cases) {
      test(`${one.name} (${one.spec})`, async () => {
        const lines = await runCase(one, 1);
        expect(problemsOf(one, lines)).toEqual([]);
        expect(await runCase(one, 7), 'the same for every number of partitions').toEqual(lines);
      });
    }
  });
}
