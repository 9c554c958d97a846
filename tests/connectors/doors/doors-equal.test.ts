/** The same event by every door of the HTTP server is the same record. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { pack } from 'msgpackr';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { registerCleverTapDoor } from '../../../connectors/doors/clevertap/clevertap-door.ts';
import { registerCloudEventsDoor } from '../../../connectors/doors/cloudevents/cloudevents-door.ts';
import { registerHttpDoor } from '../../../connectors/doors/http/http-door.ts';
import { HttpFront } from '../../../connectors/doors/http/http-front.ts';
import { WebSocketDoor } from '../../../connectors/doors/websocket/websocket-door.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';
import { allRecordsOf, behindTheDoor } from './door-stage.ts';

const NOW_MS = Date.parse('2026-03-01T12:00:00Z');
const AT = '2026-03-01T11:59:00Z';
const EVENT = {
  type: 'track',
  userId: 'u1',
  event: 'Added To Cart',
  messageId: 'm1',
  timestamp: AT,
  properties: { cart_id: 'c1', price: 49.9, at: '2026-03-05T00:00:00.000Z', items: [{ sku: 'a' }] },
};
const RECORD = {
  type: 'event',
  identity: EVENT.userId,
  evtName: EVENT.event,
  messageId: EVENT.messageId,
  ts: Date.parse(AT) / 1_000,
  evtData: { ...EVENT.properties, at: `$D_${Date.parse(EVENT.properties.at) / 1_000}` },
};
const CLOUD_EVENT = {
  specversion: '1.0',
  source: '/shop',
  id: EVENT.messageId,
  type: EVENT.event,
  subject: EVENT.userId,
  time: AT,
  data: EVENT.properties,
};
const JSON_TYPE = { 'content-type': 'application/json' };

const servers: FastifyInstance[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

type Send = (url: string) => Promise<void>;

const post =
  (path: string, body: unknown, headers: Readonly<Record<string, string>> = JSON_TYPE): Send =>
  async (url) => {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(200);
  };

const stream =
  (frame: string | Buffer): Send =>
  async (url) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/stream`);
    await once(socket, 'open');
    socket.send(frame);
    await once(socket, 'message');
    socket.terminate();
  };

test.each<readonly [string, Send]>([
  ['a call', post('/v1/track', EVENT)],
  ['a batch', post('/v1/batch', { batch: [EVENT] })],
  ['CleverTap', post('/1/upload', { d: [RECORD] })],
  [
    'CloudEvents',
    post('/v1/cloudevents', CLOUD_EVENT, { 'content-type': 'application/cloudevents+json' }),
  ],
  ['a frame of JSON', stream(JSON.stringify(EVENT))],
  ['a frame of msgpack', stream(pack(EVENT))],
])('doors: by %s the event is the same record', async (_door, send) => {
  const stage = behindTheDoor({ clock: new ManualClock(NOW_MS) });
  const server = fastify();
  servers.push(server);
  const front = new HttpFront(stage);
  await registerHttpDoor(server, front);
  await registerCleverTapDoor(server, front);
  await registerCloudEventsDoor(server, front);
  new WebSocketDoor(stage).attach(server.server, () => undefined);
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as AddressInfo;
  await send(`http://127.0.0.1:${port}`);
  const reference = behindTheDoor({ clock: new ManualClock(NOW_MS) });
  const plain = fastify();
  servers.push(plain);
  await registerHttpDoor(plain, new HttpFront(reference));
  await plain.inject({ method: 'POST', url: '/v1/track', headers: JSON_TYPE, payload: EVENT });
  expect(allRecordsOf(reference.log)).toHaveLength(1);
  expect(allRecordsOf(stage.log)).toEqual(allRecordsOf(reference.log));
});
