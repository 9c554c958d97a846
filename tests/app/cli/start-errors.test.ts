import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LOG_FORMAT_VERSION, openTables } from '../../../connectors/logs/embedded/lmdb-schema.ts';
import { CliProcess, lapse } from '../../support/cli.ts';
import { natsPrograms, startNatsServer } from '../../support/nats-server.ts';

const WRONG_INPUT = 2;
const programs = await natsPrograms();
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lapse-start-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** `serve` that must not start: exit 2, nothing on stdout, one sentence with its code on stderr. */
async function refusal(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const result = await lapse(['serve', '--data', folder, '--port', '0', ...args], { env });
  const { exitCode, stdout, stderr } = result;
  expect({ exitCode, stdout }, stderr).toEqual({ exitCode: WRONG_INPUT, stdout: '' });
  expect(stderr).toMatch(/^[^\n]+ \[ERR_[A-Z_]+\]\n$/);
  return stderr.trimEnd();
}

/** Starts on the folder and ends again, so that there is something in it. */
async function runOnce(): Promise<void> {
  const process = new CliProcess(['serve', '--data', folder, '--port', '0']);
  await process.says(/takes events/);
  expect((await process.stop()).exitCode).toBe(0);
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

describe('serve does not start', () => {
  test('when the port is in use', async () => {
    const server = createServer();
    const port = await portOf(server);
    expect(await refusal(['--port', String(port)])).toBe(
      `--port must be free, ${port} on 127.0.0.1 is in use; choose another, ` +
        `such as ${port + 1} [ERR_PORT_IN_USE]`,
    );
    server.close();
  });

  test('when another process has the data folder', async () => {
    const process = new CliProcess(['serve', '--data', folder, '--port', '0']);
    await process.says(/takes events/);
    expect(await refusal([])).toContain('[ERR_DATA_IN_USE]');
    expect((await process.stop()).exitCode).toBe(0);
  });

  test('when the data folder is of a newer version, or has other partitions', async () => {
    await runOnce();
    expect(await refusal([], { LAPSE_ENGINE_PARTITIONS: '8' })).toMatch(
      /has 64 partitions for good, it cannot be opened with 8\. \[ERR_PARTITION_COUNT\]$/,
    );
    const tables = openTables(join(folder, 'log'), 'disk');
    const identity = tables.identity.get('log')!;
    const formatVersion = LOG_FORMAT_VERSION + 1;
    tables.identity.putSync('log', { ...identity, formatVersion });
    await tables.root.close();
    expect(await refusal([])).toMatch(
      new RegExp(`must be of format ${LOG_FORMAT_VERSION}, it is of format ${formatVersion}`),
    );
  });

  test('when the checkpoints are of another log', async () => {
    await runOnce();
    rmSync(join(folder, 'log'), { recursive: true });
    expect(await refusal([])).toMatch(
      /^The checkpoints in '.*' must be of the log at hand, the embedded log created at .*; they are of the embedded log created at .* \[ERR_CHECKPOINTS_FOREIGN\]$/,
    );
  });

  test('when the data folder cannot be written', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const below = join(file, 'data');
    expect(await refusal(['--data', below])).toMatch(
      /^--data must be a folder that can be written, .* \[ERR_DATA_DIR\]$/,
    );
  });

  test('when definitions are missing or wrong', async () => {
    const missing = join(folder, 'none.yaml');
    expect(await refusal(['--config', missing])).toMatch(/none\.yaml.*\[ERR_DEFINITIONS_FILE\]$/);
    const wrong = join(folder, 'wrong.yaml');
    writeFileSync(wrong, 'webhooks: [{id: crm, url: ftp://x}]\n');
    expect(await refusal(['--config', wrong])).toMatch(
      /wrong\.yaml:1: webhooks\[0\]\.url must be an http or https URL .*\[ERR_DEFINITIONS\]$/,
    );
  });

  test('when a setting is wrong', async () => {
    expect(await refusal(['--port', 'x'])).toMatch(/^--port must be .*\[ERR_SETTINGS\]$/);
    expect(await refusal(['--host', '0.0.0.0'])).toMatch(/^--host must be .*\[ERR_HOST\]$/);
  });

  test('when no NATS server answers', async () => {
    const server = createServer();
    const port = await portOf(server);
    server.close();
    expect(await refusal(['--nats', `nats://127.0.0.1:${port}`])).toMatch(
      /^A NATS server must answer at nats:.*, none did: .*\[ERR_NATS_UNREACHABLE\]$/,
    );
  });
});

for (const program of programs) {
  test(`serve does not start, when NATS ${program.version} has no JetStream`, async () => {
    const server = await startNatsServer({ program, hasJetStream: false });
    expect(await refusal(['--nats', server.url])).toMatch(
      /^The NATS server must have JetStream enabled .*\[ERR_NATS_NO_JETSTREAM\]$/,
    );
    await server.stop();
  });

  test(`serve does not start, when NATS ${program.version} refuses who asks`, async () => {
    const config = 'authorization { user: lapse, password: right }';
    const server = await startNatsServer({ program, config });
    const env = { LAPSE_NATS_USER: 'lapse', LAPSE_NATS_PASSWORD: 'wrong' };
    expect(await refusal(['--nats', server.url], env)).toMatch(
      /refused user 'lapse'\. \[ERR_NATS_AUTH\]$/,
    );
    await server.stop();
  });
}
