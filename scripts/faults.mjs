#!/usr/bin/env node
// Tries every fault of tests/process/faults in full size, and prints the table of what came of it.
// LAPSE_FAULTS_KILLS and LAPSE_FAULTS_TIMES say how often, LAPSE_FAULTS_SEED from which seed;
// arguments name the files to run: `npm run faults -- kill network`.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const results = join(root, '.cache', 'faults.ndjson');
const named = process.argv.slice(2);
const files =
  named.length === 0
    ? ['tests/process/faults', 'tests/engine/checkpoint/every-byte.test.ts']
    : named.map((name) => `tests/process/faults/${name}`);

mkdirSync(join(root, '.cache'), { recursive: true });
rmSync(results, { force: true });
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', ...files, '--maxWorkers=1', '--reporter=verbose'],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      LAPSE_FAULTS_KILLS: '200',
      LAPSE_FAULTS_TIMES: '10',
      ...process.env,
      LAPSE_FAULTS_RESULTS: results,
    },
  },
);

const lines = existsSync(results) ? readFileSync(results, 'utf8').trim().split('\n') : [];
const rows = lines.filter((line) => line !== '').map((line) => JSON.parse(line));
const columns = ['fault', 'log', 'tried', 'acknowledged', 'joined', 'owed', 'lost', 'doubled', 's'];
console.info(`\n| ${columns.join(' | ')} |\n|${columns.map(() => '---').join('|')}|`);
for (const row of rows) console.info(`| ${columns.map((name) => row[name] ?? '').join(' | ')} |`);
process.exit(status ?? 1);
