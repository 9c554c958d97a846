#!/usr/bin/env node
// Makes a fresh clone ready: installs packages and builds, each only when it is missing or stale.
// Plain JavaScript without imports of ours, because it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const SOURCES = ['engine', 'operators', 'connectors', 'config', 'app', 'bench'];
const LOCK_WAIT_MS = 100;
const NOT_WRITABLE = new Set(['EACCES', 'EPERM', 'EROFS']);
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Lapse needs Node.js 20.19 or newer, this is ${process.versions.node}.`);
  process.exit(2);
}

/** Each way is a command with its arguments; a later one is tried when those before it fail. */
function run(label, ...ways) {
  const started = Date.now();
  process.stderr.write(`${label} …\n`);
  for (const [index, [command, ...args]] of ways.entries()) {
    const done = spawnSync(command, args, {
      cwd: root,
      encoding: 'utf8',
      shell: process.platform === 'win32',
    });
    if (done.status === 0) {
      process.stderr.write(`${label} done in ${((Date.now() - started) / 1000).toFixed(1)} s.\n`);
      return;
    }
    if (index < ways.length - 1) continue;
    process.stderr.write(`${done.stdout ?? ''}${done.stderr ?? ''}`);
    console.error(`${label} failed: ${command} ${args.join(' ')}`);
    process.exit(1);
  }
}

function newest(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

const installed = join(root, 'node_modules', '.package-lock.json');
// The stamp is the compiler's own record of its last build, written after every file of dist.
const stamp = join(root, 'dist', '.stamp.tsbuildinfo');

function isInstalled() {
  return (
    existsSync(installed) && statSync(installed).mtimeMs >= newest(join(root, 'package-lock.json'))
  );
}

function isBuilt() {
  const inputs = [...SOURCES, 'tsconfig.build.json'].map((name) => newest(join(root, name)));
  return existsSync(stamp) && statSync(stamp).mtimeMs >= Math.max(...inputs);
}

// Two commands that start at once must not both write node_modules or dist.
const lock = join(root, '.cache', 'setup.lock');

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function holdLock() {
  mkdirSync(dirname(lock), { recursive: true });
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      process.on('exit', releaseLock);
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = Number(existsSync(lock) ? readFileSync(lock, 'utf8') || Number.NaN : Number.NaN);
    // One that was killed leaves its file behind; an empty one is being written just now.
    if (holder > 0 && !isRunning(holder)) rmSync(lock, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_WAIT_MS);
  }
}

/** Holds the lock from then on, unless this user may not write here. */
function mayWrite() {
  try {
    holdLock();
    return true;
  } catch (error) {
    if (!NOT_WRITABLE.has(error.code)) throw error;
    return false;
  }
}

function releaseLock() {
  rmSync(lock, { force: true });
  process.off('exit', releaseLock);
}

// `npx lapse` must mean this program, with every npm, and never one of that name elsewhere.
function linkCommand() {
  const link = join(root, 'node_modules', '.bin', 'lapse');
  if (process.platform === 'win32' || existsSync(link)) return;
  try {
    rmSync(link, { force: true });
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join('..', '..', 'bin', 'lapse.mjs'), link);
  } catch (error) {
    // A user who may not write here may still run what is here.
    if (!NOT_WRITABLE.has(error.code)) throw error;
  }
}

/** Says what to do when this user may not write here; returns when what is here can be run. */
function goOnWithoutWriting() {
  const isComplete = existsSync(installed) && existsSync(stamp);
  if (!isForced && isComplete) {
    console.error(
      `Lapse could not check its build: this user may not write to ${root}. ` +
        'It runs the build that is there.',
    );
    return;
  }
  console.error(
    `Lapse must be installed and built once by a user who may write to ${root}; this one may not. ` +
      'Run `node scripts/setup.mjs --build` there as its owner.',
  );
  process.exit(2);
}

const isForced =
  process.argv[1] === fileURLToPath(import.meta.url) && process.argv.includes('--build');
if (!isForced && isInstalled() && isBuilt()) linkCommand();
else if (!mayWrite()) goOnWithoutWriting();
else {
  if (!isInstalled()) {
    // `ci` refuses a lock file that lacks optional packages of other systems, as one has that was
    // written against a registry without them; `install` takes the same versions all the same.
    const options = ['--no-audit', '--no-fund', '--loglevel=error'];
    run(
      'Installing packages',
      ['npm', 'ci', ...options],
      ['npm', 'install', '--no-save', ...options],
    );
  }
  if (isForced || !isBuilt()) {
    run('Building', [
      process.execPath,
      join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
      '-p',
      'tsconfig.build.json',
      '--incremental',
      '--tsBuildInfoFile',
      stamp,
    ]);
  }
  linkCommand();
  releaseLock();
}
