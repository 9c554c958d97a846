import { describe, expect, test } from 'vitest';
import { calendarDayOf, HOUR_MS, parseInstant } from '../../../engine/time/duration.ts';
import { dayAt, dayStartMs, isTimeZone } from '../../../engine/time/zone.ts';

const day = calendarDayOf;

describe('days in zones', () => {
  test.each([
    ['UTC', '2026-01-05', '2026-01-05T00:00:00Z'],
    ['Asia/Kolkata', '2026-01-05', '2026-01-04T18:30:00Z'],
    ['America/New_York', '2026-07-01', '2026-07-01T04:00:00Z'],
    // Clocks skip midnight on this day.
    ['Africa/Cairo', '2023-04-28', '2023-04-27T22:00:00Z'],
    // Midnight happens twice on this day; it begins with the first.
    ['America/Havana', '2025-11-02', '2025-11-02T04:00:00Z'],
  ])('dayStartMs: in %s %s begins at %s', (timezone, date, instant) => {
    expect(dayStartMs(day(date), timezone)).toBe(parseInstant(instant));
  });

  test('dayAt: turns at the beginning of the day, to the millisecond', () => {
    for (const timezone of ['UTC', 'Asia/Kolkata', 'America/New_York', 'Pacific/Apia']) {
      const startMs = dayStartMs(day('2026-03-08'), timezone);
      expect(dayAt(startMs, timezone)).toBe(day('2026-03-08'));
      expect(dayAt(startMs - 1, timezone)).toBe(day('2026-03-07'));
    }
  });

  test('dayStartMs: gives a day of 23 hours, when clocks go forward', () => {
    const zone = 'America/New_York';
    const lengthMs = dayStartMs(day('2026-03-09'), zone) - dayStartMs(day('2026-03-08'), zone);
    expect(lengthMs).toBe(23 * HOUR_MS);
  });

  test('isTimeZone: takes IANA names only', () => {
    expect(['UTC', 'Asia/Kolkata', 'America/Argentina/Ushuaia'].every(isTimeZone)).toBe(true);
    expect(['', 'Mars', '+05:30', 'local', 'UTC+1', 'constructor', 'IST'].some(isTimeZone)).toBe(
      false,
    );
  });
});
