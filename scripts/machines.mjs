#!/usr/bin/env node
// Runs the tests that could notice it under other time zones, languages and years:
//   node scripts/machines.mjs
// Ends with 0 when they hold on every machine.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const otherYear = pathToFileURL(join(root, 'tests', 'support', 'other-year.mjs')).href;

const machines = [
  { TZ: 'America/New_York', LANG: 'en_US.UTF-8' },
  { TZ: 'Asia/Kolkata', NODE_OPTIONS: `--import=${otherYear}` },
  { TZ: 'Europe/Istanbul', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' },
];

/** Times, filters, definitions, input and whole simulations: half a minute on a quiet machine. */
const tests = [
  'tests/app/simulate',
  'tests/config/definitions',
  'tests/conformance.test.ts',
  'tests/connectors/events',
  'tests/engine/json',
  'tests/engine/time',
  'tests/operators',
];

let failed = 0;
for (const machine of machines) {
  console.log(`== ${JSON.stringify(machine)}`);
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const { status } = spawnSync(process.execPath, [vitest, 'run', ...tests], {
    cwd: root,
    env: { ...process.env, ...machine },
    stdio: 'inherit',
  });
  if (status !== 0) failed++;
}
console.log(`${machines.length - failed} of ${machines.length} machines hold.`);
process.exitCode = failed === 0 ? 0 : 1;
