import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  calendarDayOf,
  DAY_MS,
  durationOf,
  formatDuration,
  formatInstant,
  HOUR_MS,
  instantOf,
  MINUTE_MS,
  parseDuration,
  parseInstant,
  SECOND_MS,
} from '../../../engine/time/duration.ts';

describe('durations', () => {
  test.each([
    ['250ms', 250],
    ['10s', 10 * SECOND_MS],
    ['10m', 10 * MINUTE_MS],
    ['2h', 2 * HOUR_MS],
    ['3d', 3 * DAY_MS],
    ['0s', 0],
    ['90m', 90 * MINUTE_MS],
    ['1h30m', HOUR_MS + 30 * MINUTE_MS],
    ['1d2h3m4s5ms', DAY_MS + 2 * HOUR_MS + 3 * MINUTE_MS + 4 * SECOND_MS + 5],
    ['1m5ms', MINUTE_MS + 5],
  ])('parseDuration: reads %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    '',
    'soon',
    '10',
    'm',
    '1.5h',
    '-1s',
    '1 h',
    '30m1h',
    '1h1h',
    '1H',
    '9007199254740992ms',
    '1e3s',
  ])('durationOf: answers NaN, when the text is %j', (text) => {
    expect(durationOf(text)).toBeNaN();
  });

  test('parseDuration: says how a duration is written, when it is not one', () => {
    expect(() => parseDuration('soon')).toThrow(
      'a duration must be written like 250ms, 10m or 1h30m, got "soon"',
    );
  });

  test('formatDuration: writes what parseDuration reads back', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
    expect(formatDuration(0)).toBe('0s');
    expect(formatDuration(182 * DAY_MS)).toBe('182d');
    expect(formatDuration(-90 * MINUTE_MS)).toBe('-1h30m');
  });
});

describe('instants', () => {
  test('instantOf: reads whatever Date writes', () => {
    const years = {
      min: new Date('0000-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59.999Z'),
    };
    fc.assert(
      fc.property(fc.date({ ...years, noInvalidDate: true }), (date) => {
        expect(instantOf(date.toISOString())).toBe(date.getTime());
        expect(calendarDayOf(date.toISOString().slice(0, 10))).toBe(
          Math.floor(date.getTime() / DAY_MS),
        );
      }),
    );
  });

  test.each([
    ['2026-01-05T09:00:00Z', '2026-01-05T09:00:00.000Z'],
    ['2026-01-05t09:00:00z', '2026-01-05T09:00:00.000Z'],
    ['2026-01-05T09:00Z', '2026-01-05T09:00:00.000Z'],
    ['2026-01-05T09:00:00.5Z', '2026-01-05T09:00:00.500Z'],
    ['2026-01-05T09:00:00.123456789Z', '2026-01-05T09:00:00.123Z'],
    ['2026-01-05T09:00:00+05:30', '2026-01-05T03:30:00.000Z'],
    ['2026-01-05T09:00:00-0330', '2026-01-05T12:30:00.000Z'],
    ['2026-01-05T09:00:00.25+01', '2026-01-05T08:00:00.250Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['2000-02-29T23:59:59.999-00:00', '2000-02-29T23:59:59.999Z'],
  ])('parseInstant: reads %s', (text, iso) => {
    expect(formatInstant(parseInstant(text))).toBe(iso);
  });

  test.each([
    '',
    'yesterday',
    '2026',
    '2026-01-05',
    '2026-02-31T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-01-05T23:60:00Z',
    '2026-01-05T09:00:00',
    '2026-01-05T09:00:00.Z',
    '2026-01-05T09:00:00ZZ',
    '2026-01-05T09:00:00+24:00',
    '2026-01-05T09:00:00+05:60',
    '2026-01-05T09:00:00+5',
    '2026-01-05T09:00:00 Z',
    '2026-1-5T09:00:00Z',
    '20x6-01-05T09:00:00Z',
    '２026-01-05T09:00:00Z',
    'Mon, 05 Jan 2026 09:00:00 GMT',
  ])('instantOf: answers NaN, when the text is %j', (text) => {
    expect(instantOf(text)).toBeNaN();
  });

  test('instantOf: takes no text that Date would not take, when its characters are shuffled', () => {
    const part = fc.constantFrom('2', '0', '3', '9', '-', ':', 'T', 'Z', '.', '+', '');
    const base = '2026-01-05T09:00:00.000Z';
    const changed = fc.tuple(fc.nat(base.length - 1), part, fc.nat(base.length - 1), part);
    fc.assert(
      fc.property(changed, ([at, one, other, two]) => {
        const first = base.slice(0, at) + one + base.slice(at + 1);
        const text = first.slice(0, other) + two + first.slice(other + 1);
        const atMs = instantOf(text);
        const isUsual = /^\d{4}-\d\d-\d\dT(?!24)\d\d:\d\d(?!:60)/.test(text);
        if (Number.isNaN(atMs) || !isUsual) return;
        // `Date` wants zones in full.
        const full = text.replace(/(T.*[+-]\d\d):?(\d\d)?$/, (_, hours, minutes = '00') => {
          return `${hours}:${minutes}`;
        });
        expect(Math.floor(Date.parse(full))).toBe(atMs);
      }),
    );
  });

  test('parseInstant: says what an instant is, when the text is none', () => {
    expect(() => parseInstant('2026-02-31T00:00:00Z')).toThrow(
      'an instant must be ISO 8601 with a zone, like 2026-01-05T09:00:00Z, got "2026-02-31T00:00:00Z"',
    );
    expect(() => formatInstant(Number.NaN)).toThrow('must be Unix ms within ±8.64e15, got NaN');
  });
});
