/**
 * Whatever asks `serve` to end, it drains: SIGTERM, SIGINT and SIGHUP, to itself or to npm, and as
 * the first process of a container from its first moments on.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stablePort } from '../support/ports.ts';
import { until } from '../support/until.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LAPSE = join(ROOT, 'bin/lapse.mjs');
/** Entering a process namespace needs rights that not every machine gives. */
const NAMESPACE = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
const canUnshare = spawnSync(NAMESPACE[0]!, [...NAMESPACE.slice(1), 'true']).status === 0;
if (!canUnshare)
  console.error('Not tried: serve as process 1, as `unshare --pid` may not be used.');

let folder: string;
let child: ChildProcess | undefined;
let said = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lapse-signals-'));
  await writeFile(join(folder, 'none.yaml'), 'campaigns: []\n');
  said = '';
});
afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function start(command: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const args = [
    'serve',
    '--port',
    String(await stablePort()),
    '--config',
    join(folder, 'none.yaml'),
  ];
  const [program, ...before] = command;
  const around = Object.entries(process.env).filter(([name]) => !/^(npm_|LAPSE_)/.test(name));
  child = spawn(program!, [...before, ...args, '--data', join(folder, 'data')], {
    cwd: ROOT,
    env: { ...Object.fromEntries(around), ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr!.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  return child;
}

const says = (text: string) =>
  until(`serve says ${text}`, () => said.includes(text), {
    timeoutMs: 60_000,
    describe: () => said,
  });

describe('signals', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s drains', async (signal) => {
    const serve = await start([process.execPath, LAPSE]);
    await says('takes events');
    const ended = once(serve, 'exit');
    serve.kill(signal);
    expect(await ended).toEqual([0, null]);
    expect(said).toContain(`"signal":"${signal}","msg":"Draining."`);
    expect(said).toContain('"msg":"Stopped."');
  });

  test.each(['json', 'text'])(
    'a log of %s that nobody reads any more stops nothing',
    async (form) => {
      const serve = await start([process.execPath, LAPSE], { LAPSE_LOG_FORMAT: form });
      await says('takes events');
      serve.stderr!.destroy();
      const ended = once(serve, 'exit');
      serve.kill('SIGHUP');
      expect(await ended).toEqual([0, null]);
    },
  );

  test.each(['SIGTERM', 'SIGHUP', 'SIGKILL'] as const)(
    'npx that ends by %s leaves nothing behind that does not drain',
    async (signal) => {
      const npx = await start(['npx', 'lapse'], { npm_config_cache: join(folder, 'npm') });
      await says('takes events');
      npx.kill(signal);
      await says('"signal":"the end of npm","msg":"Draining."');
      await says('"msg":"Stopped."');
    },
  );

  test.skipIf(!canUnshare)(
    'as process 1, a signal in the first moments is not lost, and one later drains',
    async () => {
      const [program, ...rest] = [...NAMESPACE, process.execPath, LAPSE];
      for (const waitFor of ['', 'takes events']) {
        said = '';
        const outer = await start([program!, ...rest]);
        const ended = once(outer, 'exit');
        if (waitFor !== '') await says(waitFor);
        // What unshare has forked is process 1 inside; its signals come from outside.
        const inner = await until('serve is process 1', () => childOf(outer.pid!));
        await until('Node.js runs its modules', () => hasHandlers(inner));
        process.kill(inner, 'SIGTERM');
        expect(await ended).toEqual([0, null]);
        expect(said).toContain('"signal":"SIGTERM"');
      }
    },
  );
});

/** The process id of a child, undefined while there is none. */
function childOf(pid: number): number | undefined {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)]);
  return Number(stdout.toString().trim().split('\n')[0]) || undefined;
}

/** Whether ours are there: Node.js has one of its own for SIGTERM, and none for SIGHUP. */
function hasHandlers(pid: number): boolean {
  const { stdout } = spawnSync('grep', ['SigCgt', `/proc/${pid}/status`]);
  const mask = BigInt(`0x${stdout.toString().split('\t')[1]?.trim() || '0'}`);
  const SIGHUP_BIT = 1n;
  return (mask & SIGHUP_BIT) !== 0n;
}
