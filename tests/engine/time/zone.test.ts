import { describe, expect, test } from 'vitest';
import { calendarDateOf, dayNumber } from '../../../engine/time/calendar.ts';
import {
  calendarDayOf,
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  parseInstant,
} from '../../../engine/time/duration.ts';
import {
  dayAt,
  dayStartMs,
  instantOfWallMs,
  isTimeZone,
  wallTimeMs,
  weekdayOf,
  zoneOffsetMs,
} from '../../../engine/time/zone.ts';
import { CHANGING_CLOCKS, SlowClock } from '../../support/slow-clock.ts';

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

describe('clocks in zones', () => {
  test.each(CHANGING_CLOCKS)(
    'instantOfWallMs: the first that shows it, in %s near %s',
    (zone, near) => {
      const nearMs = parseInstant(near);
      const clock = new SlowClock(zone, nearMs - 10 * DAY_MS, nearMs + 10 * DAY_MS);
      const wallMs = clock.wallMs(nearMs);
      for (let minute = -36 * 60; minute <= 36 * 60; minute += 7) {
        const askedMs = wallMs + minute * MINUTE_MS;
        expect(instantOfWallMs(askedMs, zone)).toBe(clock.firstInstantMs(askedMs));
      }
    },
  );

  test.each(CHANGING_CLOCKS)(
    'wallTimeMs: changes to the millisecond, in %s at %s',
    (zone, near) => {
      const nearMs = parseInstant(near);
      const clock = new SlowClock(zone, nearMs - 10 * DAY_MS, nearMs + 10 * DAY_MS);
      for (const ms of [-DAY_MS, -HOUR_MS, -1, 0, 1, HOUR_MS, DAY_MS]) {
        expect(wallTimeMs(nearMs + ms, zone)).toBe(clock.wallMs(nearMs + ms));
      }
    },
  );

  test('zoneOffsetMs: a clock that changes between two days of UTC', () => {
    const changeMs = parseInstant('1974-06-24T00:00:00Z');
    const zone = 'Africa/Casablanca';
    expect(zoneOffsetMs(changeMs - 1, zone)).toBe(0);
    expect(zoneOffsetMs(changeMs, zone)).toBe(HOUR_MS);
    // The first hour of the day is skipped.
    expect(instantOfWallMs(changeMs + 30 * MINUTE_MS, zone)).toBe(changeMs);
  });

  test('zoneOffsetMs: asking costs little, once a day is known', () => {
    const zone = 'Europe/Berlin';
    const fromMs = parseInstant('2026-03-29T00:00:00Z');
    zoneOffsetMs(fromMs, zone);
    const startMs = performance.now();
    let sumMs = 0;
    for (let i = 0; i < 100_000; i++) sumMs += zoneOffsetMs(fromMs + i * 864, zone);
    const eachNs = ((performance.now() - startMs) * 1e6) / 100_000;
    expect(sumMs).toBeGreaterThan(0);
    // The calendar takes 10,000 ns and more; this is 50 on the slowest machine at hand.
    expect(eachNs).toBeLessThan(2_000);
  });
});

test('calendarDateOf: gives back what dayNumber was given', () => {
  for (let day = -800_000; day < 3_000_000; day += 997) {
    const { year, month, day: ofMonth } = calendarDateOf(day);
    expect(dayNumber(year, month, ofMonth)).toBe(day);
    const date = new Date(day * DAY_MS);
    expect([year, month, ofMonth]).toEqual([
      date.getUTCFullYear(),
      date.getUTCMonth() + 1,
      date.getUTCDate(),
    ]);
    expect(weekdayOf(day)).toBe(date.getUTCDay() || 7);
  }
});
