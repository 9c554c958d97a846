/** Definitions and lives of campaigns change in a running serve, and outlast it. */
import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ServeProcess, stablePort } from '../support/serve-process.ts';
import { until } from '../support/until.ts';
import { WebhookSink } from '../support/webhook-sink.ts';

const LAPSE = fileURLToPath(new URL('../../bin/lapse.mjs', import.meta.url));
const run = promisify(execFile);

interface View {
  readonly id: string;
  readonly state: string;
}

let folder: string;
let sink: WebhookSink;
let serve: ServeProcess;
const closers: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lapse-control-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  sink = await WebhookSink.start();
  closers.push(() => sink.stop());
  serve = await start(write('start.json', definitions({ id: 'c' })));
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function write(name: string, value: object): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(value));
  return path;
}

function campaign(changes: object): object {
  return {
    name: 'c',
    webhook: 'hook',
    qualify: { live: { action: { event: 'Bought' } } },
    content: { fields: ['identity'] },
    ...changes,
  };
}

function definitions(...campaigns: object[]): object {
  const settings = { engine: { partitions: 4, workers: 1 } };
  const webhooks = [{ id: 'hook', url: sink.urlOf('hook'), retry: ['200ms'] }];
  return { ...settings, webhooks, campaigns: campaigns.map(campaign) };
}

async function start(config: string): Promise<ServeProcess> {
  const data = join(folder, 'data');
  const started = new ServeProcess({ config, data, port: await stablePort() });
  closers.push(() => started.kill());
  return started.ready();
}

/** What a command prints; what it says when it fails. */
async function lapse(...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH, LAPSE_URL: serve.url };
  const command = run(process.execPath, [LAPSE, ...args], { env });
  return command.then(
    ({ stdout }) => stdout.trim(),
    (error: { stderr: string }) => error.stderr.trim(),
  );
}

async function bought(userId: string): Promise<void> {
  const body = JSON.stringify({ userId, event: 'Bought', properties: { sku: 7 } });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${serve.url}/v1/track`, { method: 'POST', headers, body });
  expect(answer.status).toBe(200);
}

function usersOf(webhook: string): unknown[] {
  return sink.requests
    .filter((request) => request.webhook === webhook && request.status === 200)
    .flatMap(({ profiles }) => profiles.map(({ Identity }) => Identity));
}

function delivered(user: string, webhook = 'hook'): Promise<unknown> {
  return until(`${user} is delivered`, () => usersOf(webhook).includes(user), {
    describe: () => `${JSON.stringify(sink.requests)}\n${serve.output}`,
  });
}

async function states(): Promise<Record<string, string>> {
  const answer = await fetch(`${serve.url}/api/campaigns`);
  const { campaigns } = (await answer.json()) as { campaigns: readonly View[] };
  return Object.fromEntries(campaigns.map(({ id, state }) => [id, state]));
}

test('apply: says what is different, and new contents, webhooks and campaigns hold at once', async () => {
  const changed = write('changed.json', {
    webhooks: [{ id: 'second', url: sink.urlOf('second') }],
    campaigns: [
      campaign({ id: 'c', content: { fields: ['identity', 'eventProperties'] } }),
      campaign({ id: 'd', webhook: 'second' }),
    ],
  });
  const changes = '+ webhook second\n~ campaign c (content)\n+ campaign d';
  expect(await lapse('apply', changed, '--dry-run')).toBe(
    `${changes}\n3 definitions would change.`,
  );
  expect(await states()).toEqual({ c: 'running' });
  expect(await lapse('apply', changed)).toBe(`${changes}\nApplied: 3 definitions changed.`);
  expect(await lapse('apply', changed)).toBe('Nothing is different.');
  await bought('ann');
  await delivered('ann');
  await delivered('ann', 'second');
  expect(sink.requests.find(({ webhook }) => webhook === 'hook')?.profiles[0]).toHaveProperty(
    'Event_properties',
  );
});

test('apply: what is wrong changes nothing, and each problem has its path', async () => {
  const wrong = write('wrong.json', { campaigns: [campaign({ id: 'd', webhook: 'nowhere' })] });
  expect(await lapse('apply', wrong)).toContain(
    'campaigns[0].webhook must be the id of a webhook (hook), got "nowhere"',
  );
  expect(await states()).toEqual({ c: 'running' });
  const answer = await fetch(`${serve.url}/api/apply`, { method: 'POST', body: '{}' });
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
    415,
    'ERR_MEDIA_TYPE',
  ]);
});

test('pause and resume: a message that waits is sent after the pause, and not in it', async () => {
  sink.misbehave = () => 500;
  await bought('ann');
  await until('one attempt is made', () => sink.requests.length > 0);
  expect(await lapse('pause', 'c')).toBe('The campaign c is paused.');
  sink.misbehave = () => 200;
  const attempts = sink.requests.length;
  expect(await lapse('publish', 'c')).toContain(
    'The campaign c is paused, so publish is refused: it allows resume, stop, archive.',
  );
  // Its retry was due long before these commands have come back.
  expect(sink.requests).toHaveLength(attempts);
  expect(await lapse('resume', 'c')).toBe('The campaign c is running.');
  await delivered('ann');
});

test('a restart, also after a crash, keeps definitions and states', async () => {
  const draft = { id: 'draft', state: 'draft' };
  const later = { id: 'later', schedule: { start: '2999-01-01T00:00:00Z' } };
  const more = definitions({ id: 'stopped' }, { id: 'paused' }, draft, later);
  await lapse('apply', write('more.json', more));
  expect(await lapse('stop', 'stopped')).toBe('The campaign stopped is stopped.');
  await lapse('pause', 'paused');
  const before = {
    c: 'running',
    stopped: 'stopped',
    paused: 'paused',
    draft: 'draft',
    later: 'scheduled',
  };
  expect(await states()).toEqual(before);
  await serve.kill();
  serve = await start(join(folder, 'start.json'));
  expect(await states()).toEqual(before);
  const kept = serve.line('ERR_DEFINITIONS_KEPT');
  expect(kept?.msg).toContain('Campaigns that the files do not define go on: paused, later.');
  await lapse('publish', 'draft');
  await bought('ann');
  await until('both campaigns deliver', () => usersOf('hook').length === 2);
  expect(await lapse('resume', 'stopped')).toContain('it allows archive.');
});

test('a cap: the campaign completes when its total is delivered, once and for all', async () => {
  await lapse('apply', write('cap.json', definitions({ id: 'c', cap: { total: 2 } })));
  for (const user of ['ann', 'bob', 'cid', 'dan']) await bought(user);
  await until('the campaign is completed', async () => (await states()).c === 'completed');
  await serve.kill();
  serve = await start(join(folder, 'cap.json'));
  await bought('eve');
  expect((await states()).c).toBe('completed');
  expect(usersOf('hook')).toHaveLength(2);
});
