/**
 * Finds promtool, which checks metrics and alert rules: that on PATH, else the one taken out of
 * Debian's package `prometheus`. The package is not installed, so that its server does not start.
 *
 *   node scripts/find-promtool.mjs    gets it when it is missing, says where it is
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OWN = fileURLToPath(new URL('../.cache/promtool/promtool', import.meta.url));

/** Its path; undefined when it is not on this machine. */
export function findPromtool() {
  const onPath = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, 'promtool'));
  return [...onPath, OWN].find((path) => existsSync(path));
}

/** @throws Error when the package cannot be had */
function getPromtool() {
  const work = mkdtempSync(join(tmpdir(), 'lapse-promtool-'));
  try {
    const run = (command, ...args) =>
      execFileSync(command, args, { cwd: work, stdio: ['ignore', 'ignore', 'inherit'] });
    run('apt-get', 'download', '-qq', 'prometheus');
    run(
      'dpkg',
      '-x',
      readdirSync(work).find((name) => name.endsWith('.deb')),
      'package',
    );
    mkdirSync(join(OWN, '..'), { recursive: true });
    copyFileSync(join(work, 'package', 'usr', 'bin', 'promtool'), OWN);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (findPromtool() === undefined) getPromtool();
  process.stdout.write(`${findPromtool()}\n`);
}
