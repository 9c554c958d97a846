import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { afterEach, expect, test } from 'vitest';
import { ConnectionLimit } from '../../../../app/serve/http/connection-limit.ts';
import { createHttpServer, listen } from '../../../../app/serve/http/http-server.ts';
import { Metrics } from '../../../../connectors/metrics/metrics.ts';
import { ManualClock } from '../../../engine/intake/intake-clock.ts';
import { openHouse } from '../../../support/open-house.ts';

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
    ...openHouse(),
  });
  const answers: (() => void)[] = [];
  server.post(
    '/slow',
    () =>
      new Promise((resolve) => {
        answers.push(() => resolve({ slow: true }));
      }),
  );
  const { port } = new URL(await listen(server, { host, port: 0 }));
  const answerSlow = () => {
    for (const answer of answers) answer();
  };
  return { server, port: Number(port), connections, clock, said, answerSlow };
}

/** A connection, and what has come over it. */
async function open(to: FastifyInstance, port: number, localAddress = '127.0.0.1') {
  const accepted = once(to.server, 'connection');
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  clients.push(socket);
  const client = { socket, answer: '', isClosed: false };
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    client.answer += text;
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    client.isClosed = true;
  });
  await accepted;
  return client;
}

type Client = Awaited<ReturnType<typeof open>>;

const ASK = 'GET /healthz HTTP/1.1\r\nhost: shop\r\n\r\n';

/** Turns of the event loop until it holds; the test's own time limit ends it otherwise. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}

async function ask(client: Client): Promise<void> {
  const before = client.answer.length;
  client.socket.write(ASK);
  await until(() => client.answer.includes('"status":"ok"', before));
}

function closedOf(clients: readonly Client[]): boolean[] {
  return clients.map(({ isClosed }) => isClosed);
}

test('connections: when all are taken, the longest waited for is closed and the newcomer served', async () => {
  const { server, port, connections, said } = await start();
  const all = [await open(server, port), await open(server, port), await open(server, port)];
  const newcomer = await open(server, port);
  await until(() => all[0]!.isClosed);
  await ask(newcomer);
  expect(closedOf(all)).toEqual([true, false, false]);
  expect(connections).toMatchObject({ open: MAX, dropped: 1 });
  expect(said).toEqual([
    `ERR_CONNECTIONS_FULL The HTTP server holds ${MAX} connections, which is all it may; ` +
      'for each new one it closes one, 1 since the start.',
  ]);
});

test('connections: half a head gives way before one that has been of use, and that before a new one', async () => {
  const { server, port, clock } = await start();
  const used = await open(server, port);
  await ask(used);
  const half = await open(server, port);
  half.socket.write('GET /healthz HTTP/1.1\r\nhost: ');
  clock.advanceTo(1_000);
  const fresh = await open(server, port);
  const newcomers = [await open(server, port)];
  await until(() => half.isClosed);
  newcomers.push(await open(server, port));
  await until(() => used.isClosed);
  expect(closedOf([half, used, fresh, ...newcomers])).toEqual([true, true, false, false, false]);
});

test('connections: half a body gives way, a request that is being answered does not', async () => {
  const { server, port, connections, answerSlow } = await start();
  const head = 'POST /slow HTTP/1.1\r\nhost: shop\r\n';
  const whole = await open(server, port);
  const begun = () => once(server.server, 'request');
  let request = begun();
  whole.socket.write(`${head}\r\n`);
  await request;
  const half = await open(server, port);
  request = begun();
  half.socket.write(`${head}content-length: 5\r\n\r\nhalf`);
  await request;
  const fresh = await open(server, port);
  await ask(fresh);
  await open(server, port);
  await until(() => half.isClosed);
  expect(closedOf([whole, half, fresh])).toEqual([false, true, false]);
  await open(server, port);
  await until(() => fresh.isClosed);
  answerSlow();
  await until(() => whole.answer.includes('{"slow":true}'));
  expect(connections.dropped).toBe(2);
});

test('connections: the address that has the most loses one', async () => {
  const { server, port } = await start();
  const light = await open(server, port, '127.0.0.2');
  const heavy = [await open(server, port, '127.0.0.3'), await open(server, port, '127.0.0.3')];
  await open(server, port, '127.0.0.4');
  await until(() => heavy[0]!.isClosed);
  expect(closedOf([light, ...heavy])).toEqual([false, true, false]);
});

test('connections: one that ends makes room for another', async () => {
  const { server, port, connections } = await start();
  const all = [await open(server, port), await open(server, port), await open(server, port)];
  all[0]!.socket.end();
  await until(() => connections.open < MAX);
  await ask(await open(server, port));
  expect(connections.dropped).toBe(0);
  expect(closedOf(all.slice(1))).toEqual([false, false]);
});

test('connections: a crowd is said once a minute, and counted whole', async () => {
  const { server, port, connections, clock, said } = await start();
  for (let i = 0; i < MAX + 5; i++) await open(server, port);
  expect([said.length, connections.dropped]).toEqual([1, 5]);
  clock.advanceTo(60_000);
  for (let i = 0; i < 2; i++) await open(server, port);
  expect([said.length, connections.dropped]).toEqual([2, 7]);
});

test('connections: localhost is one address, so that all are counted', async () => {
  const { server } = await start('localhost');
  expect(server.addresses()).toMatchObject([{ address: '127.0.0.1' }]);
});
