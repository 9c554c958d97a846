#!/usr/bin/env node
// Builds the fuzz targets, which are no part of the product's build, and runs them:
//   node scripts/fuzz.mjs --help
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import './setup.mjs';
import { buildTests } from './build-tests.mjs';

const built = buildTests('fuzz', {
  include: ['engine', 'operators', 'connectors', 'config', 'app', 'tests/fuzz'],
});
const main = join(built, 'tests', 'fuzz', 'main.js');
const done = spawnSync(process.execPath, ['--enable-source-maps', main, ...process.argv.slice(2)], {
  stdio: 'inherit',
});
process.exit(done.status ?? 1);
