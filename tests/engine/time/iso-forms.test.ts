import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, test } from 'vitest';
import { formatInstant, instantOf } from '../../../engine/time/duration.ts';

const NOON = '2026-01-05T12:00:00.000Z';

describe('rarer forms of instants', () => {
  test.each([
    // Leap seconds: the first second of the next minute (RFC 3339, 5.8).
    ['2025-12-31T23:59:60Z', '2026-01-01T00:00:00.000Z'],
    ['1990-12-31T15:59:60-08:00', '1991-01-01T00:00:00.000Z'],
    ['2016-12-31T23:59:60.750Z', '2017-01-01T00:00:00.750Z'],
    ['2016-12-31T23:59:60,75Z', '2017-01-01T00:00:00.750Z'],
    ['2026-01-05T12:29:60+00:30', NOON],
    // Midnight at a day's end.
    ['2026-01-04T24:00:00Z', '2026-01-05T00:00:00.000Z'],
    ['2025-12-31T24:00Z', '2026-01-01T00:00:00.000Z'],
    ['2024-02-28T24:00:00.000+00:00', '2024-02-29T00:00:00.000Z'],
    ['2026-01-04T24Z', '2026-01-05T00:00:00.000Z'],
    // Decimal commas, and fractions of the last unit that is given.
    ['2026-01-05T11:59:59,250Z', '2026-01-05T11:59:59.250Z'],
    ['2026-01-05T12:00:00,123456789Z', '2026-01-05T12:00:00.123Z'],
    ['2026-01-05T11:59.5Z', '2026-01-05T11:59:30.000Z'],
    ['2026-01-05T11,5Z', '2026-01-05T11:30:00.000Z'],
    ['20260105T115959.57Z', '2026-01-05T11:59:59.570Z'],
    // RFC 3339 lets a space stand for the T.
    ['2026-01-05 12:00:00Z', NOON],
    ['2026-01-05 12:00:00.000000+00:00', NOON],
    // Basic forms, and hours alone.
    ['20260105T120000Z', NOON],
    ['20260105T1200Z', NOON],
    ['20260105T12Z', NOON],
    ['2026-01-05T12Z', NOON],
    ['20260105T173000+0530', NOON],
    ['2026-01-05T17:30+0530', NOON],
    ['20260105T070000-05', NOON],
    // Weeks and days of the year.
    ['2026-W02-1T12:00:00Z', NOON],
    ['2026W021T120000Z', NOON],
    ['2026-005T12:00:00Z', NOON],
    ['2026005T120000Z', NOON],
    ['2020-W53-7T00:00Z', '2021-01-03T00:00:00.000Z'],
    ['2024-366T00:00Z', '2024-12-31T00:00:00.000Z'],
    // Years of six digits, as ECMAScript writes them, and the minus sign.
    ['+002026-01-05T12:00:00.000Z', NOON],
    ['+012026-01-05T12:00:00.000Z', '+012026-01-05T12:00:00.000Z'],
    ['-000044-03-15T00:00:00Z', '-000044-03-15T00:00:00.000Z'],
    ['2026-01-05T07:00:00\u221205:00', NOON],
  ])('instantOf: reads %s', (text, iso) => {
    expect(formatInstant(instantOf(text))).toBe(iso);
  });

  test.each([
    '2026-01-05T23:59:61Z',
    '2026-01-05T23:60:00Z',
    '2026-01-05T24:00:01Z',
    '2026-01-05T24:00:00.001Z',
    '2026-01-05T24:01Z',
    '2026-01-05T24,5Z',
    '2026-01-05T25:00Z',
    '2026-01-05T12:00:60',
    '2026-01-05T24:00:00',
    '2026-01-05T12:00:00,Z',
    '2026-01-05T12:00:00,5',
    '20260105',
    '20260105T120000',
    '20260132T120000Z',
    '202601T120000Z',
    '2026-0105T12:00:00Z',
    '2026-01-05T12:0000Z',
    '2026-000T12:00Z',
    '2026-366T12:00Z',
    '2026-W00-1T12:00Z',
    '2025-W53-1T12:00Z',
    '2026-W02-8T12:00Z',
    '-000000-01-01T00:00:00Z',
    '+999999-01-01T00:00:00Z',
    '2026-01-05T12:00:00+24:00',
    '2026-01-05T12:00:00+01:60',
    `2026-01-05T12:00:00.${'1'.repeat(100)}`,
  ])('instantOf: answers NaN, when the text is %j', (text) => {
    expect(instantOf(text)).toBeNaN();
  });

  test('all forms of a day are one day', () => {
    const days = fc.integer({ min: 0, max: 400 * 366 });
    fc.assert(
      fc.property(days, (day) => {
        const date = Temporal.PlainDate.from('1800-01-01').add({ days: day });
        const { year, dayOfYear, weekOfYear, yearOfWeek, dayOfWeek } = date;
        const ordinal = String(dayOfYear).padStart(3, '0');
        const week = `W${String(weekOfYear).padStart(2, '0')}`;
        const atMs = Date.parse(`${date}T00:00:00Z`);
        for (const form of [
          `${date}T00:00:00,0Z`,
          `${String(date).replaceAll('-', '')}T000000Z`,
          `${year}-${ordinal}T00Z`,
          `${year}${ordinal}T00Z`,
          `${yearOfWeek}-${week}-${dayOfWeek}T00Z`,
          `${yearOfWeek}${week}${dayOfWeek}T00Z`,
          `${date.subtract({ days: 1 })} 24:00Z`,
          `${date.subtract({ days: 1 })}T23:59:60Z`,
        ]) {
          expect([form, instantOf(form)]).toEqual([form, atMs]);
        }
      }),
    );
  });
});
