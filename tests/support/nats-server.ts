/** A NATS server of a test's own: on a free loopback port, with its store in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findNatsServers, type NatsServerProgram } from '../../scripts/find-nats.mjs';
import { stablePort } from './ports.ts';

export interface NatsServer {
  readonly url: string;
  readonly port: number;
  readonly version: string;
  /** Ends it as a crash would; its store stays. */
  kill(): Promise<void>;
  /** Stops it where it stands, as a paused machine does; connections stay. */
  freeze(): void;
  thaw(): void;
  /** Starts it again on the same port and store. */
  restart(): Promise<void>;
  /** Ends it and removes its store. */
  stop(): Promise<void>;
}

export interface NatsServerOptions {
  readonly program: NatsServerProgram;
  /** @default true */
  readonly hasJetStream?: boolean;
  /** More lines of its configuration file. */
  readonly config?: string;
  /** More lines of its `jetstream` block. */
  readonly jetStream?: string;
  /** Where it keeps its streams. @default a folder of its own */
  readonly store?: string;
}

/** Servers to run tests on; says so aloud when there is none, and fails where CI must have one. */
export async function natsPrograms(): Promise<NatsServerProgram[]> {
  const programs = await findNatsServers();
  if (programs.length === 0) {
    const text = 'No NATS server was found: the tests against NATS do NOT run.';
    if (process.env.CI === 'true') throw new Error(text);
    console.warn(text);
  }
  return programs;
}

export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const { program, hasJetStream = true, config = '', jetStream = '' } = options;
  const folder = await mkdtemp(join(tmpdir(), 'lapse-nats-'));
  const port = await stablePort();
  const path = join(folder, 'server.conf');
  const storeFolder = options.store ?? join(folder, 'store');
  const store = hasJetStream ? `jetstream { store_dir: "${storeFolder}"\n${jetStream} }` : '';
  await writeFile(path, `listen: "127.0.0.1:${port}"\n${store}\n${config}\n`);
  let running = await launch(program, path);
  const kill = async () => {
    if (running.exitCode !== null || running.signalCode !== null) return;
    const exited = once(running, 'exit');
    running.kill('SIGKILL');
    await exited;
  };
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    version: program.version,
    kill,
    freeze: () => void running.kill('SIGSTOP'),
    thaw: () => void running.kill('SIGCONT'),
    async restart() {
      await kill();
      running = await launch(program, path);
    },
    async stop() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves when the server says that it is ready. */
async function launch(program: NatsServerProgram, path: string): Promise<ChildProcess> {
  const server = spawn(program.path, ['-c', path], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  await new Promise<void>((resolve, reject) => {
    server.stderr?.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes('Server is ready')) resolve();
    });
    server.once('error', reject);
    server.once('exit', () => reject(new Error(`nats-server ended at start:\n${log}`)));
  });
  server.stderr?.removeAllListeners('data').resume();
  return server;
}
