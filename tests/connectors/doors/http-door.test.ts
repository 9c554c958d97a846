import { gzipSync } from 'node:zlib';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { BodyRoom } from '../../../connectors/doors/http/body-room.ts';
import { registerHttpDoor } from '../../../connectors/doors/http/http-door.ts';
import { HttpFront } from '../../../connectors/doors/http/http-front.ts';
import { readRejected } from '../../../connectors/doors/rejected.ts';
import { DEFAULT_EVENT_LIMITS } from '../../../connectors/events/event-limits.ts';
import { RecordKind } from '../../../engine/envelope/records.ts';
import { allRecordsOf, behindTheDoor } from './door-stage.ts';

const servers: FastifyInstance[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function open(
  stage = behindTheDoor(),
  limits = DEFAULT_EVENT_LIMITS,
  room = new BodyRoom(stage),
) {
  const server = fastify();
  servers.push(server);
  await registerHttpDoor(
    server,
    new HttpFront({ ...stage, limits, room, newId: () => 'request-1' }),
  );
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(`${address}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: isRaw ? (body as string) : JSON.stringify(body),
    });
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      type: response.headers.get('content-type'),
      body: (await response.json()) as Record<string, unknown>,
    };
  };
  return { ...stage, post, room, address };
}

const track = { userId: 'u1', event: 'Charged', properties: { amount: 5 } };

describe('HTTP door', () => {
  test('a track call is durable when it is answered', async () => {
    const { post, log, counters } = await open();
    const authorization = `Basic ${Buffer.from('any-write-key:').toString('base64')}`;
    const answer = await post('/v1/track', track, { authorization });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ success: true, accepted: 1, rejected: [] });
    expect(allRecordsOf(log)).toMatchObject([
      { kind: RecordKind.track, userId: 'u1', name: 'Charged', properties: { amount: 5 } },
    ]);
    expect(counters.acceptedBy('http')).toBe(1);
  });

  test.each([
    ['/v1/identify', { userId: 'u1', traits: { plan: 'pro' } }, RecordKind.identify, ''],
    ['/v1/page', { userId: 'u1', name: 'Home' }, RecordKind.page, 'Page'],
    ['/v1/screen', { userId: 'u1', name: 'Cart' }, RecordKind.screen, 'Screen'],
    ['/v1/t', track, RecordKind.track, 'Charged'],
    ['/v1/group', { userId: 'u1', groupId: 'g1' }, RecordKind.group, ''],
    ['/v1/g', { anonymousId: 'a1', groupId: 'g1' }, RecordKind.group, ''],
  ])('%s says what the event is', async (path, body, kind, name) => {
    const { post, log } = await open();
    expect((await post(path, body)).status).toBe(200);
    expect(allRecordsOf(log)).toMatchObject([{ kind, name }]);
  });

  test('the bad ones of a batch are refused by index and spoil nothing', async () => {
    const { post, log, rejected } = await open();
    const batch = [{ ...track, type: 'track' }, { type: 'track' }, 7, { ...track, type: 'track' }];
    const answer = await post('/v1/batch', { batch });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      success: false,
      accepted: 2,
      rejected: [
        {
          index: 1,
          code: 'ERR_EVENT_USER',
          message: 'An event must have a userId or an anonymousId that is not empty, got neither.',
        },
        { index: 2, code: 'ERR_EVENT_SHAPE', message: 'An event must be an object, got 7.' },
      ],
    });
    expect(allRecordsOf(log).length).toBe(2);
    await rejected.idle();
    const kept = (await readRejected(log)).envelopes.flatMap(({ records }) => records);
    expect(kept.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual([
      JSON.stringify(batch[1]),
      '7',
    ]);
  });

  test('a request of which nothing is good is a bad request with the same body', async () => {
    const { post } = await open();
    const alias = await post('/v1/alias', { userId: 'u1' });
    expect(alias.status).toBe(400);
    expect(alias.body).toEqual({
      success: false,
      accepted: 0,
      rejected: [
        {
          index: 0,
          code: 'ERR_EVENT_ALIAS',
          message:
            'An alias must have a userId and a previousId that are not empty, got only one of them.',
        },
      ],
    });
    expect((await post('/v1/batch', { batch: [{}, {}] })).status).toBe(400);
    expect((await post('/v1/batch', { batch: [] })).body).toEqual({
      success: true,
      accepted: 0,
      rejected: [],
    });
  });

  test('what a batch says of users comes before their events', async () => {
    const { post, log } = await open();
    const step = (i: number) => ({ type: 'track', userId: 'u1', event: `e${i}` });
    await post('/v1/batch', {
      batch: [step(0), { type: 'identify', userId: 'u1', traits: {} }, step(1)],
    });
    expect(allRecordsOf(log).map(({ name }) => name)).toEqual(['', 'e0', 'e1']);
  });

  test('sentAt of the batch corrects the clock of the sender', async () => {
    const { post, log } = await open();
    const agoMs = 4_000;
    await post('/v1/batch', {
      sentAt: '2020-01-01T00:00:04.000Z',
      batch: [{ ...track, type: 'track', timestamp: '2020-01-01T00:00:00.000Z' }],
    });
    const [record] = allRecordsOf(log);
    expect(record!.eventAtMs).toBe(record!.receivedAtMs - agoMs);
  });

  test('gzip is inflated, and never to more than a request may have', async () => {
    const { post, log } = await open();
    const gzip = { 'content-encoding': 'gzip' };
    expect((await post('/v1/track', gzipSync(JSON.stringify(track)), gzip)).status).toBe(200);
    expect(allRecordsOf(log).length).toBe(1);
    const bomb = gzipSync(Buffer.alloc(DEFAULT_EVENT_LIMITS.requestBytesMax + 1, 0x20));
    const tooLarge = await post('/v1/track', bomb, gzip);
    expect([tooLarge.status, tooLarge.body.code]).toEqual([413, 'ERR_REQUEST_TOO_LARGE']);
    const noGzip = await post('/v1/track', '{}', gzip);
    expect([noGzip.status, noGzip.body.code]).toEqual([400, 'ERR_BODY_GZIP']);
    const brotli = await post('/v1/track', '{}', { 'content-encoding': 'br' });
    expect([brotli.status, brotli.body.code]).toEqual([415, 'ERR_BODY_ENCODING']);
  });

  test('each limit is named when a request exceeds it', async () => {
    const limits = { ...DEFAULT_EVENT_LIMITS, requestBytesMax: 1_000, requestEventsMax: 2 };
    const { post, counters } = await open(behindTheDoor(), limits);
    const large = await post('/v1/track', ' '.repeat(limits.requestBytesMax + 1));
    expect(large.status).toBe(413);
    expect(large.type).toMatch('application/problem+json');
    expect(large.body).toEqual({
      type: 'about:blank',
      title: 'Too large',
      status: 413,
      code: 'ERR_REQUEST_TOO_LARGE',
      detail: 'A request must have at most 1000 bytes (requestBytesMax), got more.',
    });
    const many = await post('/v1/batch', { batch: [1, 2, 3] });
    expect(many.status).toBe(413);
    expect(many.body.detail).toBe(
      'A request must have at most 2 events (requestEventsMax), got 3.',
    );
    expect(counters.turnedAwayByCode.get('ERR_REQUEST_TOO_LARGE')).toBe(1);
  });

  test('an event of a batch is measured as it came, white space too', async () => {
    const { post } = await open();
    const { eventBytesMax } = DEFAULT_EVENT_LIMITS;
    const small = JSON.stringify({ ...track, type: 'track' });
    const wide = small.replace('{', `{${' '.repeat(eventBytesMax)}`);
    const answer = await post('/v1/batch', `{"batch": [${small}, ${wide} , ${small}]}`);
    expect(answer.body).toEqual({
      success: false,
      accepted: 2,
      rejected: [
        {
          index: 1,
          code: 'ERR_EVENT_TOO_LARGE',
          message: `An event must have at most ${eventBytesMax} bytes, got ${wide.length}.`,
        },
      ],
    });
  });

  test('what is not JSON or no batch is refused as a whole', async () => {
    const { post } = await open();
    const broken = await post('/v1/track', '{"userId":');
    expect([broken.status, broken.body.detail]).toEqual([
      400,
      'A body must be JSON in UTF-8, got 10 bytes that are not.',
    ]);
    const latin1 = await post('/v1/track', Buffer.from('{"userId":"\u00e9"}', 'latin1'));
    expect([latin1.status, latin1.body.code]).toEqual([400, 'ERR_BODY_JSON']);
    const xml = await post('/v1/track', '<a/>', { 'content-type': 'application/xml' });
    expect([xml.status, xml.body.code]).toEqual([400, 'ERR_BODY_JSON']);
    const noBatch = await post('/v1/batch', { events: [] });
    expect([noBatch.status, noBatch.body.code]).toEqual([400, 'ERR_BATCH_SHAPE']);
    expect(
      (await post('/v1/track', '{"userId":"u1","event":"E"}', { 'content-type': 'text/plain' }))
        .status,
    ).toBe(200);
  });

  test('senders are asked to come again, while another door catches up', async () => {
    const stage = behindTheDoor();
    const { post } = await open(stage);
    const door = stage.intake.horizon.join(() => undefined);
    const answer = await post('/v1/track', track);
    expect([answer.status, answer.body.code, answer.retryAfter]).toEqual([
      503,
      'ERR_CATCHING_UP',
      '1',
    ]);
    door.isBehind = false;
    expect((await post('/v1/track', track)).status).toBe(200);
  });

  test('senders are asked to come again, while too much is on its way', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const stage = behindTheDoor({ inFlightBytesMax: 1, beforeStore: () => held });
    const { post } = await open(stage);
    const first = post('/v1/track', track);
    while (stage.intake.hasRoom) await new Promise<void>((resolve) => setImmediate(resolve));
    const second = await post('/v1/track', track);
    expect([second.status, second.body.code, second.retryAfter]).toEqual([
      429,
      'ERR_INTAKE_FULL',
      '1',
    ]);
    release();
    expect((await first).status).toBe(200);
  });

  test('senders are asked to come again, while the partitions are far behind', async () => {
    const stage = behindTheDoor({ unreadRecordsMax: 1 });
    const { post } = await open(stage);
    const events = [1, 2].map((n) => ({ ...track, type: 'track', messageId: `m${n}` }));
    expect((await post('/v1/batch', { batch: events })).status).toBe(200);
    const answer = await post('/v1/track', track);
    expect([answer.status, answer.body.code, answer.retryAfter]).toEqual([
      429,
      'ERR_INTAKE_FULL',
      '1',
    ]);
    stage.intake.processed(1);
    expect((await post('/v1/track', track)).status).toBe(200);
  });

  test('a log that fails is unavailable, and nothing is called a success', async () => {
    const stage = behindTheDoor({
      beforeStore: () => {
        throw new Error('the disk is full');
      },
    });
    const { post } = await open(stage);
    const answer = await post('/v1/track', track);
    expect([answer.status, answer.body.code, answer.retryAfter]).toEqual([
      503,
      'ERR_LOG_UNAVAILABLE',
      '1',
    ]);
  });
});
