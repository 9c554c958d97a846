/**
 * SDKs that people have, unmodified and with their default settings, pointed at a running Lapse: the
 * app that uses one ends well, and each of its calls is taken.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { writeConfig } from '../process/campaigns.ts';
import { stablePort } from '../support/ports.ts';
import { ServeProcess } from '../support/serve-process.ts';
import { until } from '../support/until.ts';
import { WebhookSink } from '../support/webhook-sink.ts';
import { pythonWithClients } from './python-clients.ts';

const USERS = 40;
const CALLS = ['identify', 'group', 'page', 'screen', 'alias', 'track'];
const APP_MS_MAX = 60_000;
const ON_CART = {
  id: 'carts',
  webhook: 'single',
  qualify: { live: { action: { event: 'Added To Cart', where: { price: { eq: 49.9 } } } } },
  content: { fields: ['email', 'identity', 'eventProperties'] },
};

const python = pythonWithClients();
const scriptOf = (name: string) => fileURLToPath(new URL(`sdk/${name}`, import.meta.url));

let close: () => Promise<void> = async () => undefined;
afterEach(async () => close());

async function stage() {
  const folder = await mkdtemp(join(tmpdir(), 'lapse-clients-'));
  const sink = await WebhookSink.start();
  const config = join(folder, 'shop.yaml');
  await writeConfig(config, { urlOf: (id) => sink.urlOf(id), campaigns: [ON_CART] });
  const serve = new ServeProcess({ config, data: join(folder, 'data'), port: await stablePort() });
  close = async () => {
    await serve.kill();
    await sink.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return { serve: await serve.ready(), sink };
}

describe('SDKs with their defaults', () => {
  test.for([
    ['@segment/analytics-node', process.execPath, 'segment-node.mjs', CALLS.length],
    ['@rudderstack/rudder-sdk-node', process.execPath, 'rudder-node.mjs', CALLS.length],
    ['segment-analytics-python', python, 'segment_python.py', CALLS.length],
    ['rudder-sdk-python', python, 'rudder_python.py', CALLS.length],
    // A profile and an event.
    ['clevertap', process.execPath, 'clevertap-node.mjs', 2],
  ] as const)('%s: the app ends well, and all its calls are taken', async (client, { skip }) => {
    const [, program, script, calls] = client;
    if (program === undefined) return skip('there is no python3 with venv and pip');
    const { serve, sink } = await stage();
    const app = await promisify(execFile)(program, [scriptOf(script), serve.url, String(USERS)], {
      timeout: APP_MS_MAX,
    });
    expect(app).toMatchObject({ stdout: 'done\n', stderr: '' });
    expect(await serve.metric('lapse_events_accepted_total')).toBe(USERS * calls);
    expect(await serve.metric('lapse_events_rejected_total')).toBe(0);
    expect(await serve.metric('lapse_requests_turned_away_total')).toBe(0);
    const delivered = () => sink.requests.flatMap(({ profiles }) => profiles);
    await until('all carts are delivered', () => delivered().length >= USERS);
    const sent = delivered().sort((a, b) => carts(a) - carts(b));
    expect(sent).toEqual(
      Array.from({ length: USERS }, (_, i) => ({
        Email: `u${i}@shop.example`,
        Identity: `u${i}`,
        Event_properties: { cart_id: `c${i}`, price: 49.9 },
      })),
    );
  });
});

function carts(profile: Record<string, unknown>): number {
  const { cart_id: cart } = profile.Event_properties as { cart_id: string };
  return Number(cart.slice(1));
}
