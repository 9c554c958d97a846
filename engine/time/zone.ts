/**
 * Calendar days in a time zone. A day is a number, counted from 1970-01-01; where it begins and
 * ends depends on the zone, and not every day has 24 hours.
 */
import { Temporal } from 'temporal-polyfill';
import { DAY_MS, dayNumber } from './duration.ts';

/** The longest name there is has 32. */
const ZONE_CHARS_MAX = 64;

/**
 * True for an IANA name that this runtime can compute with; offsets such as `+05:30` are none, and
 * neither are abbreviations such as `IST`, which `Intl` takes and calendars refuse.
 */
export function isTimeZone(name: string): boolean {
  if (name.length > ZONE_CHARS_MAX || !/^[A-Za-z]/.test(name)) return false;
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return true;
  } catch {
    return false;
  }
}

/** The calendar day that the instant (Unix ms) falls on in the zone. */
export function dayAt(atMs: number, timezone: string): number {
  if (timezone === 'UTC') return Math.floor(atMs / DAY_MS);
  const date = Temporal.Instant.fromEpochMilliseconds(Math.floor(atMs)).toZonedDateTimeISO(
    timezone,
  );
  return dayNumber(date.year, date.month, date.day);
}

/** Unix ms of the first instant of the day in the zone, also where clocks skip midnight. */
export function dayStartMs(day: number, timezone: string): number {
  const utcMs = day * DAY_MS;
  if (timezone === 'UTC') return utcMs;
  const date = Temporal.Instant.fromEpochMilliseconds(utcMs)
    .toZonedDateTimeISO('UTC')
    .toPlainDate();
  return date.toZonedDateTime(timezone).epochMilliseconds;
}
