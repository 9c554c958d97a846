/** The HTTP server and its door against raw bytes: what a hostile client sends, what it gets. */
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { ConnectionLimit } from '../../../app/serve/http/connection-limit.ts';
import { createHttpServer } from '../../../app/serve/http/http-server.ts';
import { BodyRoom } from '../../../connectors/doors/http/body-room.ts';
import { readBody } from '../../../connectors/doors/http/http-body.ts';
import { registerHttpDoor } from '../../../connectors/doors/http/http-door.ts';
import { HttpFront } from '../../../connectors/doors/http/http-front.ts';
import { WebSocketDoor } from '../../../connectors/doors/websocket/websocket-door.ts';
import { DEFAULT_EVENT_LIMITS } from '../../../connectors/events/event-limits.ts';
import { Metrics } from '../../../connectors/metrics/metrics.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';
import { openHouse } from '../../support/open-house.ts';
import { allRecordsOf, behindTheDoor, until } from './door-stage.ts';

const servers: FastifyInstance[] = [];
const sockets: Socket[] = [];
const { requestBytesMax } = DEFAULT_EVENT_LIMITS;
const EVENT = '{"type":"track","userId":"u","event":"e"}';
const FORM_TYPE = 'Content-Type: application/x-www-form-urlencoded\r\n';
const JSON_TYPE = 'Content-Type: application/json\r\n';

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) await server.close();
});

async function open() {
  const stage = behindTheDoor();
  const room = new BodyRoom(stage);
  const server = createHttpServer({
    notReady: () => [],
    metrics: new Metrics([], []),
    connections: new ConnectionLimit({ onFull: () => undefined }),
    ...openHouse((code) => stage.counters.turnedAway(code)),
  });
  servers.push(server);
  await registerHttpDoor(server, new HttpFront({ ...stage, room, newId: () => 'request-1' }));
  new WebSocketDoor(stage).attach(server.server, () => undefined);
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as AddressInfo;
  /** A connection that stays open, and what has come back on it. */
  const dial = () => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    const line = { socket, answer: '', isClosed: false };
    socket.on('data', (chunk: Buffer) => {
      line.answer += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      line.isClosed = true;
    });
    return line;
  };
  /** Sends all of it and reads until the server hangs up. */
  const send = async (...parts: readonly (string | Uint8Array)[]): Promise<string> => {
    const line = dial();
    for (const part of parts) line.socket.write(part);
    await until(() => line.isClosed);
    return line.answer;
  };
  return { ...stage, room, server, dial, send };
}

function head(more: string, path = '/v1/track', method = 'POST'): string {
  return `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}\r\n`;
}

function post(body: string | Uint8Array, path = '/v1/track', headers = JSON_TYPE): Buffer {
  const bytes = Buffer.from(body as string);
  return Buffer.concat([
    Buffer.from(head(`${headers}Content-Length: ${bytes.length}\r\n`, path)),
    bytes,
  ]);
}

function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? Number.NaN);
}

function codesIn(answer: string): string[] {
  return [...answer.matchAll(/"code":"([^"]+)"/g)].map(([, code]) => code!);
}

describe('HTTP door: bytes that lie about themselves', () => {
  const declared = (headers: string) => head(`${JSON_TYPE}${headers}`);
  test.each([
    ['two lengths', declared('Content-Length: 2\r\nContent-Length: 3\r\n') + EVENT],
    [
      'a length and chunks',
      `${declared('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n')}0\r\n\r\n`,
    ],
    ['a length below 0', declared('Content-Length: -1\r\n')],
    ['a length beyond all numbers', declared('Content-Length: 99999999999999999999\r\n')],
    ['chunks and more', declared('Transfer-Encoding: chunked, identity\r\n') + EVENT],
    ['a chunk that is none', `${declared('Transfer-Encoding: chunked\r\n')}-1\r\n`],
    [
      'a chunk beyond all numbers',
      `${declared('Transfer-Encoding: chunked\r\n')}${'f'.repeat(17)}\r\n`,
    ],
    [
      'a chunk with a long extension',
      `${declared('Transfer-Encoding: chunked\r\n')}2;${'a'.repeat(99_000)}\r\n{}`,
    ],
    ['a header that goes on in the next line', declared('X: a\r\n Content-Length: 2\r\n')],
    ['a header with a NUL', declared('X: \0\r\n')],
    ['a method of its own', head('', '/', 'BREW')],
    ['TLS', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
  ])('%s: 400, and nothing is taken', async (_what, bytes) => {
    const { send, log, counters } = await open();
    expect(statusOf(await send(bytes))).toBe(400);
    expect(counters.turnedAwayByCode.get('ERR_HTTP')).toBe(1);
    expect(allRecordsOf(log)).toEqual([]);
  });

  test('a flood of headers is refused before it is held', async () => {
    const { send } = await open();
    const flood = Array.from({ length: 4_000 }, (_, i) => `h${i}: ${i}\r\n`).join('');
    expect(statusOf(await send(head(flood)))).toBe(431);
  });

  test('a body shorter than said is nothing, and what was held for it is given back', async () => {
    const { dial, log, room } = await open();
    const line = dial();
    line.socket.write(`${head(`${JSON_TYPE}Content-Length: 400\r\n`)}${EVENT}`);
    await until(() => room.heldBytes > 0);
    expect(room.heldBytes).toBe(2 * EVENT.length);
    line.socket.destroy();
    await until(() => room.heldBytes === 0);
    expect(allRecordsOf(log)).toEqual([]);
  });

  test('what stands behind the length is another request, and not a good one', async () => {
    const { send, log } = await open();
    const alive = head(`${JSON_TYPE}Content-Length: ${EVENT.length}\r\n`).replace(
      'close',
      'keep-alive',
    );
    const answer = await send(`${alive}${EVENT}{"more":1}`);
    expect(answer).toContain('HTTP/1.1 400 ');
    await until(() => allRecordsOf(log).length === 1);
  });

  test('chunks of more than a request may have are refused, however small each is', async () => {
    const { dial, room } = await open();
    const line = dial();
    line.socket.write(head(`${JSON_TYPE}Transfer-Encoding: chunked\r\n`));
    line.socket.write('1\r\n \r\n'.repeat(requestBytesMax + 1));
    await until(() => line.answer.includes('\r\n\r\n'));
    expect(statusOf(line.answer)).toBe(413);
    expect(codesIn(line.answer)).toEqual(['ERR_REQUEST_TOO_LARGE']);
    await until(() => line.isClosed && room.heldBytes === 0);
  });

  test('a body is copied as it comes: chunks of one byte each are not held', async () => {
    const stream = new Readable({ read: () => undefined });
    const room = new BodyRoom({ clock: new ManualClock(0) });
    const held = room.open('a');
    const chunk = Buffer.alloc(1);
    const body = readBody(stream, Number.NaN, requestBytesMax, held);
    const count = 10_000;
    for (let i = 0; i < count; i++) {
      chunk[0] = i;
      stream.emit('data', chunk);
    }
    stream.emit('end');
    expect((await body).equals(Uint8Array.from({ length: count }, (_, i) => i))).toBe(true);
    expect(room.heldBytes).toBeLessThanOrEqual(2 * count);
  });

  test('a length of more than a request may have is refused before its body comes', async () => {
    const { send } = await open();
    const answer = await send(head(`${JSON_TYPE}Content-Length: ${requestBytesMax + 1}\r\n`));
    expect(codesIn(answer)).toEqual(['ERR_REQUEST_TOO_LARGE']);
  });
});

describe('HTTP door: slow and many', () => {
  test('a request that comes byte by byte is taken like any other', async () => {
    const { dial, log } = await open();
    const line = dial();
    line.socket.setNoDelay(true);
    for (const byte of post(EVENT)) line.socket.write(Uint8Array.of(byte));
    await until(() => line.isClosed);
    expect(statusOf(line.answer)).toBe(200);
    expect(allRecordsOf(log)).toHaveLength(1);
  });

  test('a head has less time than a request, and both have an end', async () => {
    const { server } = await open();
    const { headersTimeout, requestTimeout } = server.server;
    expect(headersTimeout).toBe(10_000);
    expect(requestTimeout).toBe(60_000);
  });

  test.each(['h2c', 'TLS/1.0', 'websocket2'])(
    'a client that would also speak %s is answered as if it had not said so',
    async (protocol) => {
      const { dial, log } = await open();
      const line = dial();
      const upgrade = `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: ${protocol}\r\n`;
      const more = `${upgrade}HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n`;
      const length = `Content-Length: ${EVENT.length}\r\n`;
      line.socket.write(`POST /v1/track HTTP/1.1\r\nHost: x\r\n${more}${length}\r\n${EVENT}`);
      await until(() => line.answer.includes('"accepted":1'));
      expect(allRecordsOf(log)).toHaveLength(1);
    },
  );

  test('requests in one packet are answered in their order', async () => {
    const { send, log } = await open();
    const alive = (user: string) =>
      post(EVENT.replace('"u"', `"${user}"`))
        .toString()
        .replace('close', 'keep-alive');
    const answer = await send(
      alive('a'),
      alive('b'),
      `${alive('c')}${head('', '/healthz', 'GET')}`,
    );
    expect(answer.match(/HTTP\/1\.1 200 /g)).toHaveLength(4);
    expect(answer.lastIndexOf('"status":"ok"')).toBeGreaterThan(answer.lastIndexOf('"accepted":1'));
    expect(
      allRecordsOf(log)
        .map(({ userId }) => userId)
        .sort(),
    ).toEqual(['a', 'b', 'c']);
  });
});

describe('HTTP door: gzip', () => {
  const packed = (bytes: Uint8Array) =>
    post(bytes, '/v1/batch', `${JSON_TYPE}Content-Encoding: gzip\r\n`);
  const batch = `{"batch":[${EVENT}]}`;

  test('a bomb is not inflated beyond what a request may have', async () => {
    const { send } = await open();
    const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20), { level: 9 });
    expect(bomb.length).toBeLessThan(requestBytesMax);
    expect(codesIn(await send(packed(bomb)))).toEqual(['ERR_REQUEST_TOO_LARGE']);
  });

  test.each([
    ['plain JSON', Buffer.from(batch)],
    ['half a file', gzipSync(batch).subarray(0, 20)],
    ['rubbish behind it', Buffer.concat([gzipSync(batch), Buffer.from('rubbish')])],
  ])('%s is refused as no gzip', async (_what, bytes) => {
    const { send, log } = await open();
    expect(codesIn(await send(packed(bytes)))).toEqual(['ERR_BODY_GZIP']);
    expect(allRecordsOf(log)).toEqual([]);
  });

  test('gzip in gzip is opened once, and is no JSON then', async () => {
    const { send } = await open();
    expect(codesIn(await send(packed(gzipSync(gzipSync(batch)))))).toEqual(['ERR_BODY_JSON']);
  });
});

describe('HTTP door: JSON', () => {
  const withProperties = (properties: string) => EVENT.replace('}', `,"properties":${properties}}`);
  const LONE_BYTES = '{"a":"\xed\xa0\xbd!"}';
  const CESU_PAIR = withProperties('{"a":"\xed\xa0\xbd\xed\xb8\x80"}');
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  test.each([
    ['two byte order marks', `\ufeff\ufeff${EVENT}`, 'ERR_BODY_JSON'],
    ['NaN', withProperties('{"a":NaN}'), 'ERR_BODY_JSON'],
    ['Infinity', withProperties('{"a":-Infinity}'), 'ERR_BODY_JSON'],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'ERR_BODY_JSON'],
    ['nesting without an end', '['.repeat(200_000), 'ERR_BODY_JSON'],
    ['1e400', withProperties('{"a":1e400}'), 'ERR_EVENT_VALUE'],
    ['surrogates in pairs of CESU-8', Buffer.from(CESU_PAIR, 'latin1'), 'ERR_BODY_JSON'],
    ['a user of 1e400', EVENT.replace('"u"', '1e400'), 'ERR_EVENT_USER'],
    ['a user in __proto__', '{"__proto__":{"userId":"u","event":"e"}}', 'ERR_EVENT_USER'],
    [
      '__proto__ inside a property',
      withProperties('{"a":{"__proto__":{"x":1}}}'),
      'ERR_EVENT_PROPERTIES',
    ],
    ['nesting that ends', withProperties(`{"a":${nested(10_000)}}`), 'ERR_EVENT_TOO_DEEP'],
    ['no batch but a prototype', '{"__proto__":{"batch":[]}}', 'ERR_BATCH_SHAPE'],
    ['a batch that only looks like a list', '{"batch":{"length":5}}', 'ERR_BATCH_SHAPE'],
  ])('%s: %3$s, and nothing is taken', async (_what, body, code) => {
    const { send, log } = await open();
    const path = code === 'ERR_BATCH_SHAPE' ? '/v1/batch' : '/v1/track';
    const answer = await send(post(body, path));
    expect(statusOf(answer)).toBe(400);
    expect(codesIn(answer)).toEqual([code]);
    expect(allRecordsOf(log)).toEqual([]);
  });

  test.each([
    ['a byte order mark', `\ufeff${EVENT}`, {}],
    ['-0', withProperties('{"a":-0}'), { a: 0 }],
    [
      '2^53 + 1 as a property',
      withProperties('{"a":9007199254740993}'),
      { a: 9_007_199_254_740_993n },
    ],
    ['2^64 as a property', withProperties(`{"a":${2n ** 64n}}`), { a: String(2n ** 64n) }],
    ['a lone surrogate', withProperties('{"a":"\\ud800"}'), { a: '\ufffd' }],
    ['a name with one', withProperties('{"a\\udc00":1}'), { 'a\ufffd': 1 }],
    ['one in bytes', Buffer.from(withProperties(LONE_BYTES), 'latin1'), { a: '\ufffd!' }],
    ['an empty map of PHP', withProperties('[]'), {}],
    ['a key that comes twice', withProperties('{"a":1,"a":2}'), { a: 2 }],
    [
      'constructor and toJSON',
      withProperties('{"constructor":{"prototype":1},"toJSON":2}'),
      { constructor: { prototype: 1 }, toJSON: 2 },
    ],
  ])('%s is taken as JSON has it', async (_what, body, properties) => {
    const { send, log } = await open();
    expect(statusOf(await send(post(body)))).toBe(200);
    expect(allRecordsOf(log)).toMatchObject([{ userId: 'u', properties }]);
  });

  test('__proto__ is the name of a property, and of nothing else', async () => {
    const { send, log } = await open();
    expect(statusOf(await send(post(withProperties('{"__proto__":{"polluted":1}}'))))).toBe(200);
    const [record] = allRecordsOf(log);
    expect(Object.keys(record!.properties)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(record!.properties)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('of two batches in a request the last one counts, with the bytes of its events', async () => {
    const { send, log, rejected } = await open();
    const body = `\ufeff{"batch":[${EVENT},${EVENT}],"b\\u0061tch":[{"type":"track"}, ${EVENT}]}`;
    const answer = await send(post(body, '/v1/batch'));
    expect(answer).toContain('"accepted":1,"rejected":[{"index":0,"code":"ERR_EVENT_USER"');
    await rejected.idle();
    expect(allRecordsOf(log)).toHaveLength(1);
  });
});

describe('HTTP door: addresses, methods, kinds', () => {
  test.each([
    ...['//v1/track', '/v1/../v1/track', '/v1/./track', '/v1/track/', '/v1/track;a=1', '/V1/TRACK'],
    ...['/v1/track%00', '/v1/tr%2Fack', '/v1/%zz', '/v1/%ff', '*', '/v1/__proto__', '/constructor'],
  ])('%s is no address', async (path) => {
    const { send, log } = await open();
    const answer = await send(post(EVENT, path));
    expect(statusOf(answer)).toBe(404);
    expect(codesIn(answer)).toEqual(['ERR_NOT_FOUND']);
    expect(allRecordsOf(log)).toEqual([]);
  });

  test.each(['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND'])(
    '%s takes nothing',
    async (method) => {
      const { send, log } = await open();
      const length = `${JSON_TYPE}Content-Length: ${EVENT.length}\r\n`;
      const answer = await send(`${head(length, '/v1/track', method)}${EVENT}`);
      expect(codesIn(answer)).toEqual(['ERR_NOT_FOUND']);
      expect(allRecordsOf(log)).toEqual([]);
    },
  );

  test('a body sent to no address is neither read nor judged', async () => {
    const { send } = await open();
    expect(codesIn(await send(post('{bad', '/nothing')))).toEqual(['ERR_NOT_FOUND']);
    const unsent = head(`${JSON_TYPE}Content-Length: 1000000000\r\n`, '/nothing');
    expect(codesIn(await send(unsent))).toEqual(['ERR_NOT_FOUND']);
  });

  test.each([
    ['no kind', ''],
    ['an empty one', 'Content-Type: \r\n'],
    ['the one of curl and of form-encoding SDKs', FORM_TYPE],
    ['a form with parts', 'Content-Type: multipart/form-data; boundary=x\r\n'],
    ['bytes', 'Content-Type: application/octet-stream\r\n'],
    ['lines', 'Content-Type: application/x-ndjson\r\n'],
    ['JSON of a kind', 'Content-Type: application/vnd.shop+json; charset=utf-8\r\n'],
    ['another charset', 'Content-Type: application/json; charset=utf-16\r\n'],
    ['two in one', 'Content-Type: application/json, text/html\r\n'],
    ['a prototype', 'Content-Type: __proto__\r\n'],
  ])('a body is JSON whatever its type says: %s', async (_what, headers) => {
    const { send, log } = await open();
    expect(statusOf(await send(post(EVENT, '/v1/track', headers)))).toBe(200);
    const packed = `${headers}Content-Encoding: gzip\r\n`;
    expect(statusOf(await send(post(gzipSync(EVENT), '/v1/track', packed)))).toBe(200);
    expect(allRecordsOf(log)).toHaveLength(2);
  });

  test('gzip that only its first bytes tell is inflated too', async () => {
    const { send, log } = await open();
    const type = 'Content-Type: application/gzip\r\n';
    expect(statusOf(await send(post(gzipSync(EVENT), '/v1/track', type)))).toBe(200);
    expect(allRecordsOf(log)).toHaveLength(1);
  });

  test.each(['gzip, gzip', 'deflate', 'br', '__proto__'])(
    'encoding %s is refused',
    async (name) => {
      const { send } = await open();
      const headers = `${JSON_TYPE}Content-Encoding: ${name}\r\n`;
      expect(codesIn(await send(post(EVENT, '/v1/track', headers)))).toEqual(['ERR_BODY_ENCODING']);
    },
  );
});
