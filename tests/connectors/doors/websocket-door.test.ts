/** The streaming door over real WebSockets: acknowledgements, back-pressure, cuts, hostile clients. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { pack } from 'msgpackr';
import { afterEach, describe, expect, test } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { WebSocketDoor } from '../../../connectors/doors/websocket/websocket-door.ts';
import { DEFAULT_EVENT_LIMITS } from '../../../connectors/events/event-limits.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';
import { allRecordsOf, behindTheDoor, until } from './door-stage.ts';

const track = { type: 'track', userId: 'u1', event: 'Charged', properties: { amount: 5 } };
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function open(
  stage = behindTheDoor(),
  options: { readonly clientsMax?: number; readonly refusal?: number } = {},
) {
  const door = new WebSocketDoor({ ...stage, ...options, newId: () => 'stream-1' });
  const server: Server = createServer();
  const taken: Socket[] = [];
  const refused = { status: options.refusal ?? 0, code: 'ERR_ORIGIN', detail: 'It is foreign.' };
  door.attach(
    server,
    () => (options.refusal === undefined ? undefined : refused),
    (socket) => taken.push(socket),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  closers.push(() => {
    for (const socket of taken) socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  const connect = async (query = '', more: ClientOptions = {}) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/stream${query}`, more);
    const client = { socket, answers: [] as Record<string, unknown>[], closed: 0 };
    socket.on('message', (data) => client.answers.push(JSON.parse(String(data))));
    socket.on('close', (code) => {
      client.closed = code;
    });
    closers.push(() => socket.terminate());
    await once(socket, 'open');
    socket.on('error', () => undefined);
    return client;
  };
  /** @returns the status of an upgrade that is refused */
  const refusedStatus = async (path: string): Promise<number> => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
    const [, response] = await once(socket, 'unexpected-response');
    return (response as { statusCode: number }).statusCode;
  };
  return { ...stage, door, connect, refusedStatus, taken };
}

/** A log that stores nothing until it is let. */
function heldStage(clock?: ManualClock) {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const stage = behindTheDoor({ beforeStore: () => held, ...(clock && { clock }) });
  return { stage, release: () => release() };
}

describe('streaming door', () => {
  test.each<readonly [string, string | Buffer, number]>([
    ['an event', JSON.stringify(track), 1],
    ['an array', JSON.stringify([track, { ...track, userId: 'u2' }]), 2],
    ['an event in msgpack', pack(track), 1],
    ['an array in msgpack', pack([track, track]), 2],
  ])('%s is taken and acknowledged', async (_what, frame, accepted) => {
    const { connect, log, counters } = await open();
    const client = await connect();
    client.socket.send(frame);
    await until(() => client.answers.length === 1);
    expect(client.answers).toEqual([{ ack: 1, accepted, rejected: [] }]);
    expect(allRecordsOf(log)).toHaveLength(accepted);
    expect(counters.acceptedBy('websocket')).toBe(accepted);
  });

  test('nothing is acknowledged before it is durable', async () => {
    const { stage, release } = heldStage();
    const { connect, intake } = await open(stage);
    const client = await connect();
    client.socket.send(JSON.stringify(track));
    await until(() => intake.bytesInFlight > 0);
    expect(client.answers).toEqual([]);
    release();
    await until(() => client.answers.length === 1);
  });

  test('bad events are refused by their index and kept, and a bad frame ends nothing', async () => {
    const { connect, rejected } = await open();
    const client = await connect();
    client.socket.send(JSON.stringify([track, { type: 'track' }, track]));
    client.socket.send('{"no json');
    client.socket.send(JSON.stringify(track));
    await until(() => client.answers.length === 3);
    expect(client.answers.sort((a, b) => Number(a.ack) - Number(b.ack))).toMatchObject([
      { ack: 1, accepted: 2, rejected: [{ index: 1, code: 'ERR_EVENT_USER' }] },
      { ack: 2, accepted: 0, rejected: [{ index: 0, code: 'ERR_EVENT_JSON' }] },
      { ack: 3, accepted: 1 },
    ]);
    await rejected.idle();
    expect(rejected.countsOf('websocket').size).toBe(2);
  });

  test('a frame with too many events is refused whole, by its number', async () => {
    const { connect, log } = await open();
    const client = await connect();
    const events = Array.from({ length: DEFAULT_EVENT_LIMITS.requestEventsMax + 1 }, () => 1);
    client.socket.send(JSON.stringify(events));
    await until(() => client.answers.length === 1);
    expect(client.answers).toMatchObject([{ ack: 1, accepted: 0, code: 'ERR_REQUEST_EVENTS' }]);
    expect(allRecordsOf(log)).toEqual([]);
  });

  test('after a cut, frames of a session that come again have the ids that they had', async () => {
    const { connect, log } = await open();
    const before = await connect('?session=app-7');
    before.socket.send(JSON.stringify({ ...track, event: 'first' }));
    before.socket.send(JSON.stringify({ ...track, event: 'second' }));
    await until(() => before.answers.length === 2);
    before.socket.terminate();
    const again = await connect('?session=app-7&frame=2');
    again.socket.send(JSON.stringify({ ...track, event: 'second' }));
    await until(() => again.answers.length === 1);
    expect(again.answers).toMatchObject([{ ack: 2 }]);
    const ids = allRecordsOf(log)
      .filter(({ name }) => name === 'second')
      .map(({ eventId }) => eventId);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
  });

  test('a client that floods without waiting is read as far as its frames may be on their way', async () => {
    const { stage, release } = heldStage();
    const { connect, door, taken } = await open(stage);
    const client = await connect();
    const frame = JSON.stringify({ ...track, properties: { text: 'x'.repeat(10_000) } });
    const count = 2_000;
    for (let i = 0; i < count; i++) client.socket.send(frame);
    await until(() => taken[0]!.isPaused());
    const limit = count * frame.length;
    expect(taken[0]!.bytesRead).toBeLessThan(limit / 2);
    expect(door.clients).toBe(1);
    release();
    await until(() => client.answers.length === count);
    const acknowledged = client.answers.map(({ ack }) => Number(ack)).sort((a, b) => a - b);
    expect(acknowledged).toEqual(Array.from({ length: count }, (_, i) => i + 1));
  });

  test('frames wait while the intake is full, and go in when it is not', async () => {
    const stage = behindTheDoor({ unreadRecordsMax: 1 });
    const { connect, intake, taken } = await open(stage);
    const client = await connect();
    client.socket.send(JSON.stringify([track, { ...track, messageId: 'm2' }]));
    await until(() => client.answers.length === 1);
    client.socket.send(JSON.stringify(track));
    await until(() => taken[0]!.isPaused());
    expect(client.answers).toHaveLength(1);
    intake.processed(1);
    await until(() => client.answers.length === 2);
  });

  test('a log that fails is told by the number of the frame, which may be sent again', async () => {
    const stage = behindTheDoor({
      beforeStore: () => {
        throw new Error('the disk is full');
      },
    });
    const { connect } = await open(stage);
    const client = await connect();
    client.socket.send(JSON.stringify(track));
    await until(() => client.answers.length === 1);
    expect(client.answers).toMatchObject([{ failed: 1, code: 'ERR_LOG_UNAVAILABLE' }]);
  });

  test('a closing door acknowledges what it took, and says goodbye', async () => {
    const { stage, release } = heldStage();
    const { connect, door, intake } = await open(stage);
    const client = await connect();
    client.socket.send(JSON.stringify(track));
    await until(() => intake.bytesInFlight > 0);
    const closed = door.close();
    release();
    await closed;
    await until(() => client.closed > 0);
    expect(client.answers).toMatchObject([{ ack: 1, accepted: 1 }]);
    expect(client.closed).toBe(1001);
  });
});

describe('streaming door: who may not stay', () => {
  test('an upgrade is refused with the reason that a request would have', async () => {
    const { refusedStatus } = await open(behindTheDoor(), { refusal: 403 });
    expect(await refusedStatus('/v1/stream')).toBe(403);
  });

  test.each([
    ['/v1/track', 404],
    ['/v1/stream?session=a%20b', 400],
    ['/v1/stream?frame=0', 400],
    ['//', 404],
  ])('%s: %i', async (path, status) => {
    const { refusedStatus } = await open();
    expect(await refusedStatus(path)).toBe(status);
  });

  test('one address has half of the streams', async () => {
    const { connect, refusedStatus, door } = await open(behindTheDoor(), { clientsMax: 4 });
    await connect();
    await connect();
    expect(await refusedStatus('/v1/stream')).toBe(503);
    await connect('', { localAddress: '127.0.0.2' });
    expect(door.clients).toBe(3);
  });

  test('a frame larger than a request ends the connection, and nothing is taken', async () => {
    const { connect, log } = await open();
    const client = await connect();
    client.socket.send(Buffer.alloc(DEFAULT_EVENT_LIMITS.requestBytesMax + 1, 32));
    await until(() => client.closed > 0);
    expect(client.closed).toBe(1009);
    expect(allRecordsOf(log)).toEqual([]);
  });

  test('half a frame and silence: pinged, and cut off after a minute', async () => {
    const clock = new ManualClock(0);
    const { connect, door, taken, counters } = await open(behindTheDoor({ clock }));
    const silent = await connect('', { autoPong: false });
    const alive = await connect();
    let pings = 0;
    silent.socket.on('ping', () => pings++);
    let pongs = 0;
    alive.socket.on('ping', () => pongs++);
    const half = Buffer.from([0x82, 0xfe, 0xff, 0xff, 1, 2, 3, 4, 5]);
    const silentSocket = taken[0]!;
    const before = silentSocket.bytesRead;
    // Under the WebSocket, which would not send such bytes.
    (silent.socket as unknown as { _socket: Socket })._socket.write(half);
    await until(() => silentSocket.bytesRead >= before + half.length);
    for (let second = 1; second <= 60; second++) {
      clock.advanceTo(second * 1_000);
      if (second % 20 === 0 && second < 60) await until(() => pongs === second / 20);
      // The answer to the ping has come when the event loop has turned over both sockets.
      for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => setImmediate(resolve));
    }
    await until(() => door.clients === 1);
    expect(pings).toBe(2);
    expect(counters.turnedAwayByCode.get('ERR_STREAM_SILENT')).toBe(1);
    expect(alive.closed).toBe(0);
  });
});
