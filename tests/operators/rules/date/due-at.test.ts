import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  DAY_MS,
  formatInstant,
  HOUR_MS,
  MINUTE_MS,
  parseInstant,
} from '../../../../engine/time/duration.ts';
import { dueAt } from '../../../../operators/rules/date/due-at.ts';
import { CHANGING_CLOCKS } from '../../../support/slow-clock.ts';
import { modelDueAt } from './model.ts';

interface Drawn {
  readonly offset?: { readonly days: number; readonly ms: number };
  readonly atMinute?: number;
  readonly yearly?: boolean;
}

const NOW = '2026-01-05T09:00:00Z';
const NONE = { days: 0, ms: 0 };

function due(value: unknown, rule: Drawn = {}, timezone = 'UTC', from = NOW): string | undefined {
  const { offset = NONE, yearly = false, ...at } = rule;
  const fromMs = parseInstant(from);
  const dueMs = dueAt(value, { rule: { offset, yearly, ...at }, timezone, fromMs });
  return dueMs === undefined ? undefined : formatInstant(dueMs);
}

const days = (n: number) => ({ offset: { days: n, ms: 0 } });
const hours = (n: number) => ({ offset: { days: 0, ms: n * HOUR_MS } });
const NINE = { atMinute: 9 * 60 };

describe('dueAt', () => {
  test('an instant is due at itself, in each form of a date', () => {
    const atMs = parseInstant('2026-02-01T10:30:00Z');
    const expected = formatInstant(atMs);
    const forms = ['2026-02-01T16:00:00+05:30', atMs, atMs / 1_000, `$D_${atMs / 1_000}`];
    for (const form of forms) expect(due(form)).toBe(expected);
  });

  test('a day is midnight in the zone', () => {
    expect(due('2026-02-01')).toBe('2026-02-01T00:00:00.000Z');
    expect(due('2026-02-01', {}, 'Asia/Kolkata')).toBe('2026-01-31T18:30:00.000Z');
  });

  test.each([[undefined], [null], ['soon'], ['2026-02-30'], [Number.NaN], [8.1e15], [{}], [true]])(
    '%o is no date',
    (value) => {
      expect(due(value)).toBeUndefined();
      expect(due(value, { yearly: true })).toBeUndefined();
    },
  );

  test('what is past does not fire, what is due now does', () => {
    expect(due('2026-01-05T08:59:59.999Z')).toBeUndefined();
    expect(due(NOW)).toBe('2026-01-05T09:00:00.000Z');
    expect(due('2026-01-05T10:00:00Z', hours(-2))).toBeUndefined();
    expect(due('2026-01-05T11:00:00Z', hours(-2))).toBe('2026-01-05T09:00:00.000Z');
  });

  test('a time of day is that of the day in the zone, after the offset', () => {
    expect(due('2026-01-10', { ...days(-1), ...NINE }, 'Asia/Kolkata')).toBe(
      '2026-01-09T03:30:00.000Z',
    );
    // Two hours later it is the next day in New York.
    expect(due('2026-02-01T03:30:00Z', { ...hours(2), ...NINE }, 'America/New_York')).toBe(
      '2026-02-01T14:00:00.000Z',
    );
  });

  test('a day of the offset keeps the time of the clock, 24 hours do not', () => {
    const noon = '2026-03-28T12:00:00+01:00';
    expect(due(noon, days(1), 'Europe/Berlin')).toBe('2026-03-29T10:00:00.000Z');
    expect(due(noon, hours(24), 'Europe/Berlin')).toBe('2026-03-29T11:00:00.000Z');
  });

  test('a time of day that clocks skip is the instant of the change', () => {
    const rule = { atMinute: 150 };
    expect(due('2026-03-29', rule, 'Europe/Berlin')).toBe('2026-03-29T01:00:00.000Z');
  });

  test('days are counted from midnight also where the day begins later', () => {
    // Cairo skips the first hour of 24 April.
    expect(due('2026-04-24', {}, 'Africa/Cairo')).toBe('2026-04-23T22:00:00.000Z');
    expect(due('2026-04-24', days(1), 'Africa/Cairo')).toBe('2026-04-24T21:00:00.000Z');
  });

  test('an instant that clocks show twice stays the one that it is', () => {
    const second = '2026-10-25T02:30:00+01:00';
    expect(due(second, {}, 'Europe/Berlin')).toBe('2026-10-25T01:30:00.000Z');
    expect(due(second, hours(1), 'Europe/Berlin')).toBe('2026-10-25T02:30:00.000Z');
  });
});

describe('dueAt, yearly', () => {
  const yearly = { yearly: true };

  test('is due on the day of the next year in which it is not over', () => {
    expect(due('1990-01-07', { ...yearly, atMinute: 600 })).toBe('2026-01-07T10:00:00.000Z');
    expect(due('1990-01-05', yearly)).toBe('2027-01-05T00:00:00.000Z');
    expect(due('1990-01-05', { ...yearly, ...NINE })).toBe('2026-01-05T09:00:00.000Z');
  });

  test('asked again one millisecond after it fired, it is due a year later', () => {
    const first = due('1990-01-07', yearly)!;
    const next = formatInstant(parseInstant(first) + 1);
    expect(due('1990-01-07', yearly, 'UTC', next)).toBe('2027-01-07T00:00:00.000Z');
  });

  test('29 February is the 28th in other years', () => {
    const leap = '2024-02-29';
    const found = ['2026-01-01', '2027-01-01', '2028-01-01', '2100-01-01'].map((day) =>
      due(leap, yearly, 'UTC', `${day}T00:00:00Z`)!.slice(0, 10),
    );
    expect(found).toEqual(['2026-02-28', '2027-02-28', '2028-02-29', '2100-02-28']);
  });

  test('an offset goes over the end of the year', () => {
    expect(due('1990-01-03', { ...yearly, ...days(-5) })).toBe('2026-12-29T00:00:00.000Z');
    expect(due('1990-12-30', { ...yearly, ...days(400) })).toBe('2026-02-03T00:00:00.000Z');
  });

  test('nothing is due before the date itself', () => {
    expect(due('2030-06-01', yearly)).toBe('2030-06-01T00:00:00.000Z');
  });

  test('the time of an instant stays what the clock showed', () => {
    const noon = '2020-07-01T12:00:00+02:00';
    const winter = due(noon, { ...yearly, ...days(180) }, 'Europe/Berlin', '2026-12-01T00:00:00Z');
    expect(winter).toBe('2026-12-28T11:00:00.000Z');
  });
});

test.each(CHANGING_CLOCKS)('dueAt: as the model says, in %s around %s', (timezone, near) => {
  const nearMs = parseInstant(near);
  const instant = fc
    .oneof(
      fc.integer({ min: -2 * HOUR_MS, max: 2 * HOUR_MS }),
      fc.integer({ min: -3 * 24 * 60, max: 3 * 24 * 60 }).map((m) => m * MINUTE_MS),
      fc.integer({ min: -40 * 365, max: 365 }).map((d) => d * DAY_MS),
    )
    .map((ms) => nearMs + ms);
  const date = instant.chain((atMs) => {
    const text = formatInstant(atMs);
    return fc.constantFrom(text, text.slice(0, 10));
  });
  const rule = fc.record(
    {
      offset: fc.record({
        days: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -900, max: 900 })),
        ms: fc.constantFrom(0, -HOUR_MS, 2 * HOUR_MS, 36 * HOUR_MS, -90 * MINUTE_MS),
      }),
      atMinute: fc.integer({ min: 0, max: 95 }).map((quarter) => quarter * 15),
      yearly: fc.boolean(),
    },
    { requiredKeys: ['offset', 'yearly'] },
  );
  fc.assert(
    fc.property(date, rule, fc.integer({ min: -400, max: 800 }), (text, drawn, day) => {
      // Zones had other clocks, to the second, before this.
      fc.pre(text >= '1972');
      const options = { rule: drawn, timezone, fromMs: nearMs + day * DAY_MS };
      expect(dueAt(text, options)).toBe(modelDueAt(text, options));
    }),
    { numRuns: 100 },
  );
});
