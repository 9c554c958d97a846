/** CleverTap's upload: the same events as by any other door, and answers with CleverTap's codes. */
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { registerCleverTapDoor } from '../../../connectors/doors/clevertap/clevertap-door.ts';
import { eventOfRecord } from '../../../connectors/doors/clevertap/clevertap-records.ts';
import { HttpFront } from '../../../connectors/doors/http/http-front.ts';
import { DEFAULT_EVENT_LIMITS } from '../../../connectors/events/event-limits.ts';
import { RecordKind } from '../../../engine/envelope/records.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';
import { allRecordsOf, behindTheDoor } from './door-stage.ts';

const NOW_MS = Date.parse('2026-03-01T12:00:00Z');
const TS = NOW_MS / 1_000 - 60;
const servers: FastifyInstance[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function open() {
  const stage = behindTheDoor({ clock: new ManualClock(NOW_MS) });
  const server = fastify();
  servers.push(server);
  await registerCleverTapDoor(server, new HttpFront({ ...stage, newId: () => 'request-1' }));
  const upload = async (body: unknown, query = '') => {
    const response = await server.inject({
      method: 'POST',
      url: `/1/upload${query}`,
      headers: {
        'content-type': 'application/json',
        'x-clevertap-account-id': 'TEST-ACCOUNT',
        'x-clevertap-passcode': 'TEST-PASSCODE',
      },
      payload: typeof body === 'string' ? body : JSON.stringify(body),
    });
    const { statusCode: status, body: text } = response;
    return { status, text, body: response.json<Record<string, unknown>>() };
  };
  return { ...stage, upload };
}

const charged = {
  type: 'event',
  identity: 'u1',
  ts: TS,
  evtName: 'Charged',
  evtData: { Amount: 300, 'Payment date': '$D_1476847305', Items: [{ Category: 'books' }] },
};
const profile = {
  type: 'profile',
  identity: 'u1',
  profileData: {
    Name: 'Jack',
    Email: 'jack@shop.example',
    DOB: '$D_0',
    Gender: 'M',
    Phone: '+14155551234',
  },
};

describe('CleverTap door', () => {
  test('events and profiles become what other doors would have brought', async () => {
    const { upload, log, counters } = await open();
    const answer = await upload({ d: [charged, profile] });
    expect(answer).toMatchObject({
      status: 200,
      body: { status: 'success', processed: 2, unprocessed: [] },
    });
    expect(allRecordsOf(log).filter(({ userId }) => userId === 'u1')).toMatchObject([
      {
        kind: RecordKind.identify,
        properties: {
          email: 'jack@shop.example',
          Name: 'Jack',
          DOB: '1970-01-01T00:00:00.000Z',
        },
      },
      {
        kind: RecordKind.track,
        name: 'Charged',
        eventAtMs: TS * 1_000,
        properties: {
          Amount: 300,
          'Payment date': new Date(1_476_847_305_000).toISOString(),
          Items: [{ Category: 'books' }],
        },
      },
    ]);
    expect(counters.acceptedBy('http')).toBe(2);
  });

  test('a profile with both ids joins them, as an identify does', () => {
    expect(eventOfRecord({ ...profile, objectId: 'device-1' })).toMatchObject({
      type: 'identify',
      userId: 'u1',
      anonymousId: 'device-1',
    });
  });

  test('an objectId alone is an anonymous user, a token is an attribute', async () => {
    const { upload, log } = await open();
    const token = {
      type: 'token',
      objectId: 'device-2',
      tokenData: { id: 'fcm-token', type: 'fcm' },
    };
    expect((await upload({ d: [token] })).body.status).toBe('success');
    expect(allRecordsOf(log)).toMatchObject([
      {
        kind: RecordKind.identify,
        userId: 'device-2',
        properties: { pushToken: 'fcm-token' },
      },
    ]);
  });

  test.each<readonly [number, object]>([
    [509, { ...charged, evtName: '' }],
    [512, { ...charged, evtData: { deep: [[[[[[[[1]]]]]]]] } }],
    [512, { ...profile, profileData: { tags: { $add: ['a'] } } }],
    [513, { ...charged, evtName: 'App Launched' }],
    [514, { ...profile, profileData: { Gender: 'x' } }],
    [515, { ...profile, profileData: { Email: 'nobody' } }],
    [516, { ...profile, profileData: { Phone: '4155551234' } }],
    [
      522,
      { ...charged, evtData: Object.fromEntries(Array.from({ length: 257 }, (_, i) => [i, 1])) },
    ],
    [523, { ...charged, identity: undefined }],
    [524, { ...charged, type: 'charge' }],
    [525, { ...charged, ts: NOW_MS }],
    [525, { ...charged, ts: 'yesterday' }],
    [526, { ...charged, identity: undefined, objectId: {} }],
    [555, { ...charged, evtData: { text: 'x'.repeat(DEFAULT_EVENT_LIMITS.eventBytesMax) } }],
  ])(
    'code %i: the record is refused by number and comes back, its neighbours go in',
    async (code, bad) => {
      const { upload, log, rejected } = await open();
      const answer = await upload({ d: [charged, bad, { ...charged, identity: 'u2' }] });
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({
        status: 'partial',
        processed: 2,
        unprocessed: [
          { status: 'fail', code, error: expect.stringMatching(/Skipped record number : 2$/) },
        ],
      });
      const [{ record }] = answer.body.unprocessed as [{ record: unknown }];
      expect(record).toEqual(JSON.parse(JSON.stringify(bad)));
      await rejected.idle();
      expect(allRecordsOf(log)).toHaveLength(2);
    },
  );

  test('a record that comes back keeps every digit, and one too deep to write is left out', async () => {
    const { upload } = await open();
    const deep = `{"type":"event","evtName":"E","evtData":${'['.repeat(5_000)}${']'.repeat(5_000)}}`;
    const large = '{"type":"event","evtName":"E","evtData":{"n":7615917337495251231}}';
    const { body, text } = await upload(`{"d":[${deep},${large}]}`);
    expect(text).toContain('{"n":7615917337495251231}');
    expect(body).toMatchObject({ status: 'fail', processed: 0 });
    expect((body.unprocessed as { record: unknown }[])[0]!.record).toBeNull();
  });

  test('a dry run says the same and takes nothing', async () => {
    const { upload, log, counters, rejected } = await open();
    const bad = { ...charged, evtName: '' };
    const answer = await upload({ d: [charged, bad] }, '?dryRun=1');
    expect(answer.body).toMatchObject({
      status: 'partial',
      processed: 1,
      unprocessed: [{ code: 509 }],
    });
    expect(allRecordsOf(log)).toEqual([]);
    expect([counters.acceptedBy('http'), rejected.countsOf('http').size]).toEqual([0, 0]);
  });

  test.each([
    ['no JSON', '{"d":'],
    ['no d', { records: [] }],
    [
      'one record too many',
      { d: Array.from({ length: DEFAULT_EVENT_LIMITS.uploadRecordsMax + 1 }, () => charged) },
    ],
  ])('%s: the whole call fails in CleverTap’s form', async (_what, body) => {
    const { upload, log } = await open();
    const answer = await upload(body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ status: 'fail', code: 512, processed: 0, unprocessed: [] });
    expect(allRecordsOf(log)).toEqual([]);
  });
});
