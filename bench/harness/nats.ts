/** A NATS server of the bench's own: the newest that is found, store in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { userError } from '../../engine/errors/errors.ts';
import { packageRoot } from './machine.ts';

export interface BenchNats {
  readonly url: string;
  readonly version: string;
  /** Processor time that it has used so far, ms; 0 where /proc is missing. */
  cpuMs(): Promise<number>;
  stop(): Promise<void>;
}

interface Program {
  readonly path: string;
  readonly version: string;
}

/** @throws LapseError `ERR_BENCH_NATS` when there is none */
export async function startNats(): Promise<BenchNats> {
  const { path, version } = await newestProgram();
  const folder = await mkdtemp(join(tmpdir(), 'lapse-bench-nats-'));
  const port = await freePort();
  const config = join(folder, 'server.conf');
  await writeFile(
    config,
    `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${join(folder, 'store')}" }\n`,
  );
  const server = spawn(path, ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  await started(server);
  return {
    url: `nats://127.0.0.1:${port}`,
    version,
    cpuMs: () => cpuMsOf(server.pid!),
    async stop() {
      const exited = once(server, 'exit');
      server.kill('SIGKILL');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function newestProgram(): Promise<Program> {
  const finder = pathToFileURL(join(packageRoot(), 'scripts', 'find-nats.mjs')).href;
  const { findNatsServers } = (await import(finder)) as {
    findNatsServers(): Promise<Program[]>;
  };
  const newest = (await findNatsServers()).at(-1);
  if (newest !== undefined) return newest;
  throw userError(
    'ERR_BENCH_NATS',
    'A NATS server must be installed for this bench, none was found: set NATS_SERVER to its path.',
  );
}

function started(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = '';
    server.stderr?.on('data', (chunk: Buffer) => {
      if (log.includes('Server is ready')) return;
      log += chunk.toString();
      if (log.includes('Server is ready')) resolve();
    });
    server.once('error', reject);
    server.once('exit', () => reject(new Error(`nats-server ended at start:\n${log}`)));
  });
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  probe.close();
  await once(probe, 'close');
  return address.port;
}

const TICK_MS = 10;
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;

async function cpuMsOf(pid: number): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name in parentheses may hold spaces; the fields are counted behind it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[USER_TICKS] ?? 0) + Number(fields[SYSTEM_TICKS] ?? 0)) * TICK_MS;
}
