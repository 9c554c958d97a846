import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EgressGuard } from '../../connectors/webhook/egress/egress-guard.ts';
import { WebhookTransport } from '../../connectors/webhook/webhook-transport.ts';
import type { OutgoingRequest } from '../../engine/sender/transport.ts';
import { systemClock } from '../../engine/time/clock.ts';
import { requestOf } from '../../operators/delivery/content.ts';
import { signatureOf, signingKeyOf } from '../../operators/delivery/signature.ts';
import { campaignOf, deliveryOf, SECRET, webhookOf } from '../operators/delivery/lane-bench.ts';
import { stablePort } from '../support/ports.ts';
import { until } from '../support/until.ts';

const PAGE = readFileSync(new URL('../../docs/RECEIVERS.md', import.meta.url), 'utf8');
const OTHER_SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const TOLERANCE_MS = 300_000;

/** How each program of the page is run; its fence names the language. */
const PROGRAMS = [
  { language: 'js', file: 'receiver.mjs', command: [process.execPath], probe: ['--version'] },
  { language: 'python', file: 'receiver.py', command: ['python3'], probe: ['--version'] },
  { language: 'go', file: 'receiver.go', command: ['go', 'run'], probe: ['version'] },
] as const;

function programOf(language: string): string {
  const found = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(PAGE);
  return found![1]!;
}

function isMissing([program]: readonly [string, ...string[]], probe: readonly string[]): boolean {
  return spawnSync(program, probe).error !== undefined && process.env.CI !== 'true';
}

const transport = new WebhookTransport({
  clock: systemClock,
  guard: new EgressGuard({ allow: ['127.0.0.1'] }),
});
afterAll(() => transport.close());

interface Signing {
  readonly id: string;
  readonly secret?: string;
  readonly atMs?: number;
}

test('docs/RECEIVERS.md: the signature of the sample is that of its secret', () => {
  const sample = /^```http\n(.*?)\n\n(.*?)\n```$/ms.exec(PAGE)!;
  const header = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(sample[1]!)![1]!;
  const [id, seconds] = [header('webhook-id'), Number(header('webhook-timestamp'))];
  const body = Buffer.from(sample[2]!);
  expect(PAGE).toContain(SECRET);
  expect(header('webhook-signature')).toBe(signatureOf(signingKeyOf(SECRET), id, seconds, body));
});

describe.each(PROGRAMS)('docs/RECEIVERS.md: the receiver in $language', (program) => {
  const { language, file, command, probe } = program;
  let folder: string;
  let child: ChildProcess;
  let url: string;
  let printed = '';
  const isSkipped = isMissing(command, probe);

  beforeAll(async () => {
    if (isSkipped) return;
    folder = mkdtempSync(join(tmpdir(), 'lapse-receiver-'));
    const path = join(folder, file);
    writeFileSync(path, programOf(language));
    const port = await stablePort();
    url = `http://127.0.0.1:${port}/hooks`;
    child = spawn(command[0], [...command.slice(1), path], {
      env: { ...process.env, WEBHOOK_SECRET: SECRET, PORT: String(port) },
      stdio: ['ignore', 'pipe', 'pipe'],
      // `go run` starts the program as a child of its own: all of them end together.
      detached: true,
    });
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (chunk: Buffer) => {
        printed += chunk.toString();
      });
    }
    const isUp = () => fetch(url, { method: 'POST' }).then(({ status }) => status === 401);
    await until('the receiver answers', () => isUp().catch(() => false), {
      timeoutMs: 100_000,
      describe: () => printed,
    });
  });

  afterAll(async () => {
    if (isSkipped) return;
    process.kill(-child.pid!, 'SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    rmSync(folder, { recursive: true });
  });

  function requestWith({ id, secret = SECRET, atMs = Date.now() }: Signing): OutgoingRequest {
    return requestOf({
      webhook: webhookOf({ url, secret }),
      campaign: campaignOf('c', { targetId: 42 }),
      members: [deliveryOf('ann'), deliveryOf('bob – é')],
      webhookId: id,
      attempt: 1,
      atMs,
      userAgent: 'Lapse/test',
    });
  }

  async function statusOf(request: OutgoingRequest): Promise<unknown> {
    const result = await transport.send(request);
    return 'status' in result ? result.status : result;
  }

  test.skipIf(isSkipped)('takes what is signed, and handles a repeated id once', async () => {
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(await statusOf(requestWith({ id: 'msg_1' }))).toBe(204);
    }
    expect(await statusOf(requestWith({ id: 'msg_2' }))).toBe(204);
    const wanted = ['msg_1', 'msg_2'].flatMap((id) => [`${id} ann`, `${id} bob – é`]);
    await until('it has printed', () => printed.includes(wanted.at(-1)!));
    expect(printed.split('\n').filter((line) => line.startsWith('msg_'))).toEqual(wanted);
  });

  test.skipIf(isSkipped)('takes one signature of several, as when a secret changes', async () => {
    const request = requestWith({ id: 'msg_3' });
    const other = requestWith({ id: 'msg_3', secret: OTHER_SECRET });
    const both = `${other.headers['webhook-signature']} ${request.headers['webhook-signature']}`;
    const headers = { ...request.headers, 'webhook-signature': both };
    expect(await statusOf({ ...request, headers })).toBe(204);
  });

  test.skipIf(isSkipped)('refuses what is forged, changed, unsigned, old or ahead', async () => {
    const genuine = requestWith({ id: 'msg_4' });
    const changed = Buffer.from(genuine.body!);
    changed[changed.length - 5]! ^= 1;
    const { 'webhook-signature': _, ...unsigned } = genuine.headers;
    const beyondMs = TOLERANCE_MS + 5_000;
    const refused: OutgoingRequest[] = [
      requestWith({ id: 'msg_4', secret: OTHER_SECRET }),
      { ...genuine, body: changed },
      { ...genuine, headers: unsigned },
      { ...genuine, headers: { ...genuine.headers, 'webhook-id': 'msg_5' } },
      { ...genuine, headers: { ...genuine.headers, 'webhook-timestamp': 'soon' } },
      { ...genuine, headers: { ...genuine.headers, 'webhook-signature': 'v1,' } },
      requestWith({ id: 'msg_4', atMs: Date.now() - beyondMs }),
      requestWith({ id: 'msg_4', atMs: Date.now() + beyondMs }),
    ];
    for (const request of refused) expect(await statusOf(request)).toBe(401);
    expect(printed).not.toContain('msg_4');
  });
});
