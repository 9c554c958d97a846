import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { afterEach, expect, test } from 'vitest';
import { ConnectionLimit } from '../../../app/serve/connection-limit.ts';
import { createHttpServer, listen } from '../../../app/serve/http-server.ts';
import { Metrics } from '../../../connectors/metrics/metrics.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';

const MAX = 3;
const clients: Socket[] = [];
let server: FastifyInstance | undefined;

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await server?.close();
});

async function start(host = '127.0.0.1') {
  const clock = new ManualClock(0);
  const said: string[] = [];
  const connections = new ConnectionLimit({
    onFull: ({ code, message }) => said.push(`${code} ${message}`),
    connectionsMax: MAX,
    clock,
  });
  server = createHttpServer({
    notReady: () => [],
    metrics: new Metrics([], []),
    connections,
    clock,
  });
  const { port } = new URL(await listen(server, { host, port: 0 }));
  return { server, port: Number(port), connections, clock, said };
}

/** A connection, and what has come over it by the time that the server ended it. */
function open(port: number) {
  const client = connect(port, '127.0.0.1');
  clients.push(client);
  let answer = '';
  client.setEncoding('utf8');
  client.on('data', (text: string) => {
    answer += text;
  });
  client.on('error', () => undefined);
  const ended = once(client, 'close').then(() => answer);
  return { client, ended, answered: () => answer };
}

async function openAll(to: FastifyInstance, port: number, count: number) {
  const opened = [];
  for (let i = 0; i < count; i++) {
    const accepted = once(to.server, 'connection');
    opened.push(open(port));
    await accepted;
  }
  return opened;
}

/** One that the server must hang up on; resolves with what it has said before. */
async function openOneTooMany(to: FastifyInstance, port: number): Promise<string> {
  const fate = Promise.race([
    once(to.server, 'drop').then(() => 'dropped'),
    once(to.server, 'connection').then(() => 'taken'),
  ]);
  const { client, ended } = open(port);
  client.write(ASK);
  expect(await fate).toBe('dropped');
  return ended;
}

const ASK = 'GET /healthz HTTP/1.1\r\nhost: shop\r\n\r\n';

test('connections: as many as may be are served, one more is hung up on', async () => {
  const { server, port, connections, said } = await start();
  const all = await openAll(server, port, MAX);
  expect(connections).toMatchObject({ open: MAX, dropped: 0 });
  expect(await openOneTooMany(server, port)).toBe('');
  expect(connections).toMatchObject({ open: MAX, dropped: 1 });
  expect(said).toEqual([
    `ERR_CONNECTIONS_FULL The HTTP server holds ${MAX} connections, which is all it may; ` +
      'closed at once since the start: 1.',
  ]);
  for (const { client, answered } of all) {
    client.write(ASK);
    while (!answered().includes('"status":"ok"')) await once(client, 'data');
  }
});

test('connections: one that ends makes room for another', async () => {
  const { server, port, connections } = await start();
  const [first] = await openAll(server, port, MAX);
  first!.client.end();
  await first!.ended;
  while (connections.open === MAX) await new Promise(setImmediate);
  const [next] = await openAll(server, port, 1);
  next!.client.write('GET /healthz HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n');
  expect(await next!.ended).toContain('"status":"ok"');
  expect(connections.dropped).toBe(0);
});

test('connections: a crowd is said once a minute, and counted whole', async () => {
  const { server, port, connections, clock, said } = await start();
  await openAll(server, port, MAX);
  for (let i = 0; i < 5; i++) await openOneTooMany(server, port);
  expect([said.length, connections.dropped]).toEqual([1, 5]);
  clock.advanceTo(60_000);
  for (let i = 0; i < 2; i++) await openOneTooMany(server, port);
  expect([said.length, connections.dropped]).toEqual([2, 7]);
});

test('connections: localhost is one address, so that all are counted', async () => {
  const { server } = await start('localhost');
  expect(server.addresses()).toMatchObject([{ address: '127.0.0.1' }]);
});
