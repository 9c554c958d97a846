import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const DOCKERFILE = read('Dockerfile');
const UNIT = 'docs/deploy/lapse.service';

/** What the last stage takes over, relative to the root. */
const COPIED = [...DOCKERFILE.matchAll(/^COPY --from=build (.*) \S+$/gm)].flatMap(([, from]) =>
  from!.split(' ').map((path) => path.replace('/build/', '')),
);

test('Dockerfile: the image has every file of the package, and no sources to build from', () => {
  const { files } = JSON.parse(read('package.json')) as { readonly files: readonly string[] };
  for (const file of files) expect(COPIED).toContain(file);
  // `bin/lapse.mjs` takes this folder for a clone that must be built.
  expect(COPIED).not.toContain('engine');
  for (const path of COPIED) expect(existsSync(join(root, path)), path).toBe(true);
});

test('Dockerfile: the build has what it imports', () => {
  const ignored = read('.dockerignore').split('\n');
  for (const needed of ['tests', 'bench', 'scripts', 'config', 'tsconfig.build.json']) {
    expect(ignored).not.toContain(needed);
  }
});

const hasSystemd = spawnSync('systemd-analyze', ['--version']).error === undefined;
test.skipIf(!hasSystemd)('systemd-analyze accepts the unit', () => {
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', join(root, UNIT)], {
    encoding: 'utf8',
  });
  // Where Node.js or Lapse is installed elsewhere, only the missing program is told.
  const complaints = stderr.split('\n').filter((line) => /lapse\.service/.test(line));
  expect(complaints.filter((line) => !/is not executable/.test(line))).toEqual([]);
  if (complaints.length === 0) expect(status).toBe(0);
});

test('systemd: wrong input is not tried again, and the data folder is private', () => {
  const unit = read(UNIT);
  expect(unit).toMatch(/^RestartPreventExitStatus=2$/m);
  expect(unit).toMatch(/^StateDirectoryMode=0700$/m);
  expect(unit).not.toMatch(/^MemoryDenyWriteExecute=yes$/m);
});
