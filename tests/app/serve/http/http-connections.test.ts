import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { ConnectionLimit } from '../../../../app/serve/http/connection-limit.ts';
import { CLOSING_MS_MAX } from '../../../../app/serve/http/http-connections.ts';
import { createHttpServer, listen } from '../../../../app/serve/http/http-server.ts';
import { Metrics } from '../../../../connectors/metrics/metrics.ts';
import { ManualClock } from '../../../engine/intake/intake-clock.ts';
import { openHouse } from '../../../support/open-house.ts';

const clients: Socket[] = [];
let server: FastifyInstance | undefined;

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await server?.close();
});

async function start(clock: ManualClock, answer?: () => Promise<unknown>) {
  server = createHttpServer({
    notReady: () => [],
    metrics: new Metrics([], []),
    connections: new ConnectionLimit({ onFull: () => undefined }),
    clock,
    ...openHouse(),
  });
  let begun = () => {};
  const hasBegun = new Promise<void>((resolve) => {
    begun = resolve;
  });
  server.post('/slow', () => {
    begun();
    return answer?.();
  });
  const { port } = new URL(await listen(server, { host: '127.0.0.1', port: 0 }));
  return { server, port: Number(port), hasBegun };
}

/** @returns the server's end of a connection by which these bytes have come */
async function open(to: FastifyInstance, port: number, bytes: string): Promise<Socket> {
  const accepted = once(to.server, 'connection');
  const client = connect(port, '127.0.0.1');
  client.on('error', () => undefined);
  clients.push(client);
  const [socket] = (await accepted) as [Socket];
  client.write(bytes);
  while (socket.bytesRead < bytes.length) await new Promise(setImmediate);
  return socket;
}

describe('a closing HTTP server', () => {
  test('hangs up at once on a connection that has sent nothing', async () => {
    const { server, port } = await start(new ManualClock(0));
    const socket = await open(server, port, '');
    await server.close();
    expect(socket.destroyed).toBe(true);
  });

  test('hangs up on half a request when its time is over, not before', async () => {
    const clock = new ManualClock(0);
    const { server, port } = await start(clock);
    const socket = await open(server, port, 'POST /slow HTTP/1.1\r\nhost: shop\r\n');
    const closed = server.close();
    while (clock.timerCount === 0) await new Promise(setImmediate);
    clock.advanceTo(CLOSING_MS_MAX - 1);
    expect(socket.destroyed).toBe(false);
    clock.advanceTo(CLOSING_MS_MAX);
    expect(socket.destroyed).toBe(true);
    await closed;
  });

  test('answers the request that is under way', async () => {
    let answer = (_text: string) => {};
    const text = new Promise<string>((resolve) => {
      answer = resolve;
    });
    const { server, port, hasBegun } = await start(new ManualClock(0), () => text);
    const response = fetch(`http://127.0.0.1:${port}/slow`, { method: 'POST' });
    await hasBegun;
    const closed = server.close();
    answer('done');
    expect(await (await response).text()).toBe('done');
    await closed;
  });
});
