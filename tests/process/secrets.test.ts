/** What is secret in definitions and settings reaches receivers, and nothing that stays. */
import { lstatSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { natsPrograms, startNatsServer } from '../support/nats-server.ts';
import { ServeProcess, stablePort } from '../support/serve-process.ts';
import { until } from '../support/until.ts';
import { WebhookSink } from '../support/webhook-sink.ts';
import { checkpointsOf } from './checkpoint-folder.ts';

const PARTITIONS = 4;
const USERS = 40;
const SIGNING_KEY = 'the-signing-key-of-32-bytes-long';
const PASSWORD = 'basic-password-8d1f';
const USER_AND_PASSWORD = `lapse:${PASSWORD}`;
const SECRETS = {
  signing: `whsec_${Buffer.from(SIGNING_KEY).toString('base64')}`,
  header: 'header-value-5b7a',
  token: 'bearer-token-9c3e',
  address: 'address-key-2f6d',
  query: 'query-value-4a8c',
  keyValue: 'key-value-7e1b',
  nats: 'nats-password-3d9f',
} as const;
/** All forms in which they could be written. */
const NEEDLES: readonly string[] = [
  ...Object.values(SECRETS),
  SIGNING_KEY,
  Buffer.from(SIGNING_KEY).toString('base64'),
  PASSWORD,
  Buffer.from(USER_AND_PASSWORD).toString('base64'),
];
/** Stands in the log and in every checkpoint: if it is not found, neither is anything else. */
const CAMPAIGN = 'campaign-that-is-found';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function configOf(sink: WebhookSink, nats: object | undefined): object {
  const campaign = (id: string, webhook: string) => ({
    id,
    name: id,
    webhook,
    qualify: { live: { action: { event: 'Bought' } } },
    content: {
      keyValues: { Code: SECRETS.keyValue },
      query: { key: SECRETS.query },
      fields: ['identity'],
    },
  });
  const webhook = (id: string, auth: object) => ({
    id,
    url: `${sink.urlOf(id)}?address=${SECRETS.address}`,
    headers: { 'X-Api-Key': SECRETS.header },
    secret: SECRETS.signing,
    retry: ['200ms'],
    auth,
  });
  return {
    webhooks: [
      webhook('basic', { basic: { username: 'lapse', password: PASSWORD } }),
      // biome-ignore lint/suspicious/noTemplateCurlyInString: what a file says
      webhook('bearer', { bearer: '${SECRETS_TEST_TOKEN}' }),
    ],
    campaigns: [campaign(CAMPAIGN, 'basic'), campaign('other', 'bearer')],
    engine: { partitions: PARTITIONS, checkpointInterval: '1s' },
    ...(nats === undefined ? {} : { nats }),
  };
}

interface FoundFile {
  readonly path: string;
  readonly mode: string;
  readonly isFolder: boolean;
  readonly bytes: Buffer;
}

function filesBelow(path: string): FoundFile[] {
  const status = lstatSync(path);
  const mode = (status.mode & 0o777).toString(8);
  if (!status.isDirectory()) {
    return [{ path, mode, isFolder: false, bytes: readFileSync(path) }];
  }
  const inside = readdirSync(path).flatMap((name) => filesBelow(join(path, name)));
  return [{ path, mode, isFolder: true, bytes: Buffer.alloc(0) }, ...inside];
}

/** Each secret that stands in a file, with the file. */
function secretsIn(files: readonly FoundFile[]): string[] {
  return files.flatMap(({ path, bytes }) =>
    NEEDLES.filter((needle) => bytes.includes(needle)).map((needle) => `${needle} in ${path}`),
  );
}

async function sendEvents(url: string): Promise<void> {
  const batch = Array.from({ length: USERS }, (_, i) => ({
    type: 'track',
    event: 'Bought',
    userId: `user-${i}`,
  }));
  const response = await fetch(`${url}/v1/batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ batch }),
  });
  expect(response.status).toBe(200);
}

/** Runs until all is delivered and all is checkpointed; the receiver of one webhook fails first. */
async function runThrough(nats?: object) {
  const folder = mkdtempSync(join(tmpdir(), 'lapse-secrets-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const sink = await WebhookSink.start();
  closers.push(() => sink.stop());
  sink.misbehave = (nth) => (nth <= 2 ? 500 : 200);
  const data = join(folder, 'data');
  const config = join(folder, 'lapse.json');
  writeFileSync(config, JSON.stringify(configOf(sink, nats)));
  process.env.SECRETS_TEST_TOKEN = SECRETS.token;
  const port = await stablePort();
  const serve = new ServeProcess({ config, data, port });
  closers.push(() => serve.kill());
  await serve.ready();
  await sendEvents(serve.url);
  const accepted = () => sink.requests.filter(({ status }) => status === 200);
  await until('all webhooks have come', () => {
    return accepted().reduce((sum, { profiles }) => sum + profiles.length, 0) === 2 * USERS;
  });
  await until('every partition has a checkpoint', () =>
    Array.from({ length: PARTITIONS }, (_, p) => p).every((p) => checkpointsOf(data, p).length > 0),
  );
  const metrics = await (await fetch(`${serve.url}/metrics`)).text();
  const running = filesBelow(data);
  expect(await serve.stop()).toBe(0);
  return { data, sink, said: `${serve.output}${metrics}`, running };
}

describe('secrets', () => {
  test('the embedded log, checkpoints, metrics and lines of the log hold none', async () => {
    const { data, said, running } = await runThrough();
    const stopped = filesBelow(data);
    expect(secretsIn(running)).toEqual([]);
    expect(secretsIn(stopped)).toEqual([]);
    expect(NEEDLES.filter((needle) => said.includes(needle))).toEqual([]);
    const withCampaign = stopped.filter(({ bytes }) => bytes.includes(CAMPAIGN));
    expect(withCampaign.filter(({ path }) => path.endsWith('.ckpt')).length).toBeGreaterThan(0);
    expect(withCampaign.some(({ path }) => path.includes('/log/'))).toBe(true);
  });

  test('files of the data folder are 0600 and its folders 0700, running and stopped', async () => {
    const { data, running } = await runThrough();
    for (const { path, mode, isFolder } of [...running, ...filesBelow(data)]) {
      expect([path, mode]).toEqual([path, isFolder ? '700' : '600']);
    }
  });

  const newest = natsPrograms().then((programs) => programs.at(-1));
  test('JetStream holds none, in any stream', async ({ skip }) => {
    const program = await newest;
    if (program === undefined) return skip();
    const store = mkdtempSync(join(tmpdir(), 'lapse-secrets-nats-'));
    closers.push(() => rm(store, { recursive: true, force: true }));
    const server = await startNatsServer({
      program,
      store,
      config: `authorization { user: lapse, password: "${SECRETS.nats}" }`,
    });
    closers.push(() => server.stop());
    const { data, said } = await runThrough({
      url: server.url,
      user: 'lapse',
      password: SECRETS.nats,
    });
    await server.kill();
    const stored = filesBelow(store);
    expect(secretsIn([...stored, ...filesBelow(data)])).toEqual([]);
    expect(NEEDLES.filter((needle) => said.includes(needle))).toEqual([]);
    expect(stored.some(({ bytes }) => bytes.includes(CAMPAIGN))).toBe(true);
  });
});
