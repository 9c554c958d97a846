/**
 * NATS's own clients, unmodified and with their default settings, before a running Lapse: what they
 * publish comes in once, and what its operators do to the stream with them is got over.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { writeConfig } from '../process/campaigns.ts';
import { natsPrograms, startNatsServer } from '../support/nats-server.ts';
import { stablePort } from '../support/ports.ts';
import { ServeProcess } from '../support/serve-process.ts';
import { until } from '../support/until.ts';
import { WebhookSink } from '../support/webhook-sink.ts';
import { natsCommand } from './nats-cli.ts';
import { pythonWithNats } from './python-clients.ts';

const USERS = 40;
const APP_MS_MAX = 60_000;
const TEST_MS_MAX = 120_000;
const ON_CART = {
  id: 'carts',
  webhook: 'single',
  qualify: { live: { action: { event: 'Added To Cart' } } },
  content: { fields: ['identity', 'eventProperties'] },
};
/** What the command line counts is put in by itself. */
const CART =
  '{"type":"track","userId":"u{{Count}}","event":"Added To Cart","properties":{"cart_id":"c{{Count}}"}}';

const programs = await natsPrograms();
const python = programs.length > 0 ? pythonWithNats() : undefined;
const nats = programs.length > 0 ? natsCommand() : undefined;
const run = promisify(execFile);

let close: () => Promise<void> = async () => undefined;
afterEach(async () => close());

async function stage(program: (typeof programs)[number]) {
  const folder = await mkdtemp(join(tmpdir(), 'lapse-nats-clients-'));
  const server = await startNatsServer({ program });
  const sink = await WebhookSink.start();
  const config = join(folder, 'shop.yaml');
  await writeConfig(config, { urlOf: (id) => sink.urlOf(id), campaigns: [ON_CART] });
  const serve = new ServeProcess({
    config,
    data: join(folder, 'data'),
    port: await stablePort(),
    nats: server.url,
  });
  close = async () => {
    await serve.kill();
    await sink.stop();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  await serve.ready();
  /** How many messages each user got. */
  const received = () => {
    const counts = new Map<unknown, number>();
    for (const { Identity } of sink.requests.flatMap(({ profiles }) => profiles)) {
      counts.set(Identity, (counts.get(Identity) ?? 0) + 1);
    }
    return counts;
  };
  const arrived = (users: number) =>
    until('all carts are delivered', () => received().size >= users, {
      describe: () => `${received().size} are\n${serve.output}`,
    });
  return { server, serve, received, arrived };
}

describe.each(programs)('before NATS $version', (program) => {
  test(
    'nats-py: what it publishes comes in, and once where it is published twice',
    async ({ skip }) => {
      if (python === undefined) return skip('there is no python3 with venv and pip');
      const { server, serve, received, arrived } = await stage(program);
      const script = fileURLToPath(new URL('sdk/nats_py.py', import.meta.url));
      const app = await run(python, [script, server.url, String(USERS)], { timeout: APP_MS_MAX });
      expect(app).toMatchObject({ stdout: 'done\n', stderr: '' });
      await arrived(USERS);
      await until(
        'all is taken',
        async () => (await serve.metric('lapse_events_accepted_total')) >= 2 * USERS,
      );
      expect([...received().values()]).toEqual(Array.from({ length: USERS }, () => 1));
      expect(await serve.metric('lapse_events_rejected_total')).toBe(0);
    },
    TEST_MS_MAX,
  );

  test(
    'nats: what it publishes comes in, also into a stream that it has made anew',
    async ({ skip }) => {
      if (nats === undefined) return skip('there is no go');
      const { server, serve, received, arrived } = await stage(program);
      const command = (...args: string[]) =>
        run(nats, ['--server', server.url, ...args], { timeout: APP_MS_MAX });
      const publish = (count: number) =>
        command('pub', 'events.shop', CART, '--count', String(count), '--jetstream');
      await publish(5);
      await arrived(5);
      await command('stream', 'rm', 'LAPSE_EVENTS', '--force');
      await until(
        'it says so',
        async () => (await serve.readyz())?.reasons[0]?.cause === 'stream-gone',
      );
      await command('stream', 'add', 'LAPSE_EVENTS', '--subjects', 'events.>', '--defaults');
      await publish(USERS);
      await arrived(USERS);
      await until('it is ready', async () => (await serve.readyz())?.status === 200);
      const twice = [...received()].filter(([, count]) => count === 2).map(([user]) => user);
      // These were published before and after.
      expect(twice.sort()).toEqual(['u1', 'u2', 'u3', 'u4', 'u5']);
      expect(await serve.metric('lapse_events_rejected_total')).toBe(0);
    },
    TEST_MS_MAX,
  );
});
