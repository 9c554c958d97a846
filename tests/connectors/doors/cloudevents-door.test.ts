/** CloudEvents 1.0 in its three modes: the same events, whichever it was. */
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { registerCloudEventsDoor } from '../../../connectors/doors/cloudevents/cloudevents-door.ts';
import { HttpFront } from '../../../connectors/doors/http/http-front.ts';
import { RecordKind } from '../../../engine/envelope/records.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';
import { allRecordsOf, behindTheDoor } from './door-stage.ts';

const NOW_MS = Date.parse('2026-03-01T12:00:00Z');
const servers: FastifyInstance[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function open() {
  const stage = behindTheDoor({ clock: new ManualClock(NOW_MS) });
  const server = fastify();
  servers.push(server);
  await registerCloudEventsDoor(server, new HttpFront({ ...stage, newId: () => 'request-1' }));
  const post = async (headers: Record<string, string>, payload: unknown) => {
    const response = await server.inject({
      method: 'POST',
      url: '/v1/cloudevents',
      headers,
      payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
    });
    return { status: response.statusCode, body: response.json<Record<string, unknown>>() };
  };
  return { ...stage, post };
}

const event = {
  specversion: '1.0',
  id: 'm1',
  source: '/shop',
  type: 'Added To Cart',
  subject: 'Zoë',
  time: '2026-03-01T11:59:00Z',
  data: { cart_id: 'c1', price: 49.9 },
};
const binary = {
  'content-type': 'application/json',
  'ce-specversion': '1.0',
  'ce-id': 'm1',
  'ce-source': '/shop',
  'ce-type': 'Added To Cart',
  'ce-subject': 'Zo%C3%AB',
  'ce-time': '2026-03-01T11:59:00Z',
};
const STRUCTURED = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
const BATCHED = { 'content-type': 'application/cloudevents-batch+json' };

describe('CloudEvents door', () => {
  test.each<readonly [string, Record<string, string>, unknown]>([
    ['structured', STRUCTURED, event],
    ['batched', BATCHED, [event]],
    ['binary', binary, event.data],
  ])('%s mode brings the event', async (_mode, headers, payload) => {
    const { post, log } = await open();
    expect(await post(headers, payload)).toEqual({
      status: 200,
      body: { success: true, accepted: 1, rejected: [] },
    });
    expect(allRecordsOf(log)).toMatchObject([
      {
        kind: RecordKind.track,
        userId: event.subject,
        name: event.type,
        eventAtMs: Date.parse(event.time),
        properties: event.data,
      },
    ]);
  });

  test('no data are no properties, and anonymousid names who has no subject', async () => {
    const { post, log } = await open();
    const { data, subject, ...rest } = event;
    await post(STRUCTURED, { ...rest, anonymousid: 'a1' });
    expect(allRecordsOf(log)).toMatchObject([{ userId: 'a1', properties: {} }]);
  });

  test.each<readonly [string, object, string]>([
    ['no id', { ...event, id: undefined }, 'ERR_CLOUDEVENT'],
    ['an empty type', { ...event, type: '' }, 'ERR_CLOUDEVENT'],
    ['no source', { ...event, source: undefined }, 'ERR_CLOUDEVENT'],
    ['another version', { ...event, specversion: '0.3' }, 'ERR_CLOUDEVENT'],
    ['binary data', { ...event, data: undefined, data_base64: 'AAAA' }, 'ERR_CLOUDEVENT'],
    ['data that is a text', { ...event, data: 'text' }, 'ERR_EVENT_PROPERTIES'],
    ['no user', { ...event, subject: undefined }, 'ERR_EVENT_USER'],
  ])('%s: refused by its index, and its neighbours go in', async (_what, bad, code) => {
    const { post, log, rejected } = await open();
    const answer = await post(BATCHED, [event, bad, { ...event, id: 'm2' }]);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      success: false,
      accepted: 2,
      rejected: [{ index: 1, code }],
    });
    await rejected.idle();
    expect(allRecordsOf(log)).toHaveLength(2);
  });

  test.each<readonly [string, Record<string, string>, unknown, string]>([
    ['no mode', { 'content-type': 'application/json' }, event, 'ERR_CLOUDEVENT'],
    ['a batch that is none', BATCHED, event, 'ERR_BATCH_SHAPE'],
    ['binary data that is no JSON', binary, '<a/>', 'ERR_BODY_JSON'],
    ['a header that is no UTF-8', { ...binary, 'ce-subject': '%ff' }, {}, 'ERR_CLOUDEVENT'],
  ])('%s: the request is refused', async (_what, headers, payload, code) => {
    const { post, log } = await open();
    const answer = await post(headers, payload);
    expect(answer.status).toBe(400);
    expect(JSON.stringify(answer.body)).toContain(code);
    expect(allRecordsOf(log)).toEqual([]);
  });
});
