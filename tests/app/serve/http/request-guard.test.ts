/** Which requests a server on loopback answers: nothing of a web page that was not invited. */
import { request } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { ConnectionLimit } from '../../../../app/serve/http/connection-limit.ts';
import { createHttpServer, listen } from '../../../../app/serve/http/http-server.ts';
import { RequestGuard } from '../../../../app/serve/http/request-guard.ts';
import { registerHttpDoor } from '../../../../connectors/doors/http/http-door.ts';
import { HttpFront } from '../../../../connectors/doors/http/http-front.ts';
import { Metrics } from '../../../../connectors/metrics/metrics.ts';
import { allRecordsOf, behindTheDoor } from '../../../connectors/doors/door-stage.ts';

const EVENT = JSON.stringify({ userId: 'u', event: 'e' });
const LISTED = 'https://shop.example.com';
const FOREIGN = 'https://evil.example';

let server: FastifyInstance | undefined;
afterEach(async () => server?.close());

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function open(origins: readonly string[] = []) {
  const stage = behindTheDoor();
  const front = new HttpFront(stage);
  const onRefused = (code: string) => stage.counters.turnedAway(code);
  const guard = new RequestGuard({
    origins,
    hostNames: ['events.example.com'],
    isDoor: (path) => front.isDoor(path),
    onRefused,
  });
  server = createHttpServer({
    notReady: () => [],
    metrics: new Metrics([], []),
    connections: new ConnectionLimit({ onFull: () => undefined }),
    guard,
    onRefused,
  });
  await registerHttpDoor(server, front);
  const { port } = new URL(await listen(server, { host: '127.0.0.1', port: 0 }));
  /** `fetch` would set these headers itself. */
  const send = ({ method = 'POST', path = '/v1/track', headers = {} }: Sent) =>
    new Promise<{ status: number; code: unknown; headers: Record<string, unknown> }>(
      (resolve, reject) => {
        const hasBody = method === 'POST';
        const sent = request(
          { host: '127.0.0.1', port, method, path, headers, agent: false },
          async (response) => {
            let text = '';
            for await (const chunk of response) text += String(chunk);
            const code = text.startsWith('{') ? (JSON.parse(text) as { code?: string }).code : '';
            resolve({ status: response.statusCode!, code, headers: response.headers });
          },
        );
        sent.on('error', reject);
        sent.end(hasBody ? EVENT : undefined);
      },
    );
  return { ...stage, send, port };
}

describe('request guard: names of the host', () => {
  test.each([
    '127.0.0.1:8080',
    '127.8.9.1',
    'localhost:1',
    'LocalHost.',
    'app.localhost',
    '[::1]:80',
  ])('%s is loopback', async (host) => {
    const { send } = await open();
    expect((await send({ headers: { host } })).status).toBe(200);
  });

  test('a listed name is answered, as a proxy on this machine passes it on', async () => {
    const { send } = await open();
    expect((await send({ headers: { host: 'events.example.com' } })).status).toBe(200);
  });

  test.each([
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1',
    '[::2]',
    'localhost@evil.example',
  ])(
    '%s is foreign, for events and for pages: a name that was rebound reads nothing',
    async (host) => {
      const { send, log, counters } = await open(['*']);
      for (const sent of [{}, { method: 'GET', path: '/metrics' }, { method: 'GET', path: '/' }]) {
        const answer = await send({ ...sent, headers: { host } });
        expect([answer.status, answer.code]).toEqual([421, 'ERR_HOST_FOREIGN']);
      }
      expect(allRecordsOf(log)).toEqual([]);
      expect(counters.turnedAwayByCode.get('ERR_HOST_FOREIGN')).toBe(3);
    },
  );
});

describe('request guard: origins', () => {
  test('a client without an origin is no browser, and notices nothing', async () => {
    const { send } = await open();
    const answer = await send({});
    expect(answer.status).toBe(200);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  });

  test.each([
    ['a foreign page', { origin: FOREIGN }],
    ['one that says its JSON is text', { origin: FOREIGN, 'content-type': 'text/plain' }],
    [
      'one that sends a form',
      { origin: FOREIGN, 'content-type': 'application/x-www-form-urlencoded' },
    ],
    ['a file or a sandbox', { origin: 'null' }],
    ['one whose browser hides the origin', { 'sec-fetch-site': 'cross-site' }],
    ['a sister site', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' }],
    ['a name that only ends like a listed one', { origin: 'https://evilshop.example.com' }],
    ['another scheme', { origin: 'http://shop.example.com' }],
    ['another port', { origin: `${LISTED}:8443` }],
  ])('%s cannot post events', async (_what, headers) => {
    const { send, log } = await open([LISTED]);
    const answer = await send({ headers });
    expect(answer.status).toBe(403);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    expect(allRecordsOf(log)).toEqual([]);
  });

  test('a listed page posts events, and may read the answer', async () => {
    const { send, log } = await open([LISTED]);
    const answer = await send({ headers: { origin: LISTED, 'sec-fetch-site': 'cross-site' } });
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': LISTED, vary: 'Origin' });
    expect(allRecordsOf(log)).toHaveLength(1);
  });

  test('a preflight of a listed page is answered with what it asks for', async () => {
    const { send } = await open([LISTED]);
    const asked = 'authorization,anonymousid,content-type';
    const answer = await send({
      method: 'OPTIONS',
      headers: {
        origin: LISTED,
        'access-control-request-method': 'POST',
        'access-control-request-headers': asked,
        'access-control-request-private-network': 'true',
      },
    });
    expect(answer.status).toBe(204);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': LISTED,
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': asked,
      'access-control-allow-private-network': 'true',
    });
  });

  test('a preflight of a foreign page is refused', async () => {
    const { send } = await open([LISTED]);
    const headers = { origin: FOREIGN, 'access-control-request-method': 'POST' };
    const answer = await send({ method: 'OPTIONS', headers });
    expect([answer.status, answer.code]).toEqual([403, 'ERR_ORIGIN']);
  });

  test.each([
    ['https://*.example.com', 'https://a.b.example.com', 200],
    ['https://*.example.com', 'https://example.com', 403],
    ['https://*.example.com', 'https://evil.com#.example.com', 403],
    ['https://*.example.com:8443', 'https://a.example.com:8443', 200],
    ['*', FOREIGN, 200],
  ])('with %s listed, %s gets %i', async (listed, origin, status) => {
    const { send } = await open([listed]);
    expect((await send({ headers: { origin } })).status).toBe(status);
  });

  test.each(['/metrics', '/readyz', '/', '/healthz'])(
    'a listed page sends events and does not read %s',
    async (path) => {
      const { send } = await open(['*']);
      const read = (headers: Record<string, string>) => send({ method: 'GET', path, headers });
      expect((await read({ origin: LISTED })).code).toBe('ERR_ORIGIN');
      expect(
        (await read({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' })).code,
      ).toBe('ERR_CROSS_SITE');
    },
  );

  test("the server's own pages and links that lead to them are no strangers", async () => {
    const { send, port } = await open();
    const own = { host: `localhost:${port}`, origin: `http://localhost:${port}` };
    expect((await send({ headers: own })).status).toBe(200);
    const link = {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    };
    expect((await send({ method: 'GET', path: '/', headers: link })).status).toBe(200);
    expect((await send({ headers: link })).code).toBe('ERR_CROSS_SITE');
  });
});
