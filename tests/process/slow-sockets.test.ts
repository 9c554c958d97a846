/**
 * Clients that open connections and send nothing, half a head or half a body: `serve` goes on
 * taking events from everybody else, from the attacker's own address too.
 */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { Stage } from './stage.ts';

const ATTACKER = '127.0.0.2';
const REQUEST_BYTES = 500 * 1024;
/** All the room that there is for bodies. */
const ROOM_BYTES = 64 * 2 ** 20;
const CONNECTIONS_MAX = 4_096;
const CLIENTS = ['127.0.0.1', '127.0.0.3', '127.0.0.4', ATTACKER];
const EVENTS_EACH = 25;
/** A quiet machine answers in 5 ms; before, none was answered for 30 s. */
const ANSWER_MS_MAX = 5_000;

const sockets: Socket[] = [];
let stage: Stage | undefined;
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await stage?.close();
  stage = undefined;
});

const ON_CART = {
  id: 'carts',
  webhook: 'single',
  qualify: { live: { action: { event: 'Added To Cart' } } },
};

async function open() {
  stage = await Stage.open({ campaigns: [ON_CART] });
  const serve = await stage.serve().ready();
  return { serve, port: Number(new URL(serve.url).port) };
}

/** A connection of the attacker, by which `bytes` were sent. */
async function attack(port: number, bytes: string | Buffer): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: ATTACKER });
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  if (bytes.length > 0) await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
}

async function attackers(port: number, count: number, bytes: string | Buffer): Promise<void> {
  const AT_ONCE = 100;
  for (let i = 0; i < count; i += AT_ONCE) {
    const some = Math.min(AT_ONCE, count - i);
    await Promise.all(Array.from({ length: some }, () => attack(port, bytes)));
  }
}

/** One event by a new connection. @returns its status and how long it took */
function post(port: number, localAddress: string, user: string) {
  const body = JSON.stringify({ userId: user, event: 'Added To Cart' });
  const startedMs = performance.now();
  return new Promise<{ status: number; ms: number }>((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, localAddress, method: 'POST', path: '/v1/track', agent: false },
      (response) => {
        response.resume();
        response.on('end', () => {
          resolve({ status: response.statusCode!, ms: performance.now() - startedMs });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

async function everybodyIsServed(port: number): Promise<void> {
  for (const client of CLIENTS) {
    for (let i = 0; i < EVENTS_EACH; i++) {
      const { status, ms } = await post(port, client, `${client} ${i}`);
      expect([client, status]).toEqual([client, 200]);
      expect(ms).toBeLessThan(ANSWER_MS_MAX);
    }
  }
}

const head = (length: number) =>
  `POST /v1/batch HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${length}\r\n\r\n`;

describe('slow sockets', () => {
  test('135 heads that announce 500 KB and send nothing take no room', async () => {
    const { port } = await open();
    const count = Math.ceil(ROOM_BYTES / REQUEST_BYTES) + 3;
    expect(count).toBe(135);
    await attackers(port, count, head(REQUEST_BYTES));
    await everybodyIsServed(port);
  });

  test('bodies of 92 MB that come but for their last byte leave room for others', async () => {
    const { serve, port } = await open();
    const count = 180;
    const almost = Buffer.concat([
      Buffer.from(head(REQUEST_BYTES)),
      Buffer.alloc(REQUEST_BYTES - 1, 32),
    ]);
    expect(count * almost.length).toBeGreaterThan(ROOM_BYTES);
    await attackers(port, count, almost);
    await everybodyIsServed(port);
    const cut = () => serve.metric('lapse_requests_turned_away_total');
    await until('bodies beyond the share of an address are cut off', async () => (await cut()) > 0);
  });

  test('4,200 half-sent heads, and as many idle connections, shut nobody out', async () => {
    const { serve, port } = await open();
    await attackers(port, CONNECTIONS_MAX + 104, 'POST /v1/track HTTP/1.1\r\nhost: ');
    await everybodyIsServed(port);
    await attackers(port, CONNECTIONS_MAX + 104, '');
    await everybodyIsServed(port);
    expect(await serve.metric('lapse_connections_dropped_total')).toBeGreaterThan(0);
    expect(await serve.metric('lapse_connections_open')).toBeLessThanOrEqual(CONNECTIONS_MAX);
  });
});
