#!/usr/bin/env node
// Builds the fuzz targets, which are no part of the product's build, and runs them: `npm run fuzz`.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import './setup.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const built = join(root, '.cache', 'fuzz');

function run(...args) {
  const done = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (done.status !== 0) process.exit(done.status ?? 1);
}

run(
  join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
  ...['-p', 'tsconfig.fuzz.json', '--incremental'],
  ...['--tsBuildInfoFile', join(built, '.stamp.tsbuildinfo')],
);
run('--enable-source-maps', join(built, 'tests', 'fuzz', 'main.js'), ...process.argv.slice(2));
