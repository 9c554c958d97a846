/** Lapse as people get it: a clone, and a packed package in a folder of somebody else's. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);
/** No install script may be needed, and each package must take this Node.js. */
const STRICT = {
  npm_config_ignore_scripts: 'true',
  npm_config_engine_strict: 'true',
  npm_config_prefer_offline: 'true',
  npm_config_audit: 'false',
  npm_config_fund: 'false',
};
const env = { ...process.env, ...STRICT };
const DEFINITIONS = {
  webhooks: [{ id: 'hook', url: 'http://127.0.0.1:9/in' }],
  campaigns: [{ id: 'c', webhook: 'hook', qualify: { live: { action: { event: 'Bought' } } } }],
};
const INSTALL_MS_MAX = 240_000;

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lapse-install-'));
  folders.push(folder);
  return folder;
}

/** What a clone of this working tree would hold. */
async function clone(): Promise<string> {
  const folder = makeFolder();
  const listing = ['ls-files', '--cached', '--others', '--exclude-standard'];
  const { stdout } = await run('git', listing, { cwd: root });
  for (const name of stdout.split('\n').filter((line) => line !== '')) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    cpSync(join(root, name), join(folder, name), { force: true });
  }
  return folder;
}

/** Validates, then serves until it takes events, then drains. */
async function tryOut(program: string, cwd: string): Promise<void> {
  const config = join(cwd, 'shop.json');
  writeFileSync(config, JSON.stringify(DEFINITIONS));
  const validated = await run(program, ['validate', config], { cwd, env });
  expect(validated.stdout).toBe('Valid: 1 campaign, 1 webhook.\n');
  const data = join(cwd, 'data');
  const flags = ['serve', '--config', config, '--data', data, '--port', '0'];
  const serve = spawn(program, flags, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  const exited = once(serve, 'close');
  await new Promise<void>((resolve, reject) => {
    serve.stderr.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes('takes events')) resolve();
    });
    serve.once('close', () => reject(new Error(`serve ended at start:\n${log}`)));
  });
  serve.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
}

describe('installs', () => {
  test(
    'a clone makes itself ready, and its package works in an empty folder',
    async () => {
      const cloned = await clone();
      await tryOut(join(cloned, 'bin', 'lapse.mjs'), cloned);
      const user = makeFolder();
      await run('npm', ['pack', '--pack-destination', user], { cwd: cloned, env });
      const [packed] = readdirSync(user);
      await run('npm', ['init', '-y'], { cwd: user, env });
      await run('npm', ['install', '--omit=dev', `./${packed}`], { cwd: user, env });
      await tryOut(join(user, 'node_modules', '.bin', 'lapse'), user);
    },
    INSTALL_MS_MAX,
  );
});

const NOBODY = 65_534;
const UNWRITABLE = 0o555;

/** A clone whose owner is somebody else: what the entry needs of it, and no more. */
function foreignClone(isBuilt: boolean): string {
  const folder = makeFolder();
  for (const name of ['bin', 'scripts']) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  const put = (name: string, text: string) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  };
  put('package.json', '{"type":"module"}');
  if (isBuilt) {
    put('dist/app/cli/main.js', "process.stdout.write('it runs\\n');");
    put('dist/.stamp.tsbuildinfo', '');
    put('node_modules/.package-lock.json', '{}');
  }
  // Newer than what is installed and built, as after an unpacking that sets the times anew.
  put('package-lock.json', '{}');
  put('engine/engine.ts', '');
  for (const name of ['dist', 'node_modules', '.']) {
    if (isBuilt || name === '.') chmodSync(join(folder, name), UNWRITABLE);
  }
  return folder;
}

/** Root may write anywhere: it asks as a user who may not. */
async function runAsStranger(folder: string) {
  const isRoot = process.getuid?.() === 0;
  const child = spawn(process.execPath, [join(folder, 'bin', 'lapse.mjs'), '--version'], {
    cwd: folder,
    ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number];
  chmodSync(folder, 0o755);
  return { code, stdout, stderr };
}

describe('a clone that this user may not write to', () => {
  test('is refused with a sentence when it is not built', async () => {
    const folder = foreignClone(false);
    const { code, stdout, stderr } = await runAsStranger(folder);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr.trimEnd().split('\n')).toEqual([
      `Lapse must be installed and built once by a user who may write to ${folder}; this one may ` +
        'not. Run `node scripts/setup.mjs --build` there as its owner.',
    ]);
  });

  test('runs the build that is there, and says so', async () => {
    const folder = foreignClone(true);
    const { code, stdout, stderr } = await runAsStranger(folder);
    expect([code, stdout]).toEqual([0, 'it runs\n']);
    expect(stderr.trimEnd().split('\n')).toEqual([
      `Lapse could not check its build: this user may not write to ${folder}. It runs the build ` +
        'that is there.',
    ]);
  });
});
