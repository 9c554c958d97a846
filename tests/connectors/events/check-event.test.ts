import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checkEvent,
  type EventContext,
  emptyEvent,
} from '../../../connectors/events/check-event.ts';
import {
  AHEAD_HISTORY_MS,
  BEHIND_HISTORY_MS,
  DEFAULT_EVENT_LIMITS,
  IDS_OF_NOBODY,
  MESSAGE_ID_CHARS_MAX,
  USER_ID_CHARS_MAX,
} from '../../../connectors/events/event-limits.ts';
import { noRepairs } from '../../../connectors/events/repairs.ts';
import { EnvelopeReader } from '../../../engine/envelope/envelope-reader.ts';
import { EnvelopeWriter } from '../../../engine/envelope/envelope-writer.ts';
import { AHEAD_CLAMP_MS, RecordFlag, RecordKind } from '../../../engine/envelope/records.ts';
import { parseJson } from '../../../engine/json/parse-json.ts';
import { WHOLE_MAX, WHOLE_MIN } from '../../../engine/json/whole-numbers.ts';
import { writeJson } from '../../../engine/json/write-json.ts';

const RECEIVED_AT_MS = Date.parse('2026-03-01T12:00:00.000Z');
const limits = { ...DEFAULT_EVENT_LIMITS, propertiesMax: 5 };

function check(raw: unknown, overrides: Partial<EventContext> = {}) {
  const event = emptyEvent();
  const context: EventContext = {
    limits,
    receivedAtMs: RECEIVED_AT_MS,
    byteLength: 0,
    type: undefined,
    sentAt: undefined,
    index: 0,
    repairs: noRepairs(),
    messageIdOf: (index) => `door:${index}`,
    ...overrides,
  };
  return { refused: checkEvent(raw, context, event), event, repairs: context.repairs };
}

function accepted(raw: unknown, overrides: Partial<EventContext> = {}) {
  const { refused, event } = check(raw, overrides);
  expect(refused).toBeUndefined();
  return event;
}

const track = { type: 'track', userId: 'u1', event: 'Charged' };
const at = (offsetMs: number) => new Date(RECEIVED_AT_MS + offsetMs).toISOString();
const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) });

describe('event check: what is taken', () => {
  test('a track event', () => {
    const properties = { amount: 5, tags: ['a'], deep: { a: null } };
    const event = accepted({ ...track, properties, messageId: 'm1', timestamp: at(-1_000) });
    expect(event).toEqual({
      kind: RecordKind.track,
      userId: 'u1',
      isAnonymous: false,
      name: 'Charged',
      eventAtMs: RECEIVED_AT_MS - 1_000,
      flags: 0,
      messageId: 'm1',
      properties,
      joins: [],
    });
  });

  test.each([
    ['userId wins over anonymousId', { userId: 'u', anonymousId: 'a' }, 'u', false],
    ['anonymousId alone names an anonymous user', { anonymousId: 'a' }, 'a', true],
    ['an empty userId is none', { userId: '', anonymousId: 'a' }, 'a', true],
    ['a null userId is none', { userId: null, anonymousId: 7 }, '7', true],
    ['a number is its text', { userId: 42 }, '42', false],
    ['a large integer of msgpack is its text', { userId: 2n ** 63n }, '9223372036854775808', false],
  ])('user: %s', (_what, ids, userId, isAnonymous) => {
    expect(accepted({ type: 'track', event: 'E', ...ids })).toMatchObject({ userId, isAnonymous });
  });

  test('the address says the type, whatever the event says', () => {
    expect(accepted({ ...track, type: 'identify' }, { type: 'track' }).kind).toBe(RecordKind.track);
  });

  test('an identify brings its traits, or those of its context', () => {
    const identify = { type: 'identify', userId: 'u1', anonymousId: 'a1' };
    expect(
      accepted({ ...identify, traits: { a: 1 }, context: { traits: { b: 1 } } }),
    ).toMatchObject({
      kind: RecordKind.identify,
      userId: 'u1',
      name: '',
      properties: { a: 1 },
    });
    expect(accepted({ ...identify, context: { traits: { b: 1 } } }).properties).toMatchObject({
      b: 1,
    });
    expect(accepted(identify).properties).toEqual({ anonymousId: identify.anonymousId });
  });

  test('pages and screens are events Page and Screen, with their names as properties', () => {
    const page = accepted({ type: 'page', userId: 'u', name: 'Home', category: 'Docs' });
    expect([page.name, page.properties]).toEqual(['Page', { name: 'Home', category: 'Docs' }]);
    const own = { name: 'own', __proto__: null };
    const screen = accepted({ type: 'screen', userId: 'u', name: 'Cart', properties: own });
    expect([screen.name, screen.properties.name]).toEqual(['Screen', 'own']);
  });

  test('a group call has no name, so that no rule hears of it, and keeps which group it was', () => {
    const group = { type: 'group', userId: 'u', groupId: 'g7', traits: { plan: 'pro' } };
    const event = accepted(group);
    expect([event.kind, event.name]).toEqual([RecordKind.group, '']);
    expect(event.properties).toEqual({ plan: 'pro', groupId: 'g7' });
    expect(accepted({ ...group, traits: { groupId: 'own' } }).properties).toEqual({
      groupId: 'own',
    });
    expect(accepted({ type: 'group', userId: 'u', groupId: 7 }).properties).toEqual({
      groupId: 7,
    });
  });

  test('an event without a messageId is named by the door', () => {
    expect(accepted({ ...track, messageId: null }, { index: 3 }).messageId).toBe('door:3');
  });

  test('instants of msgpack become ISO texts', () => {
    const instant = new Date(RECEIVED_AT_MS);
    const event = accepted({
      ...track,
      timestamp: instant,
      properties: { a: instant, b: [instant] },
    });
    expect(event.eventAtMs).toBe(RECEIVED_AT_MS);
    expect(event.properties).toEqual({ a: at(0), b: [at(0)] });
  });

  test('__proto__, constructor and prototype are data and pollute nothing', () => {
    const raw = JSON.parse(
      '{"type":"track","userId":"u","event":"E","__proto__":{"x":1},' +
        '"properties":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toJSON":1}}',
    ) as unknown;
    const { properties } = accepted(raw);
    expect(Object.keys(properties)).toEqual(['__proto__', 'constructor', 'toJSON']);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('empty properties, traits and contexts of PHP are empty', () => {
    expect(accepted({ ...track, properties: [] }).properties).toEqual({});
    expect(accepted({ ...track, context: [] }).properties).toEqual({});
    const identify = { type: 'identify', userId: 'u' };
    expect(accepted({ ...identify, traits: [] }).properties).toEqual({});
    expect(accepted({ ...identify, context: { traits: [] } }).properties).toEqual({});
    const page = { type: 'page', userId: 'u', name: 'Home', properties: [] };
    expect(accepted(page).properties).toEqual({ name: 'Home' });
    expect(accepted({ type: 'screen', userId: 'u', properties: [] }).properties).toEqual({});
  });

  test('a large whole number has one form, whichever it came in', () => {
    const { properties } = accepted({
      ...track,
      properties: { a: 1e18, b: [10n ** 18n, -1e18], c: { d: 2n ** 64n }, e: 7n, f: 1e20 },
    });
    const whole = 10n ** 18n;
    const text = String(2n ** 64n);
    expect(properties).toEqual({ a: whole, b: [whole, -whole], c: { d: text }, e: 7, f: 1e20 });
  });

  test('nesting up to the limit is taken, the properties themselves being the first', () => {
    accepted({ ...track, properties: nested(limits.nestingMax) });
  });
});

describe('event check: ids that stand for nobody', () => {
  const ids = [...IDS_OF_NOBODY].filter((id) => id !== '').concat('  ', 'NaN', ' Undefined ');
  test.each(ids)('%j joins nobody', (id) => {
    const joins = [
      ['anonymousId', { type: 'identify', userId: 'u', anonymousId: id }],
      ['userId', { type: 'identify', userId: id, anonymousId: 'a' }],
      ['previousId', { type: 'alias', userId: 'u', previousId: id }],
      ['userId', { type: 'alias', userId: id, previousId: 'v' }],
      ['anonymousId', { type: 'alias', userId: 'u', anonymousId: id }],
    ] as const;
    for (const [field, raw] of joins) {
      const message =
        `${field} must name one user to be joined, got ${JSON.stringify(id)}, ` +
        'which stands for nobody.';
      expect(check(raw).refused).toMatchObject({ code: 'ERR_EVENT_NOBODY', message });
    }
  });

  test('a number that is written like one is one', () => {
    const { refused } = check({ type: 'alias', userId: 'u', previousId: 0 });
    expect(refused?.code).toBe('ERR_EVENT_NOBODY');
  });

  test('what joins nobody anyway is taken', () => {
    expect(accepted({ ...track, userId: 'guest' }).userId).toBe('guest');
    expect(accepted({ type: 'identify', anonymousId: 'null' }).joins).toEqual([]);
    const similar = { type: 'identify', userId: 'undefined-7', anonymousId: 'guest2' };
    expect(accepted(similar).joins).toHaveLength(1);
  });
});

describe('event check: event time', () => {
  test.each([
    ['absent, it is the time of receipt', {}, 0, 0],
    ['alone, timestamp is taken as it is', { timestamp: at(-5_000) }, -5_000, 0],
    ['other zones count', { timestamp: '2026-03-01T14:00:00+02:00' }, 0, 0],
    [
      'sentAt and timestamp: what lay between them is what it lies back',
      { timestamp: '2020-01-01T00:00:00Z', sentAt: '2020-01-01T00:00:07Z' },
      -7_000,
      0,
    ],
    [
      'sentAt and originalTimestamp: timestamp does not count',
      { timestamp: at(-1), originalTimestamp: at(-9_000), sentAt: at(-8_000) },
      -1_000,
      0,
    ],
    [
      'without sentAt, originalTimestamp serves when it is alone',
      { originalTimestamp: at(-3) },
      -3,
      0,
    ],
    ['a null sentAt is none', { timestamp: at(-5), sentAt: null }, -5, 0],
    ['5 min ahead is believed', { timestamp: at(AHEAD_CLAMP_MS) }, AHEAD_CLAMP_MS, 0],
    ['more is the time of receipt', { timestamp: at(AHEAD_CLAMP_MS + 1) }, 0, RecordFlag.clamped],
    ['up to 24 h ahead', { timestamp: at(AHEAD_HISTORY_MS) }, 0, RecordFlag.clamped],
    [
      'more than 24 h ahead is history only',
      { timestamp: at(AHEAD_HISTORY_MS + 1) },
      AHEAD_HISTORY_MS + 1,
      RecordFlag.historyOnly,
    ],
    ['72 h old triggers', { timestamp: at(-BEHIND_HISTORY_MS) }, -BEHIND_HISTORY_MS, 0],
    [
      'older is history only',
      { timestamp: at(-BEHIND_HISTORY_MS - 1) },
      -BEHIND_HISTORY_MS - 1,
      RecordFlag.historyOnly,
    ],
  ])('%s', (_what, times, offsetMs, flags) => {
    const event = accepted({ ...track, ...times });
    expect([event.eventAtMs - RECEIVED_AT_MS, event.flags]).toEqual([offsetMs, flags]);
  });

  test.each([
    ['its own', { sentAt: 7 }, undefined],
    ['an empty one', { sentAt: '' }, undefined],
    ['that of the batch', {}, '2026-01-05 9:00:00 AM'],
  ])('a sentAt that cannot be read corrects nothing and is counted: %s', (_what, own, sentAt) => {
    const raw = { ...track, timestamp: at(-4_000), ...own };
    const { refused, event, repairs } = check(raw, { sentAt });
    expect(refused).toBeUndefined();
    expect(event.eventAtMs).toBe(RECEIVED_AT_MS - 4_000);
    expect(repairs.sentAtIgnored).toBe(1);
    const other = check({ ...track, ...own }, { sentAt });
    expect([other.event.eventAtMs, other.repairs.sentAtIgnored]).toEqual([RECEIVED_AT_MS, 1]);
  });

  test('sentAt of the batch serves events that have none', () => {
    const event = accepted({ ...track, timestamp: at(-4_000) }, { sentAt: at(-1_000) });
    expect(event.eventAtMs).toBe(RECEIVED_AT_MS - 3_000);
  });
});

describe('event check: what is refused', () => {
  const long = 'x'.repeat(1_000);
  test.each<readonly [string, string, unknown]>([
    ['ERR_EVENT_SHAPE', 'An event must be an object, got an array.', []],
    ['ERR_EVENT_SHAPE', 'An event must be an object, got null.', null],
    ['ERR_EVENT_SHAPE', 'An event must be an object, got "a".', 'a'],
    [
      'ERR_EVENT_TYPE',
      'type must be track, identify, page, screen, alias or group, got nothing.',
      {},
    ],
    [
      'ERR_EVENT_TYPE',
      'type must be track, identify, page, screen, alias or group, got "charge".',
      { ...track, type: 'charge' },
    ],
    [
      'ERR_EVENT_ALIAS',
      'An alias must have a userId and a previousId that are not empty, got only one of them.',
      { type: 'alias', userId: 'u' },
    ],
    [
      'ERR_EVENT_ALIAS',
      'An alias must have a userId and a previousId that are not empty, got only one of them.',
      { type: 'alias', anonymousId: 'a', previousId: 'v' },
    ],
    [
      'ERR_EVENT_USER',
      'previousId must be a text or a whole number of at most 64 bits, got true.',
      { type: 'alias', userId: 'u', previousId: true },
    ],
    [
      'ERR_EVENT_USER',
      'anonymousId must be a text or a whole number of at most 64 bits, got an object.',
      { type: 'identify', userId: 'u', anonymousId: {} },
    ],
    [
      'ERR_EVENT_USER',
      'An event must have a userId or an anonymousId that is not empty, got neither.',
      { ...track, userId: '' },
    ],
    [
      'ERR_EVENT_USER',
      'userId must be a text or a whole number of at most 64 bits, got an object.',
      { ...track, userId: {} },
    ],
    [
      'ERR_EVENT_USER',
      'userId must be a text or a whole number of at most 64 bits, got 9007199254740992.',
      { ...track, userId: 2 ** 53 },
    ],
    [
      'ERR_EVENT_USER',
      `userId must have at most ${USER_ID_CHARS_MAX} characters, got ${long.length}.`,
      { ...track, userId: long },
    ],
    [
      'ERR_EVENT_NAME',
      'event must be the name of what was tracked, got nothing.',
      { type: 'track', userId: 'u' },
    ],
    [
      'ERR_EVENT_NAME',
      'event must be the name of what was tracked, got " ".',
      { ...track, event: ' ' },
    ],
    [
      'ERR_EVENT_NAME',
      `event must have at most ${limits.nameCharsMax} characters, got ${long.length}.`,
      { ...track, event: long },
    ],
    [
      'ERR_EVENT_MESSAGE_ID',
      `messageId must be a text of 1 to ${MESSAGE_ID_CHARS_MAX} characters, got 7.`,
      { ...track, messageId: 7 },
    ],
    [
      'ERR_EVENT_MESSAGE_ID',
      `messageId must be a text of 1 to ${MESSAGE_ID_CHARS_MAX} characters, ` +
        `got a text of ${long.length} characters.`,
      { ...track, messageId: long },
    ],
    [
      'ERR_EVENT_TIME',
      'timestamp must be an ISO 8601 instant with a zone, got "2026-03-01T12:00:00".',
      { ...track, timestamp: '2026-03-01T12:00:00' },
    ],
    [
      'ERR_EVENT_TIME',
      'originalTimestamp must be an ISO 8601 instant with a zone, got "x".',
      { ...track, originalTimestamp: 'x', sentAt: at(0) },
    ],
    [
      'ERR_EVENT_PROPERTIES',
      'properties must be an object, got an array.',
      { ...track, properties: [1] },
    ],
    [
      'ERR_EVENT_PROPERTIES',
      'traits must be an object, got "a".',
      { type: 'identify', userId: 'u', traits: 'a' },
    ],
    [
      'ERR_EVENT_PROPERTIES',
      `properties must hold at most ${limits.propertiesMax} entries, got 6.`,
      { ...track, properties: { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6 } },
    ],
    [
      'ERR_EVENT_PROPERTIES',
      `Names in properties must have at most ${limits.nameCharsMax} characters, ` +
        `got one of ${long.length}.`,
      { ...track, properties: { a: { [long]: 1 } } },
    ],
    [
      'ERR_EVENT_PROPERTIES',
      'Objects inside properties must not have the name "__proto__".',
      { ...track, properties: { a: JSON.parse('{"__proto__":1}') as unknown } },
    ],
    [
      'ERR_EVENT_TOO_DEEP',
      `properties must nest at most ${limits.nestingMax} objects and arrays, got more.`,
      { ...track, properties: nested(limits.nestingMax + 1) },
    ],
    ...(
      [
        [Number.NaN, 'NaN'],
        [Number.POSITIVE_INFINITY, 'Infinity'],
        [undefined, 'nothing'],
        [new Uint8Array(3), '3 bytes of binary'],
        [new Date(Number.NaN), 'an instant'],
        [new Map(), 'an object'],
      ] as const
    ).map(
      ([value, shown]) =>
        [
          'ERR_EVENT_VALUE',
          `Values in properties must be JSON, got ${shown} at "a".`,
          { ...track, properties: { a: value } },
        ] as const,
    ),
  ])('%s: %s', (code, message, raw) => {
    expect(check(raw).refused).toMatchObject({ code, message });
  });

  test('an event of more bytes than it may have, by the name of the limit', () => {
    const byteLength = limits.eventBytesMax + 1;
    expect(check(track, { byteLength }).refused).toEqual({
      code: 'ERR_EVENT_TOO_LARGE',
      message: `An event must have at most ${limits.eventBytesMax} bytes, got ${byteLength}.`,
      facts: { limit: 'eventBytesMax', max: limits.eventBytesMax, got: byteLength },
    });
  });
});

describe('event check: of anything', () => {
  test('no value of any kind makes it throw', () => {
    const field = fc.anything({ withBigInt: true, withDate: true, withTypedArray: true });
    const raw = fc.record(
      {
        type: fc.constantFrom('track', 'identify', 'page'),
        userId: field,
        event: field,
        properties: field,
        traits: field,
        context: field,
        timestamp: field,
        sentAt: field,
      },
      { requiredKeys: ['type'] },
    );
    fc.assert(
      fc.property(fc.oneof(raw, field), (value) => {
        const { refused } = check(value);
        if (refused !== undefined) expect(refused.message).toMatch(/\.$/);
      }),
    );
  });

  test('what is accepted survives an envelope byte for byte', () => {
    const writer = new EnvelopeWriter();
    const reader = new EnvelopeReader();
    const name = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toJSON', ''));
    const value = fc.oneof(fc.jsonValue(), fc.bigInt({ min: WHOLE_MIN, max: WHOLE_MAX }));
    const properties = fc.dictionary(name, value, { maxKeys: 5, noNullPrototype: true });
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string(),
        properties,
        (userId, event, given) => {
          const text = writeJson({ type: 'track', userId, event, properties: given });
          const checked = check(parseJson(text));
          if (checked.refused !== undefined) return;
          const before = writeJson(checked.event.properties);
          writer.addEvent(checked.event, RECEIVED_AT_MS);
          reader.load(writer.finish());
          expect(reader.userIdOf(0)).toBe(checked.event.userId);
          expect(reader.names[reader.name[0]!]).toBe(event);
          expect(writeJson(reader.propertiesOf(0))).toBe(before);
        },
      ),
      { numRuns: 500 },
    );
  });
});
