#!/usr/bin/env node
// Proof that the simulation bites: breaks the engine on purpose, one way after the other, in a copy
// of its build, and runs seeds until one of them fails.
//   node scripts/mutations.mjs [--seeds N] [--only word] [--skip N]
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import './setup.mjs';
import { buildTests, SIMULATION } from './build-tests.mjs';
import { MUTATIONS } from './mutations/list.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const built = join(root, '.cache', 'simulation');
const broken = join(root, '.cache', 'mutation');
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '600' },
    only: { type: 'string', default: '' },
    // So many of the list, which were run before.
    skip: { type: 'string', default: '0' },
  },
});

function run(args, options = {}) {
  return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', ...options });
}

/** Each text must stand in its file exactly once, or the mutation is out of date. */
function breakIt({ file, from, to }) {
  const path = join(broken, file);
  writeFileSync(
    path,
    readFileSync(path, 'utf8').replace(from, () => to),
  );
}

/** Told before the first of them runs: the others would be found out hours later. */
function refuseStale() {
  const stale = MUTATIONS.flatMap(({ file, from }) => {
    const times = readFileSync(join(built, file), 'utf8').split(from).length - 1;
    return times === 1 ? [] : [`'${from}' must stand once in ${file}, it stands ${times} times\n`];
  });
  if (stale.length === 0) return;
  process.stderr.write(stale.join(''));
  process.exit(1);
}

/** Seeds in the order of their numbers, until one fails. */
function seedsUntilCaught(seeds) {
  const script = join(broken, 'tests', 'simulation', 'first-failure.js');
  const { stdout, status, stderr } = run([script, String(seeds)], { timeout: 1_800_000 });
  if (stdout === null || stdout === '')
    return { seed: undefined, problem: stderr || `status ${status}` };
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

buildTests('simulation', SIMULATION);
refuseStale();
const rows = [];
for (const mutation of MUTATIONS.slice(Number(values.skip))) {
  if (!`${mutation.name} ${mutation.file}`.includes(values.only)) continue;
  rmSync(broken, { recursive: true, force: true });
  cpSync(built, broken, { recursive: true });
  breakIt(mutation);
  const { seed, problem } = seedsUntilCaught(values.seeds);
  const found =
    seed === undefined
      ? `SURVIVED ${values.seeds} seeds ${problem ?? ''}`
      : `seed ${seed}: ${problem}`;
  process.stdout.write(`${mutation.name} [${mutation.file}]\n  ${found}\n`);
  rows.push({ ...mutation, seed, problem });
}
rmSync(broken, { recursive: true, force: true });
const survivors = rows.filter(({ seed }) => seed === undefined);
process.stdout.write(`${rows.length} mutations, ${survivors.length} survived\n`);
process.stdout.write('\n| Broken | File | Caught by seed | What was seen |\n|---|---|---|---|\n');
for (const { name, file, seed, problem } of rows) {
  const seen = String(problem ?? '')
    .split('\n')[0]
    .replaceAll('|', '/')
    .slice(0, 110);
  process.stdout.write(
    `| ${name} | \`${file.replace('.js', '.ts')}\` | ${seed ?? 'none'} | ${seen} |\n`,
  );
}
process.exitCode = survivors.length === 0 ? 0 : 1;
