/** When a `date` rule is due, worked out from the value of a property. */
import { calendarDateOf, dayNumber, isLeapYear } from '../../../engine/time/calendar.ts';
import { calendarDayOf, DAY_MS, MINUTE_MS } from '../../../engine/time/duration.ts';
import { dayAt, instantOfWallMs, wallTimeMs } from '../../../engine/time/zone.ts';
import type { DateRule } from '../../definitions.ts';
import { dateOf } from '../../filters/dates.ts';

export interface DueAtOptions {
  readonly rule: Pick<DateRule, 'offset' | 'atMinute' | 'yearly'>;
  /** The user's zone, else the account's; an IANA name. */
  readonly timezone: string;
  /** Only what is due at this instant or later. Unix ms. */
  readonly fromMs: number;
}

/** Dates beyond are refused: calendars must be able to compute with the days around them. */
const DATE_MS_MAX = 8e15;

/**
 * The instant (Unix ms) at which the rule fires for a value, or undefined when the value is no date
 * or is due before `fromMs`. What a date is, `dateOf` says; one without a time is midnight in the
 * zone. The calendar days of the offset keep the time of the clock, its hours are hours. With
 * `yearly` it is the first year's, from the date's own year on, that is due late enough; to find the
 * next one after it fired, ask from one ms later.
 */
export function dueAt(value: unknown, options: DueAtOptions): number | undefined {
  const { timezone, rule, fromMs } = options;
  if (!isDate(value, timezone)) return undefined;
  const dateMs = dateOf(value, timezone);
  if (rule.yearly) return yearlyDueAt(value, dateMs, options);
  const { days } = rule.offset;
  const dueMs =
    days === 0 ? withTime(dateMs, options) : dueOfWall(wallOf(value, dateMs, timezone), options);
  return dueMs >= fromMs ? dueMs : undefined;
}

/** Whether a value is a date that calendars can compute with. */
export function isDate(value: unknown, timezone: string): boolean {
  return Math.abs(dateOf(value, timezone)) <= DATE_MS_MAX;
}

/** What the clock shows at the date: of a day that does not begin at midnight, midnight. */
function wallOf(value: unknown, dateMs: number, timezone: string): number {
  const day = typeof value === 'string' ? calendarDayOf(value) : Number.NaN;
  return Number.isNaN(day) ? wallTimeMs(dateMs, timezone) : day * DAY_MS;
}

function dueOfWall(wallMs: number, options: DueAtOptions): number {
  const { rule, timezone } = options;
  return withTime(instantOfWallMs(wallMs + rule.offset.days * DAY_MS, timezone), options);
}

/** The hours of the offset, and the time of day. */
function withTime(atMs: number, { rule, timezone }: DueAtOptions): number {
  const dueMs = atMs + rule.offset.ms;
  if (rule.atMinute === undefined) return dueMs;
  return instantOfWallMs(dayAt(dueMs, timezone) * DAY_MS + rule.atMinute * MINUTE_MS, timezone);
}

function yearlyDueAt(value: unknown, dateMs: number, options: DueAtOptions): number | undefined {
  const { timezone, rule, fromMs } = options;
  const wallMs = wallOf(value, dateMs, timezone);
  const dateDay = Math.floor(wallMs / DAY_MS);
  const timeMs = wallMs - dateDay * DAY_MS;
  const { year, month, day } = calendarDateOf(dateDay);
  // Two days early, for the zone and for `atMinute`.
  const offsetDays = rule.offset.days + rule.offset.ms / DAY_MS;
  const firstDay = Math.floor(fromMs / DAY_MS - offsetDays) - 2;
  const firstYear = Math.max(year, calendarDateOf(firstDay).year);
  for (let y = firstYear; y <= firstYear + 2; y++) {
    const isMissing = month === 2 && day === 29 && !isLeapYear(y);
    const anniversary = dayNumber(y, month, isMissing ? 28 : day);
    const dueMs = dueOfWall(anniversary * DAY_MS + timeMs, options);
    if (dueMs >= fromMs) return dueMs;
  }
  return undefined;
}
