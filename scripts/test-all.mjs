#!/usr/bin/env node
// Every test there is: the suite with its processes, faults, benches and installs, then the clients
// that people have (SDKs from npm and PyPI). `npm test` leaves out what is slow.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import './setup.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');

function run(tests) {
  const env = { ...process.env, TESTS: tests };
  const args = [vitest, 'run', ...process.argv.slice(2)];
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env }).status ?? 1;
}

const failed = ['all', 'clients'].filter((tests) => run(tests) !== 0);
process.exit(failed.length === 0 ? 0 : 1);
