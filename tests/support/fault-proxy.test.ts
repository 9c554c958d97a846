import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FaultProxy } from './fault-proxy.ts';
import { Prng } from './prng.ts';
import { until } from './until.ts';

const SEED = 4;

let echo: Server;
let proxy: FaultProxy;
let clients: Client[];
beforeEach(async () => {
  echo = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await FaultProxy.start((echo.address() as AddressInfo).port, new Prng(SEED));
  clients = [];
});
afterEach(async () => {
  for (const { socket } of clients) socket.destroy();
  await proxy.stop();
  echo.close();
});

/** What it gets back, and how its connection ended. */
class Client {
  readonly socket: Socket;
  received = '';
  end: string | undefined;

  constructor() {
    this.socket = connect(proxy.port, '127.0.0.1');
    this.socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString();
    });
    this.socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      this.end = code;
    });
    this.socket.on('end', () => {
      this.end ??= 'end';
    });
    clients.push(this);
  }

  async echoes(text: string): Promise<void> {
    const wanted = this.received + text;
    this.socket.write(text);
    await until(`'${text}' comes back`, () => this.received === wanted);
  }

  ended(): Promise<string> {
    return until('the connection ends', () => this.end);
  }
}

test('fault proxy: passes on what comes, and the end of it', async () => {
  const client = new Client();
  await client.echoes('to and fro');
  client.socket.end();
  expect(await client.ended()).toBe('end');
});

test.each([
  ['reset', 'ECONNRESET'],
  ['end', 'end'],
] as const)('fault proxy: cuts what stands by a %s, and takes new ones', async (kind, end) => {
  const client = new Client();
  await client.echoes('before');
  proxy.cut(kind);
  expect(await client.ended()).toBe(end);
  expect(proxy.cuts).toBe(1);
  await new Client().echoes('after');
});

test('fault proxy: refuses until it is healed, on the same port', async () => {
  const client = new Client();
  await client.echoes('before');
  const { port } = proxy;
  await proxy.become({ kind: 'refuse' });
  expect(await client.ended()).toBe('ECONNRESET');
  expect(await new Client().ended()).toBe('ECONNREFUSED');
  await proxy.heal();
  expect(proxy.port).toBe(port);
  await new Client().echoes('after');
});

test('fault proxy: is silent as a black hole, and brings later what came meanwhile', async () => {
  const old = new Client();
  await old.echoes('before');
  await proxy.become({ kind: 'blackhole' });
  const fresh = new Client();
  await once(fresh.socket, 'connect');
  old.socket.write(' of the old');
  fresh.socket.write('of the fresh');
  await until('both are with the proxy', () => proxy.connections === 2);
  expect([old.received, fresh.received]).toEqual(['before', '']);
  await proxy.heal();
  await until('the old comes through', () => old.received === 'before of the old');
  await until('the fresh comes through', () => fresh.received === 'of the fresh');
});

test('fault proxy: delays and throttles keep order and lose nothing', async () => {
  const client = new Client();
  await proxy.become({ kind: 'delay', msMax: 5 });
  for (let i = 0; i < 10; i++) await client.echoes(`${i},`);
  await proxy.become({ kind: 'throttle', bytesPerSecond: 10_000 });
  await client.echoes('0123456789'.repeat(100));
});

test('fault proxy: halves a write after a part of it', async () => {
  const bytesMax = 100;
  await proxy.become({ kind: 'halve', bytesMax });
  const client = new Client();
  client.socket.write('x'.repeat(2 * bytesMax));
  await client.ended();
  expect(client.received.length).toBeLessThan(bytesMax);
  expect(proxy.cuts).toBe(1);
});
