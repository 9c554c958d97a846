import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectEmbeddedLog } from '../../../connectors/logs/embedded/embedded-log.ts';
import {
  type EmbeddedLogOptions,
  type EmbeddedLogServer,
  startEmbeddedLog,
} from '../../../connectors/logs/embedded/embedded-server.ts';
import { LOG_FORMAT_VERSION, openTables } from '../../../connectors/logs/embedded/lmdb-schema.ts';
import type { LapseError } from '../../../engine/errors/errors.ts';
import { describeLog } from './contract.ts';
import { bytesOf, readSome, texts } from './reading.ts';

const PARTITIONS = 8;
const workerUrl = new URL(
  '../../../dist/connectors/logs/embedded/storage-worker.js',
  import.meta.url,
);

function start(directory: string, options: Partial<EmbeddedLogOptions> = {}) {
  return startEmbeddedLog({ directory, partitionCount: PARTITIONS, workerUrl, ...options });
}

function connect(server: EmbeddedLogServer) {
  return connectEmbeddedLog(server.address().address);
}

function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'lapse-log-'));
}

for (const durability of ['disk', 'process'] as const) {
  describeLog(`embedded log, durability '${durability}'`, async () => {
    const directory = await temporaryFolder();
    let server = await start(directory, { durability });
    return {
      partitionCount: PARTITIONS,
      connect: () => connect(server),
      async reopen() {
        await server.close();
        server = await start(directory, { durability });
      },
      async stop() {
        await server.close();
        await rm(directory, { recursive: true });
      },
    };
  });
}

describe('embedded log', () => {
  let directory: string;
  let servers: EmbeddedLogServer[];

  beforeEach(async () => {
    directory = await temporaryFolder();
    servers = [];
  });
  afterEach(async () => {
    for (const server of servers) await server.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function started(options: Partial<EmbeddedLogOptions> = {}): Promise<EmbeddedLogServer> {
    const server = await start(directory, options);
    servers.push(server);
    return server;
  }

  test('identity: another partition count is refused, and the log stays as it was', async () => {
    const first = await started();
    await first.close();
    const other = start(directory, { partitionCount: PARTITIONS + 1 });
    await expect(other).rejects.toMatchObject({ code: 'ERR_PARTITION_COUNT', domain: 'user' });
    const again = await started();
    expect(again.id).toBe(first.id);
  });

  test('identity: a log of another format is refused', async () => {
    await (await started()).close();
    const tables = openTables(directory, 'disk');
    const identity = tables.identity.get('log')!;
    tables.identity.putSync('log', { ...identity, formatVersion: LOG_FORMAT_VERSION + 1 });
    await tables.root.close();
    await expect(start(directory)).rejects.toMatchObject({
      code: 'ERR_LOG_VERSION',
      domain: 'user',
      message: expect.stringContaining(`must be of format ${LOG_FORMAT_VERSION}`),
    });
  });

  test('folder: one that a living process has is refused, and is free again after close', async () => {
    const server = await started();
    await expect(start(directory)).rejects.toMatchObject({
      code: 'ERR_DATA_IN_USE',
      message: expect.stringContaining(`process ${process.pid}`),
    });
    await server.close();
    await started();
  });

  test('folder: exactly one of several takes it over from a dead process', async () => {
    const gone = spawn(process.execPath, ['-e', '']);
    await once(gone, 'exit');
    const holder = { pid: gone.pid, started: 'boot/1', token: 'gone' };
    await writeFile(join(directory, 'lock'), JSON.stringify(holder));
    const settled = await Promise.allSettled([0, 1, 2, 3].map(() => start(directory)));
    for (const result of settled) {
      if (result.status === 'fulfilled') servers.push(result.value);
      else expect(result.reason).toMatchObject({ code: 'ERR_DATA_IN_USE' });
    }
    expect(servers).toHaveLength(1);
    expect((await readdir(directory)).filter((name) => name.startsWith('lock.'))).toEqual([
      'lock.mdb',
    ]);
  });

  test.runIf(process.platform === 'linux')(
    'folder: a lock is dead, when its number now belongs to a later process',
    async () => {
      const holder = { pid: process.pid, started: 'boot/1', token: 'gone' };
      await writeFile(join(directory, 'lock'), JSON.stringify(holder));
      await started();
    },
  );

  test('folder: half a lock file is that of a dead process', async () => {
    await writeFile(join(directory, 'lock'), '{"pid": 1');
    await started();
  });

  test('folder: a file in its place is refused', async () => {
    const path = join(directory, 'file');
    await writeFile(path, '');
    await expect(start(path)).rejects.toMatchObject({ code: 'ERR_DATA_DIR', domain: 'user' });
  });

  test('folder: an owner that has lost it stores nothing more', async () => {
    let onFailure: (error: LapseError) => void = () => undefined;
    const failed = new Promise<LapseError>((resolve) => {
      onFailure = resolve;
    });
    const server = await started({ onFailure: (error) => onFailure(error) });
    const log = await connect(server);
    await log.append('in.0', bytesOf('before'));
    // What another container on the same volume would do, which cannot see our process.
    const tables = openTables(directory, 'disk');
    tables.identity.putSync('log', { ...tables.identity.get('log')!, ownerToken: 'other' });
    const append = log.append('in.0', bytesOf('after'));
    await expect(append).rejects.toMatchObject({ code: 'ERR_DATA_IN_USE' });
    expect(await failed).toMatchObject({ code: 'ERR_DATA_IN_USE' });
    await server.close();
    await log.close();
    await tables.root.close();
  });

  test('full: appends are refused, nothing else is lost, and trimming makes room', async () => {
    const size = 10_000;
    const server = await started({ bytesMax: 10 * size });
    const log = await connect(server);
    const stored = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => log.append('in.0', bytesOf(`${i % 10}`.repeat(size)))),
    );
    const kept = stored.filter(({ status }) => status === 'fulfilled').length;
    expect(kept).toBe(9);
    for (const result of stored.slice(kept)) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { code: 'ERR_LOG_FULL', retryable: true },
      });
    }
    expect(await log.append('in.0', bytesOf('small'))).toBe(kept + 1);
    await log.trim('in.0', 5);
    expect(await log.append('in.1', bytesOf('x'.repeat(size)))).toBe(1);
    const seen = await readSome(log, 'in.0', 5, kept - 4);
    expect(seen.map(({ text }) => text.length)).toEqual([...Array(kept - 5).fill(size), 5]);
    await log.close();
  });

  test('threads: each reads and writes over a connection of its own', async () => {
    const server = await started();
    const log = await connect(server);
    const count = 2_000;
    const wanted = Array.from({ length: count }, (_, i) => `envelope ${i}`);
    const threads = [0, 1, 2].map((i) => {
      const { address, transfer } = server.address();
      const workerData = {
        address,
        from: i === 0 ? 'in.0' : `done.${i - 1}`,
        to: `done.${i}`,
        count,
      };
      const worker = new Worker(new URL('./connect-in-thread.mjs', import.meta.url), {
        workerData,
        transferList: transfer,
      });
      return once(worker, 'message').then(([message]) => message as string);
    });
    await Promise.all(wanted.map((text) => log.append('in.0', bytesOf(text))));
    expect(await Promise.all(threads)).toEqual(['copied', 'copied', 'copied']);
    expect(texts(await readSome(log, 'done.2', 0, count))).toEqual(wanted);
    await log.close();
  });

  test('trim: space is used again, when the log goes round', async () => {
    const server = await started({ durability: 'process' });
    const log = await connect(server);
    const bytes = new Uint8Array(35_000).fill(7);
    const round = async () => {
      const offsets = await Promise.all(
        Array.from({ length: 100 }, () => log.append('in.0', bytes)),
      );
      await readSome(log, 'in.0', offsets[0]!, 99);
      await log.trim('in.0', offsets.at(-1)!);
    };
    const rounds = 40;
    for (let i = 0; i < rounds; i++) await round();
    await log.close();
    await server.close();
    const fileBytes = statSync(join(directory, 'data.mdb')).size;
    expect(fileBytes).toBeLessThan((rounds * 100 * bytes.length) / 4);
  });

  test.each(['disk', 'process'])(
    "crash: nothing acknowledged is lost by kill -9, with durability '%s'",
    async (durability) => {
      let acknowledged = 0;
      for (const wanted of [200, 400]) {
        acknowledged = Math.max(acknowledged, await appendUntilKilled(wanted, durability));
      }
      expect(existsSync(join(directory, 'lock'))).toBe(true);
      const server = await started({ partitionCount: 4 });
      const log = await connect(server);
      const tail = await log.tail('in.0');
      expect(tail).toBeGreaterThanOrEqual(acknowledged);
      const seen = await readSome(log, 'in.0', 0, tail);
      expect(seen.map(({ offset, text }) => [offset, text])).toEqual(
        Array.from({ length: tail }, (_, i) => [i + 1, `envelope ${i + 1}`]),
      );
      await log.close();
    },
  );

  /** Returns the highest offset that the process saw acknowledged before it was killed. */
  async function appendUntilKilled(upTo: number, durability: string): Promise<number> {
    const script = fileURLToPath(new URL('./append-until-killed.mjs', import.meta.url));
    const child: ChildProcess = spawn(process.execPath, [script, directory, durability], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    let acknowledged = 0;
    for await (const line of createInterface({ input: child.stdout! })) {
      if (line.startsWith('opened')) continue;
      acknowledged = Math.max(acknowledged, Number(line));
      if (acknowledged >= upTo) child.kill('SIGKILL');
    }
    const [, signal] = await exited;
    expect(signal).toBe('SIGKILL');
    return acknowledged;
  }
});
