import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import {
  columnOffsets,
  ENVELOPE_RECORDS_MAX,
  envelopeChecksum,
  HEADER,
} from '../../../engine/envelope/envelope-layout.ts';
import { decodeProperties, EnvelopeReader } from '../../../engine/envelope/envelope-reader.ts';
import { EnvelopeWriter } from '../../../engine/envelope/envelope-writer.ts';
import {
  epochFrom,
  type IncomingEvent,
  leaveFrom,
  RecordFlag,
  RecordKind,
} from '../../../engine/envelope/records.ts';
import { LapseError } from '../../../engine/errors/errors.ts';
import { hash64, partitionOf } from '../../../engine/state/hash.ts';
import { ANONYMOUS_SEED } from '../../../engine/state/key.ts';
import { anEvent } from '../intake/intake-records.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const encoder = new TextEncoder();
const wellFormed = fc.string({ unit: 'grapheme' });
/**
 * Any JSON that the doors let through: names inside of objects are never `__proto__`, which the
 * check of events refuses, and msgpack has no negative zero.
 */
const jsonValue = fc
  .jsonValue({ stringUnit: 'grapheme', maxDepth: 4 })
  .map((value) => JSON.parse(JSON.stringify(value).replaceAll('__proto__', 'proto')) as unknown);
const properties = fc
  .array(
    fc.tuple(fc.oneof(wellFormed, fc.constantFrom('__proto__', '', 'a\u0000b', '7')), jsonValue),
  )
  .map((entries) => Object.fromEntries(entries));
const event = fc.record({
  kind: fc.constantFrom(
    RecordKind.track,
    RecordKind.identify,
    RecordKind.page,
    RecordKind.screen,
    RecordKind.alias,
  ),
  userId: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
  isAnonymous: fc.boolean(),
  name: wellFormed,
  eventAtMs: fc.integer({ min: 0, max: 2 ** 43 }),
  flags: fc.constantFrom(0, RecordFlag.historyOnly, RecordFlag.clamped),
  messageId: wellFormed,
  properties,
});

function envelopeOf(events: readonly IncomingEvent[]): Uint8Array {
  const writer = new EnvelopeWriter();
  events.forEach((one, i) => {
    writer.addEvent(one, START_MS + i);
  });
  return writer.finish();
}

function load(bytes: Uint8Array): EnvelopeReader {
  const reader = new EnvelopeReader();
  reader.load(bytes);
  return reader;
}

/** What differs between -0 and 0 is lost in msgpack, as in JSON. */
function asJson(value: unknown): string {
  return JSON.stringify(value);
}

function expectSame(reader: EnvelopeReader, events: readonly IncomingEvent[]): void {
  expect(reader.count).toBe(events.length);
  const hash = { lo: 0, hi: 0 };
  events.forEach((one, i) => {
    expect(reader.kind[i]).toBe(one.kind);
    expect(reader.userIdOf(i)).toBe(one.userId);
    expect(reader.flags[i]).toBe(one.flags | (one.isAnonymous ? RecordFlag.anonymous : 0));
    expect(reader.names[reader.name[i]!]).toBe(one.name);
    expect(reader.eventAt[i]).toBe(one.eventAtMs);
    expect(reader.receivedAtMs(i)).toBe(START_MS + i);
    expect(asJson(reader.propertiesOf(i))).toBe(asJson(one.properties));
    expect(Object.getPrototypeOf(reader.propertiesOf(i))).toBe(Object.prototype);
    const id = encoder.encode(one.userId);
    hash64(id, 0, id.length, one.isAnonymous ? ANONYMOUS_SEED : 0, hash);
    expect([reader.userLo[i], reader.userHi[i]]).toEqual([hash.lo, hash.hi]);
    if (!one.isAnonymous) expect(partitionOf(one.userId, 64)).toBe(hash.lo % 64);
    const messageId = encoder.encode(one.messageId);
    hash64(messageId, 0, messageId.length, 0, hash);
    expect([reader.eventIdLo[i], reader.eventIdHi[i]]).toEqual([hash.lo, hash.hi]);
  });
}

describe('envelope', () => {
  test('gives back what was written: any JSON, any ids, at any alignment', () => {
    fc.assert(
      fc.property(
        fc.array(event, { minLength: 1, maxLength: 12 }),
        fc.nat({ max: 9 }),
        (events, offset) => {
          const bytes = envelopeOf(events);
          const moved = new Uint8Array(bytes.length + offset).subarray(offset);
          moved.set(bytes);
          expectSame(load(moved), events);
        },
      ),
    );
  });

  test('an id that begins with a byte order mark stays as it came', () => {
    const events = ['\ufeff', '\ufeffu1'].map((userId) => anEvent({ userId, messageId: userId }));
    const reader = load(envelopeOf(events));
    expect(events.map((_, i) => reader.userIdOf(i))).toEqual(['\ufeff', '\ufeffu1']);
  });

  test('holds 500 records, after which it is full', () => {
    const events = Array.from({ length: ENVELOPE_RECORDS_MAX }, (_, i) =>
      anEvent({ userId: `u${i}`, messageId: `m${i}`, properties: { i, [`p${i % 7}`]: 'é' } }),
    );
    const writer = new EnvelopeWriter();
    events.forEach((one, i) => {
      expect(writer.isFull).toBe(false);
      writer.addEvent(one, START_MS + i);
    });
    expect(writer.isFull).toBe(true);
    expectSame(load(writer.finish()), events);
    expect(writer.count).toBe(0);
  });

  test('keeps lists of names apart that look alike when they are joined', () => {
    const events = [{}, { '': 1 }, { a: 1, b: 2 }, { 'a\u0000b': 3 }].map((one, i) =>
      anEvent({ messageId: `m${i}`, properties: one }),
    );
    expectSame(load(envelopeOf(events)), events);
  });

  test('carries ticks, controls and claims between events', () => {
    const writer = new EnvelopeWriter();
    writer.addEvent(anEvent(), START_MS);
    writer.addTick(START_MS + 5);
    writer.addJson(RecordKind.control, { type: 'é', list: [1] }, START_MS + 6);
    const reader = load(writer.finish());
    expect([...reader.kind]).toEqual([RecordKind.track, RecordKind.tick, RecordKind.control]);
    expect(reader.receivedAtMs(1)).toBe(START_MS + 5);
    expect(reader.jsonOf(2)).toEqual({ type: 'é', list: [1] });
  });

  test('no byte can change unnoticed', () => {
    const bytes = envelopeOf([anEvent({ properties: { a: 1 } }), anEvent({ messageId: 'm2' })]);
    for (let at = 0; at < bytes.length; at++) {
      for (const bit of [1, 16, 128]) {
        const damaged = bytes.slice();
        damaged[at]! ^= bit;
        // Changed version bytes look like another version's; all else is damage.
        const isVersion = at >= HEADER.version && at < HEADER.count;
        const code = isVersion ? 'ERR_ENVELOPE_VERSION' : 'ERR_ENVELOPE_CORRUPT';
        expect(() => load(damaged), `byte ${at}`).toThrowError(expect.objectContaining({ code }));
      }
    }
  });

  test('an envelope cut short anywhere, or too long, is refused', () => {
    const bytes = envelopeOf([anEvent({ properties: { a: 'text' } })]);
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    for (const wrong of [...bytes.keys()].map((end) => bytes.subarray(0, end)).concat(longer)) {
      expect(() => load(wrong), `${wrong.length} bytes`).toThrowError(LapseError);
    }
  });

  test('a reader that refused an envelope still reads the next', () => {
    const reader = new EnvelopeReader();
    expect(() => reader.load(new Uint8Array(40))).toThrowError(LapseError);
    reader.load(envelopeOf([anEvent()]));
    expectSame(reader, [anEvent()]);
  });
});

test('envelope: is full before the names of its properties exceed a message of the log', () => {
  const messageBytesMax = 2 ** 20;
  const writer = new EnvelopeWriter();
  for (let n = 0; !writer.isFull; n++) {
    const names = Array.from({ length: 256 }, (_, i) => `${n}-${i}-`.padEnd(115, 'n'));
    writer.addEvent(anEvent({ properties: Object.fromEntries(names.map((one) => [one, 1])) }), n);
  }
  const { byteLength } = writer;
  const bytes = writer.finish();
  expect(bytes.length).toBeLessThan(messageBytesMax);
  expect(bytes.length).toBeLessThanOrEqual(byteLength + 64);
  expect(writer.byteLength).toBe(HEADER.bytes);
});

describe('envelope: what its checksum does not tell', () => {
  test('values that are not as many as their names are refused', () => {
    const values = new Packr({ useRecords: false }).pack([1]);
    const decode = () => decodeProperties(['a', 'b'], values, 0, values.length);
    expect(decode).toThrow(expect.objectContaining({ code: 'ERR_ENVELOPE_CORRUPT' }) as Error);
  });

  test.each<[string, (view: DataView, at: ReturnType<typeof columnOffsets>) => void]>([
    ['no time of receipt', (view) => view.setFloat64(HEADER.baseReceivedAtMs, Number.NaN, true)],
    ['an endless one', (view) => view.setFloat64(HEADER.baseReceivedAtMs, Infinity, true)],
    ['a name that is not listed', (view, { name }) => view.setUint16(name, 9, true)],
    ['a shape that is not listed', (view, { shape }) => view.setUint16(shape + 2, 9, true)],
    ['an id longer than its record', (view, { idLength }) => view.setUint16(idLength, 9_999, true)],
    [
      'a record that ends before it begins',
      (view, { bodyEnd }) => view.setUint32(bodyEnd + 4, 0, true),
    ],
    ['a record beyond the body', (view, { bodyEnd }) => view.setUint32(bodyEnd + 4, 9_999, true)],
    ['more records than columns', (view) => view.setUint16(HEADER.count, 9, true)],
    ['names that begin nowhere', (view) => view.setUint32(HEADER.namesStart, 9_999, true)],
  ])('an envelope with %s is refused', (_what, change) => {
    const events = [anEvent({ properties: { a: 1 } }), anEvent({ messageId: 'm2' })];
    const bytes = envelopeOf(events);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    change(view, columnOffsets(events.length));
    view.setUint32(HEADER.crc, envelopeChecksum(bytes), true);
    const isCorrupt = expect.objectContaining({ code: 'ERR_ENVELOPE_CORRUPT' }) as Error;
    expect(() => load(bytes)).toThrow(isCorrupt);
  });

  test('a leave and a claim that say nothing are refused', () => {
    const isCorrupt = expect.objectContaining({ code: 'ERR_ENVELOPE_CORRUPT' }) as Error;
    const user = { id: 'u', isAnonymous: false };
    const leave = { token: 't', from: user, to: user, joinedAtMs: START_MS };
    expect(leaveFrom(leave)).toEqual(leave);
    expect(epochFrom({ epoch: 3 })).toBe(3);
    const lacking = Object.keys(leave).map((key) => ({ ...leave, [key]: undefined }));
    for (const body of [null, 7, [], ...lacking, { ...leave, to: { id: 7, isAnonymous: false } }]) {
      expect(() => leaveFrom(body), JSON.stringify(body)).toThrow(isCorrupt);
    }
    for (const body of [null, {}, { epoch: '3' }, { epoch: 0.5 }]) {
      expect(() => epochFrom(body), JSON.stringify(body)).toThrow(isCorrupt);
    }
  });

  test('a body that is no JSON is refused', () => {
    const writer = new EnvelopeWriter();
    writer.addPlain(RecordKind.control, encoder.encode('{'), START_MS);
    const reader = load(writer.finish());
    expect(() => reader.jsonOf(0)).toThrow(
      expect.objectContaining({ code: 'ERR_ENVELOPE_CORRUPT' }) as Error,
    );
  });
});
