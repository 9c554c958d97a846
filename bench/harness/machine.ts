/** What a figure travels with: machine, versions, commit. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
}

export interface Commit {
  /** 'unknown' outside a checkout. */
  readonly hash: string;
  /** Something tracked differs from the commit. */
  readonly isDirty: boolean;
}

const GIB = 2 ** 30;

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round((totalmem() / GIB) * 10) / 10,
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
  };
}

export function describeCommit(): Commit {
  try {
    const hash = git('rev-parse', '--short=12', 'HEAD');
    return { hash, isDirty: git('status', '--porcelain', '--untracked-files=no') !== '' };
  } catch {
    return { hash: 'unknown', isDirty: false };
  }
}

function git(...args: string[]): string {
  const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
  return execFileSync('git', args, { cwd: packageRoot(), encoding: 'utf8', stdio }).trim();
}

/** The folder of package.json, from the sources as well as from the build. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('package.json must stand above the benches');
    folder = parent;
  }
  return folder;
}
