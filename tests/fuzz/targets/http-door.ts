/** The HTTP server as it is served: its own pages and the door for events. */
import { type AddressInfo, connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { ConnectionLimit } from '../../../app/serve/http/connection-limit.ts';
import { createHttpServer } from '../../../app/serve/http/http-server.ts';
import { DoorCounters } from '../../../connectors/doors/door-counters.ts';
import { registerHttpDoor } from '../../../connectors/doors/http/http-door.ts';
import { HttpFront } from '../../../connectors/doors/http/http-front.ts';
import { RejectedStore } from '../../../connectors/doors/rejected.ts';
import { Metrics } from '../../../connectors/metrics/metrics.ts';
import { Intake } from '../../../engine/intake/intake.ts';
import { systemClock } from '../../../engine/time/clock.ts';
import { openHouse } from '../../support/open-house.ts';
import { headLength } from '../mutation/mutator.ts';
import { demand, type FuzzRunner, type FuzzTarget, type Outcome } from '../target.ts';
import { EVENT_WORDS, EVENTS, PAYLOAD_SEEDS } from './event-seeds.ts';
import { ForgetfulLog } from './forgetful-log.ts';

async function openServer(): Promise<{
  server: FastifyInstance;
  log: ForgetfulLog;
  rejected: RejectedStore;
}> {
  const log = new ForgetfulLog();
  const intake = new Intake({ log, clock: systemClock });
  log.intake = intake;
  const rejected = new RejectedStore({ log, clock: systemClock });
  const counters = new DoorCounters();
  const server = createHttpServer({
    notReady: () => [],
    metrics: new Metrics([], []),
    connections: new ConnectionLimit({ onFull: () => undefined }),
    ...openHouse(),
  });
  await registerHttpDoor(server, new HttpFront({ clock: systemClock, counters, intake, rejected }));
  return { server, log, rejected };
}

const STATUSES = [200, 400, 403, 404, 413, 415, 421, 429];

interface Answer {
  readonly accepted?: number;
  readonly rejected?: readonly { readonly index: number; readonly code: string }[];
  readonly code?: unknown;
}

/** `#METHOD path name=value|name=value`, then the body; `gzip` alone as a header packs it. */
class InjectRunner implements FuzzRunner {
  readonly #server: FastifyInstance;
  readonly #log: ForgetfulLog;
  readonly #rejected: RejectedStore;

  constructor({ server, log, rejected }: Awaited<ReturnType<typeof openServer>>) {
    this.#server = server;
    this.#log = log;
    this.#rejected = rejected;
  }

  async run(input: Uint8Array): Promise<Outcome> {
    const start = headLength(input);
    const head = Buffer.from(input.subarray(1, Math.max(1, start))).toString('latin1');
    const body = Buffer.from(input.subarray(start));
    const { method, url, headers, isPacked } = requestLineOf(head);
    const before = this.#log.events;
    const response = await this.#server.inject({
      method: method as 'POST',
      url,
      headers,
      payload: isPacked ? gzipSync(body, { level: 1 }) : body,
    } as InjectOptions);
    await this.#rejected.idle();
    const { statusCode } = response;
    demand(STATUSES.includes(statusCode), () => `${statusCode}: ${response.body.slice(0, 300)}`);
    if (url.startsWith('/v1/') && method === 'POST') {
      const answer = response.json<Answer>();
      if (answer.accepted === undefined) {
        demand(typeof answer.code === 'string', () => `No code: ${response.body.slice(0, 300)}`);
      } else demandCounts(answer, this.#log.events - before, mayJoin(url, body));
    }
    return statusCode === 200 ? 'accepted' : 'refused';
  }

  async close(): Promise<void> {
    await this.#server.close();
  }
}

/** An alias is said by joining two ids, and is no event in the log. */
function mayJoin(url: string, body: Buffer): boolean {
  return /alias|^\/v1\/a\b/.test(url) || body.includes('alias') || body.includes('\\u0');
}

function demandCounts({ accepted = 0, rejected = [] }: Answer, stored: number, mayBeLess: boolean) {
  const isRight = mayBeLess ? stored <= accepted : stored === accepted;
  demand(isRight, () => `${accepted} events were accepted, ${stored} are in the log.`);
  const indexes = new Set(rejected.map(({ index }) => index));
  demand(indexes.size === rejected.length, () => 'An index was refused twice.');
  for (const { code } of rejected) demand(code.startsWith('ERR_'), () => `The code ${code}.`);
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];

function requestLineOf(head: string) {
  const [method = '', path = '', ...rest] = head.trim().split(' ');
  const headers: Record<string, string> = {};
  let isPacked = false;
  for (const one of rest.join(' ').split('|')) {
    if (one === 'gzip') isPacked = true;
    const at = one.indexOf('=');
    const name = one.slice(0, at).toLowerCase();
    // What Node's parser does not let through never reaches the server.
    if (at < 1 || !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) continue;
    if (['content-length', 'transfer-encoding', 'host'].includes(name)) continue;
    headers[name] = one.slice(at + 1).replace(/[^\t\x20-\x7e\x80-\xff]/g, '');
  }
  if (isPacked) headers['content-encoding'] ??= 'gzip';
  // Of a URL the parser refuses the rest.
  const url = `/${path.replace(/[^\x21-\x7e]/g, '').replace(/^\/+/, '')}`;
  return { method: METHODS.includes(method) ? method : 'POST', url, headers, isPacked };
}

const json = 'content-type=application/json';
const batch = JSON.stringify({ sentAt: '2026-01-05T09:00:00Z', batch: EVENTS });
const auth = `authorization=Basic ${Buffer.from('key:').toString('base64')}`;

export const httpDoor: FuzzTarget = {
  name: 'http-door',
  format: 'json',
  seeds: () => [
    `#POST /v1/batch ${json}|${auth}\n${batch}`,
    `#POST /v1/batch ${json}|gzip\n${batch}`,
    `#POST /v1/b content-type=text/plain\n${batch}`,
    `#POST /v1/import ${json}|content-encoding=identity\n${batch}`,
    ...['track', 'identify', 'page', 'screen', 'alias', 't', 'i'].map(
      (name, i) => `#POST /v1/${name} ${json}\n${JSON.stringify(EVENTS[i % EVENTS.length])}`,
    ),
    `#POST /v1/track content-type=application/x-www-form-urlencoded\n${PAYLOAD_SEEDS[0]}`,
    `#GET /metrics accept=*/*\n`,
    '#GET /healthz?x=%00 accept=*/*\n',
  ],
  words: [
    ...EVENT_WORDS,
    '"batch":[',
    '"b\\u0061tch":[',
    'content-type=application/json; charset=utf-16',
    'content-type=multipart/form-data; boundary=x',
    'content-encoding=gzip, gzip',
    'content-encoding=br',
    'authorization=Basic !!!!',
    'authorization=Bearer x',
    'origin=https://shop.example.com',
    'origin=http://localhost:80',
    'sec-fetch-site=cross-site',
    'access-control-request-method=POST',
    'gzip',
    '%2e%2e/',
    '%',
    '//',
    '?',
  ],
  share: 0.5,
  open: async () => new InjectRunner(await openServer()),
};

/** Whatever comes over the wire, the connection ends and the server answers the next request. */
class SocketRunner implements FuzzRunner {
  readonly #server: FastifyInstance;
  readonly #port: number;

  constructor(server: FastifyInstance) {
    this.#server = server;
    this.#port = (server.server.address() as AddressInfo).port;
  }

  async run(input: Uint8Array): Promise<Outcome> {
    const answer = await this.#send(input);
    const health = await this.#send(Buffer.from('GET /healthz HTTP/1.0\r\n\r\n'));
    demand(health.startsWith('HTTP/1.1 200'), () => `Not healthy: ${health.slice(0, 200)}`);
    demand(!/^HTTP\/1\.1 5/m.test(answer), () => answer.slice(0, 300));
    return /^HTTP\/1\.1 200/m.test(answer) ? 'accepted' : 'refused';
  }

  /** Sends, says that no more will come, and reads until the server hangs up. */
  #send(input: Uint8Array): Promise<string> {
    return new Promise((resolve) => {
      let answer = '';
      const socket = connect(this.#port, '127.0.0.1', () => socket.end(input));
      socket.on('data', (chunk: Buffer) => {
        answer += chunk.toString('latin1');
      });
      // A reset is a way of refusing too.
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(answer));
    });
  }

  async close(): Promise<void> {
    await this.#server.close();
  }
}

const one = JSON.stringify(EVENTS[0]);
const hex = one.length.toString(16);

export const httpSocket: FuzzTarget = {
  name: 'http-socket',
  format: 'bytes',
  seeds: () => [
    `POST /v1/track HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${one.length}\r\nconnection: close\r\n\r\n${one}`,
    `POST /v1/track HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n${hex}\r\n${one}\r\n0\r\n\r\n`,
    'GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
  ],
  words: [
    'transfer-encoding: chunked\r\n',
    'transfer-encoding: chunked, identity\r\n',
    'content-length: 5\r\n',
    'content-length: -1\r\n',
    'content-length: 99999999999999999999\r\n',
    'expect: 100-continue\r\n',
    'upgrade: websocket\r\nconnection: upgrade\r\n',
    'ffffffffffffffff\r\n',
    '0;ext=1\r\n',
    ' : x\r\n',
    '\r\n\r\n',
    'HTTP/9.9',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ],
  share: 0.01,
  open: async () => {
    const { server } = await openServer();
    await server.listen({ host: '127.0.0.1', port: 0 });
    return new SocketRunner(server);
  },
};
