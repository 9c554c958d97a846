// Builds TypeScript of tests that runs outside vitest (Node 20 runs none) into .cache/<name>.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/**
 * @param {string} name of the folder below .cache
 * @param {{ include?: string[], files?: string[] }} sources relative to the project
 * @returns {string} the folder with the build
 */
export function buildTests(name, { include = [], files = [] }) {
  const built = join(root, '.cache', name);
  mkdirSync(built, { recursive: true });
  const config = join(built, 'tsconfig.json');
  const up = (path) => join('../..', path);
  writeFileSync(
    config,
    JSON.stringify({
      extends: '../../tsconfig.build.json',
      compilerOptions: { rootDir: '../..', outDir: '.' },
      include: include.map(up),
      files: files.map(up),
      exclude: ['../../tests/**/*.test.ts'],
    }),
  );
  const { status } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
      ...['-p', config, '--incremental', '--tsBuildInfoFile', join(built, '.stamp.tsbuildinfo')],
    ],
    { cwd: root, stdio: 'inherit' },
  );
  if (status !== 0) process.exit(status ?? 1);
  return built;
}

/** The simulation with its seeds. */
export const SIMULATION = {
  files: ['seeds', 'seed-process', 'first-failure'].map((name) => `tests/simulation/${name}.ts`),
};
