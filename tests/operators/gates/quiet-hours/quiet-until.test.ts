import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  DAY_MS,
  formatInstant,
  HOUR_MS,
  MINUTE_MS,
  parseInstant,
} from '../../../../engine/time/duration.ts';
import type { QuietWindow } from '../../../../operators/definitions.ts';
import { quietUntil } from '../../../../operators/gates/quiet-hours/quiet-until.ts';
import { CHANGING_CLOCKS, SlowClock } from '../../../support/slow-clock.ts';
import { QuietModel } from './model.ts';

const EVERY_DAY = [1, 2, 3, 4, 5, 6, 7];

function minuteOf(time: string): number {
  const [hour, minute] = time.split(':').map(Number);
  return hour! * 60 + minute!;
}

function window(from: string, to: string, days: readonly number[] = EVERY_DAY): QuietWindow {
  return { days, fromMinute: minuteOf(from), toMinute: minuteOf(to) };
}

interface Case {
  readonly title: string;
  readonly windows: readonly QuietWindow[];
  readonly zone: string;
  readonly at: string;
  readonly until: string | undefined;
}

const [MON, FRI, SUN] = [1, 5, 7];
const night = [window('22:00', '07:00')];

/** 5 January 2026 is a Monday. */
const cases: readonly Case[] = [
  {
    title: 'before',
    windows: night,
    zone: 'UTC',
    at: '2026-01-05T21:59:59.999Z',
    until: undefined,
  },
  {
    title: 'from the first millisecond',
    windows: night,
    zone: 'UTC',
    at: '2026-01-05T22:00:00.000Z',
    until: '2026-01-06T07:00:00.000Z',
  },
  {
    title: 'to the last one',
    windows: night,
    zone: 'UTC',
    at: '2026-01-06T06:59:59.999Z',
    until: '2026-01-06T07:00:00.000Z',
  },
  {
    title: 'at its end',
    windows: night,
    zone: 'UTC',
    at: '2026-01-06T07:00:00Z',
    until: undefined,
  },
  {
    title: 'by the clock of the zone',
    windows: night,
    zone: 'Asia/Kolkata',
    at: '2026-01-05T17:00:00.000Z',
    until: '2026-01-06T01:30:00.000Z',
  },
  {
    title: 'the early hours belong to the weekday of the evening',
    windows: [window('22:00', '07:00', [MON])],
    zone: 'UTC',
    at: '2026-01-06T03:00:00.000Z',
    until: '2026-01-06T07:00:00.000Z',
  },
  {
    title: 'the early hours of the weekday itself are free',
    windows: [window('22:00', '07:00', [MON])],
    zone: 'UTC',
    at: '2026-01-05T03:00:00.000Z',
    until: undefined,
  },
  {
    title: 'over the end of the week',
    windows: [window('22:00', '07:00', [SUN])],
    zone: 'UTC',
    at: '2026-01-05T03:00:00.000Z',
    until: '2026-01-05T07:00:00.000Z',
  },
  {
    title: 'a whole day',
    windows: [window('00:00', '24:00', [FRI])],
    zone: 'UTC',
    at: '2026-01-09T00:00:00.000Z',
    until: '2026-01-10T00:00:00.000Z',
  },
  {
    title: 'adjacent and overlapping windows are one, in any order',
    windows: [window('07:00', '09:00'), window('08:30', '10:00'), ...night],
    zone: 'UTC',
    at: '2026-01-05T23:00:00.000Z',
    until: '2026-01-06T10:00:00.000Z',
  },
  {
    title: 'a weekend of whole days',
    windows: [window('00:00', '24:00', [6, 7]), window('18:00', '00:00', [FRI])],
    zone: 'UTC',
    at: '2026-01-09T18:00:00.000Z',
    until: '2026-01-12T00:00:00.000Z',
  },
  {
    title: 'a night in which clocks go forward is an hour shorter',
    windows: night,
    zone: 'Europe/Berlin',
    at: '2026-03-28T21:00:00.000Z',
    until: '2026-03-29T05:00:00.000Z',
  },
  {
    title: 'an end that clocks skip is the instant of the change',
    windows: [window('22:00', '02:30')],
    zone: 'Europe/Berlin',
    at: '2026-03-28T22:00:00.000Z',
    until: '2026-03-29T01:00:00.000Z',
  },
  {
    title: 'an end that clocks show twice is the first',
    windows: [window('22:00', '02:30')],
    zone: 'Europe/Berlin',
    at: '2026-10-24T22:00:00.000Z',
    until: '2026-10-25T00:30:00.000Z',
  },
  {
    title: 'the second time round is free',
    windows: [window('22:00', '02:30')],
    zone: 'Europe/Berlin',
    at: '2026-10-25T01:10:00.000Z',
    until: undefined,
  },
  {
    title: 'a window that has started goes on while clocks show the day before once more',
    windows: [window('00:00', '06:00')],
    zone: 'America/St_Johns',
    at: '2010-11-07T02:40:00.000Z',
    until: '2010-11-07T09:30:00.000Z',
  },
];

describe('quietUntil', () => {
  test.each(cases)('$title', ({ windows, zone, at, until }) => {
    const untilMs = quietUntil(parseInstant(at), windows, zone);
    expect(untilMs === undefined ? undefined : formatInstant(untilMs)).toBe(until);
  });

  test('windows without free time between them end nevertheless', () => {
    const allDay = [window('00:00', '24:00')];
    const atMs = parseInstant('2026-01-05T12:00:00Z');
    expect(quietUntil(atMs, allDay, 'UTC')).toBeGreaterThanOrEqual(atMs + 7 * DAY_MS);
  });
});

const minutes = fc.integer({ min: 0, max: 95 }).map((quarter) => quarter * 15);
const drawnWindow = fc
  .record({
    days: fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
    fromMinute: minutes,
    toMinute: minutes.map((minute) => minute + 15),
  })
  .filter(({ fromMinute, toMinute }) => {
    const minutes = toMinute - fromMinute + (toMinute > fromMinute ? 0 : 24 * 60);
    return minutes <= 10 * 60;
  });

test.each(CHANGING_CLOCKS)('quietUntil: as the model says, in %s around %s', (zone, near) => {
  const nearMs = parseInstant(near);
  const clock = new SlowClock(zone, nearMs - 30 * DAY_MS, nearMs + 60 * DAY_MS);
  const firstDay = Math.floor(nearMs / DAY_MS) - 4;
  const hours = fc.integer({ min: -36 * 60, max: 36 * 60 }).map((m) => nearMs + m * MINUTE_MS);
  const around = fc.integer({ min: -2 * HOUR_MS, max: 2 * HOUR_MS }).map((ms) => nearMs + ms);
  fc.assert(
    fc.property(
      fc.array(drawnWindow, { minLength: 1, maxLength: 2 }),
      fc.array(fc.oneof(hours, around), { minLength: 10, maxLength: 10 }),
      (windows, instants) => {
        // Two windows of up to ten hours leave free time each day, so they cannot chain for long.
        const model = new QuietModel(windows, clock, firstDay, 9);
        for (const atMs of instants) {
          expect(quietUntil(atMs, windows, zone), formatInstant(atMs)).toBe(model.quietUntil(atMs));
        }
      },
    ),
    { numRuns: 20 },
  );
});
