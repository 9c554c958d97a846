import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type ReceivedRequest,
  type Receiver,
  startReceiver,
} from '../../../app/cli/commands/receive.ts';
import { CliProcess, lapse } from '../../support/cli.ts';
import { until } from '../../support/until.ts';

let folder: string;
let receiver: Receiver;
let serve: CliProcess;
let url: string;
const received: ReceivedRequest[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lapse-cli-'));
  receiver = await startReceiver({ onRequest: (request) => received.push(request) });
  const config = join(folder, 'shop.yaml');
  writeFileSync(config, definitions(receiver.url));
  const data = join(folder, 'data');
  serve = new CliProcess(['serve', '--config', config, '--data', data, '--port', '0']);
  url = (await serve.says(/"url":"([^"]+)"/))[1]!;
});

afterAll(async () => {
  await serve.stop();
  await receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

function definitions(receiverUrl: string): string {
  return `
egress: {allow: [127.0.0.1]}
webhooks: [{id: crm, url: "${receiverUrl}", batch: {max: 1}}]
campaigns:
  - id: bought
    webhook: crm
    qualify: {live: {action: {event: Bought}}}
    content: {fields: [identity, profileData, eventProperties]}
`;
}

interface Profile {
  readonly Identity: string;
  readonly ProfileData?: object;
  readonly Event_properties?: object;
}

/** What the receiver was told of a user. */
function profilesOf(user: string): Profile[] {
  return received
    .flatMap(({ body }) => (JSON.parse(body) as { profiles: Profile[] }).profiles)
    .filter(({ Identity }) => Identity === user);
}

function bought(userId: string, more: object = {}): string {
  return JSON.stringify({ type: 'track', userId, event: 'Bought', ...more });
}

describe('send', () => {
  test('send: the event and the traits reach the webhook, with their types', async () => {
    const props = ['total=12.5', 'gift=true', 'note=a b', 'zip="01067"', 'tags=["x"]', 'none='];
    const args = ['send', 'Bought', '--user', 'ada', '--trait', 'plan=gold', '--url', url];
    const sent = await lapse([...args, ...props.flatMap((prop) => ['--prop', prop])]);
    expect(sent).toEqual({
      exitCode: 0,
      stdout: `Sent Bought and 1 trait of ada to ${url}.\n`,
      stderr: '',
    });
    const [profile] = await until('the webhook', () => {
      const found = profilesOf('ada');
      return found.length > 0 && found;
    });
    expect(profile!.ProfileData).toEqual({ plan: 'gold' });
    const typed = { total: 12.5, gift: true, note: 'a b', zip: '01067', tags: ['x'], none: '' };
    expect(profile!.Event_properties).toEqual(typed);
  });

  test('send: what Lapse refuses is said with its code, and exits 1', async () => {
    const sent = await lapse(['send', 'x'.repeat(121), '--user', 'ada', '--url', url]);
    expect(sent).toMatchObject({ exitCode: 1, stdout: '' });
    expect(sent.stderr).toMatch(/^[^\n]+ \[ERR_EVENT_NAME\]\n$/);
  });

  test('send: takes the address of LAPSE_URL, and says it when nothing answers there', async () => {
    const sent = await lapse(['send', 'X', '--user', 'u'], {
      env: { LAPSE_URL: 'http://127.0.0.1:1' },
    });
    expect(sent).toEqual({
      exitCode: 1,
      stdout: '',
      stderr:
        'Lapse must be running at http://127.0.0.1:1, nothing answers there. [ERR_UNREACHABLE]\n',
    });
  });
});

describe('import', () => {
  test('import: takes the good lines of a gzip file, names the others, and exits 1', async () => {
    const path = join(folder, 'mixed.ndjson.gz');
    const lines = [bought('line-1'), '', '{bad', '{"type":"track","event":"X"}', '[]'];
    writeFileSync(path, gzipSync(`${[...lines, bought('line-6')].join('\n')}\n`));
    const { exitCode, stdout } = await lapse(['import', path, '--url', url, '--json']);
    const summary = JSON.parse(stdout) as { rejections: { line: number; code: string }[] };
    expect({ exitCode, ...summary }).toMatchObject({ exitCode: 1, accepted: 2, rejected: 3 });
    expect(summary.rejections.map(({ line, code }) => [line, code])).toEqual([
      [3, 'ERR_EVENT_JSON'],
      [4, 'ERR_EVENT_USER'],
      [5, 'ERR_EVENT_SHAPE'],
    ]);
    await until(
      'both webhooks',
      () => profilesOf('line-1').length + profilesOf('line-6').length === 2,
    );
  });

  test('import: a file that is imported again adds nothing', async () => {
    const path = join(folder, 'again.ndjson');
    // More than one batch of 2,500, so that several lanes and requests are at work.
    const users = Array.from({ length: 3_000 }, (_, index) => `again-${index}`);
    writeFileSync(path, users.map((user) => bought(user)).join('\n'));
    for (let run = 0; run < 2; run++) {
      const { exitCode, stdout } = await lapse(['import', path, '--url', url]);
      expect({ exitCode, stdout }).toEqual({
        exitCode: 0,
        stdout: expect.stringMatching(
          new RegExp(
            `^3,000 accepted, 0 rejected, [\\d,]+ events/s, in \\S+ s\\.\nOf the accepted, ${run === 0 ? '3,000' : '0'} are new, ` +
              `${run === 0 ? '0' : '3,000'} were known and are ignored, 0 are too old or too far ahead to ` +
              'trigger, and no campaign asks about 0\\.\n$',
          ),
        ),
      });
    }
    // Whoever comes after both of them shows that they have been worked through.
    await lapse(['import', '-', '--url', url], { stdin: bought('marker') });
    await until('the marker', () => profilesOf('marker').length === 1);
    await until('all', () => receiver.counts.profiles >= users.length);
    const identities = received.map(({ body }) => /"Identity":"([^"]*)"/.exec(body)![1]!);
    const again = identities.filter((identity) => identity.startsWith('again-'));
    expect(again.sort()).toEqual([...users].sort());
  });

  test('import --json: counts what is new, known, too old, and of no campaign', async () => {
    const path = join(folder, 'kinds.ndjson');
    const at = (hoursAgo: number) => new Date(Date.now() - hoursAgo * 3_600_000).toISOString();
    const lines = [
      bought('kinds-1', { messageId: 'k1' }),
      bought('kinds-1', { messageId: 'k1' }),
      bought('kinds-2', { messageId: 'k2', timestamp: at(73) }),
      JSON.stringify({ type: 'track', userId: 'kinds-3', event: 'Nobody Asks' }),
    ];
    writeFileSync(path, lines.join('\n'));
    const { stdout } = await lapse(['import', path, '--url', url, '--json']);
    const counts = { accepted: 4, new: 1, known: 1, tooOld: 1, unasked: 1, rejected: 0 };
    expect(JSON.parse(stdout)).toMatchObject(counts);
  });

  test('import: a file that is missing is said before anything is sent', async () => {
    const path = join(folder, 'good.ndjson');
    writeFileSync(path, bought('never'));
    const { exitCode, stdout, stderr } = await lapse(['import', path, 'nowhere', '--url', url]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/^'nowhere' must be a readable file of events.*\[ERR_FILE_MISSING\]\n$/);
    expect(profilesOf('never')).toEqual([]);
  });
});

describe('receive', () => {
  test('receive: prints each request, ends by a signal with what it counted', async () => {
    const receive = new CliProcess(['receive', '--port', '0', '--fail', '100%', '--json']);
    const [, address] = await receive.says(/Receiving at (\S+),/);
    const answer = await fetch(address!, { method: 'POST', body: '{"targetId":7,"profiles":[]}' });
    expect(answer.status).toBe(500);
    const { exitCode, stdout } = await receive.stop('SIGINT');
    const [request, ended] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(exitCode).toBe(0);
    expect(request).toMatchObject({ type: 'request', status: 500, signature: 'none' });
    expect(ended).toMatchObject({ type: 'ended', requests: 1, failed: 1, accepted: 0 });
  });

  test('receive: ends quietly when nobody reads its output any more', async () => {
    const receive = new CliProcess(['receive', '--port', '0']);
    const [, address] = await receive.says(/Receiving at (\S+),/);
    receive.closeStdout();
    // The first line goes into a closed pipe; the answer may be cut off by the end.
    await fetch(address!, { method: 'POST', body: '{}' }).catch(() => undefined);
    const { exitCode, stderr } = await receive.ended();
    expect({ exitCode, stderr }).toEqual({
      exitCode: 0,
      stderr: expect.not.stringMatching(/Error/),
    });
  });
});
