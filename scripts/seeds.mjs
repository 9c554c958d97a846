#!/usr/bin/env node
// Builds the simulation (Node 20 runs no TypeScript) and runs its seeds.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const built = join(root, '.cache', 'simulation');
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const stamp = join(built, '.stamp.tsbuildinfo');
const options = ['-p', 'tsconfig.simulation.json', '--incremental', '--tsBuildInfoFile', stamp];
const { status } = spawnSync(process.execPath, [tsc, ...options], { cwd: root, stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
await import(pathToFileURL(join(built, 'tests', 'simulation', 'seeds.js')).href);
