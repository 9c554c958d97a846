/**
 * Durations (`250ms 10s 10m 2h 3d`, and sums such as `1h30m`) and instants (ISO 8601 with a
 * zone). The readers that end in `Of` stand on the path of events: they answer NaN for a bad text.
 */
import { userError } from '../errors/errors.ts';
import { DAY_MS, dayNumber, HOUR_MS, MINUTE_MS, monthDays, SECOND_MS } from './calendar.ts';
import { rareInstantOf } from './iso-forms.ts';

export { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS };

/** From large to small, which is also the order in which a sum must be written. */
const UNITS = [
  ['d', DAY_MS],
  ['h', HOUR_MS],
  ['m', MINUTE_MS],
  ['s', SECOND_MS],
  ['ms', 1],
] as const;

const DURATION = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** Ms, or NaN when the text is not a duration. */
export function durationOf(text: string): number {
  const parts = text === '' ? null : DURATION.exec(text);
  if (parts === null) return Number.NaN;
  let totalMs = 0;
  for (const [index, [, unitMs]] of UNITS.entries()) {
    totalMs += Number(parts[index + 1] ?? 0) * unitMs;
  }
  return Number.isSafeInteger(totalMs) ? totalMs : Number.NaN;
}

/**
 * Ms of `1h30m`: whole numbers, each unit once, from large to small.
 * @throws LapseError ERR_DURATION
 */
export function parseDuration(text: string): number {
  const ms = durationOf(text);
  if (!Number.isNaN(ms)) return ms;
  const got = JSON.stringify(text);
  throw userError(
    'ERR_DURATION',
    `a duration must be written like 250ms, 10m or 1h30m, got ${got}`,
  );
}

/** The shortest text that `parseDuration` reads back: 5_400_000 is `1h30m`, 0 is `0s`. */
export function formatDuration(ms: number): string {
  if (!Number.isSafeInteger(ms)) return `${ms}ms`;
  if (ms < 0) return `-${formatDuration(-ms)}`;
  let text = '';
  let restMs = ms;
  for (const [unit, unitMs] of UNITS) {
    const count = Math.floor(restMs / unitMs);
    if (count === 0) continue;
    text += `${count}${unit}`;
    restMs -= count * unitMs;
  }
  return text === '' ? '0s' : text;
}

const [COLON, COMMA, DASH, DOT, PLUS] = [0x3a, 0x2c, 0x2d, 0x2e, 0x2b];
const [UPPER_T, LOWER_T, UPPER_Z, LOWER_Z] = [0x54, 0x74, 0x5a, 0x7a];

/** A value that no field may have: sums and comparisons with it come out as refusals. */
const BAD = 1_000_000;

function digit(text: string, at: number): number {
  const value = text.charCodeAt(at) - 0x30;
  return value >= 0 && value <= 9 ? value : BAD;
}

function pair(text: string, at: number): number {
  return digit(text, at) * 10 + digit(text, at + 1);
}

/** Day number of the `YYYY-MM-DD` that the text starts with; NaN when there is no such day. */
function leadingDay(text: string): number {
  if (text.charCodeAt(4) !== DASH || text.charCodeAt(7) !== DASH) return Number.NaN;
  const year = pair(text, 0) * 100 + pair(text, 2);
  const month = pair(text, 5);
  const day = pair(text, 8);
  if (year > 9999 || day < 1) return Number.NaN;
  return day > monthDays(year, month) ? Number.NaN : dayNumber(year, month, day);
}

/** Days from 1970-01-01 of a `YYYY-MM-DD`; NaN when the text is not a day of the calendar. */
export function calendarDayOf(text: string): number {
  return text.length === 10 ? leadingDay(text) : Number.NaN;
}

/** Ms east of UTC of `Z`, `±hh`, `±hhmm` or `±hh:mm` from `at` to the end; NaN when bad. */
function offsetOf(text: string, at: number): number {
  const sign = text.charCodeAt(at);
  const length = text.length - at;
  if (sign === UPPER_Z || sign === LOWER_Z) return length === 1 ? 0 : Number.NaN;
  if (sign !== PLUS && sign !== DASH) return Number.NaN;
  let minutes = 0;
  if (length === 6 && text.charCodeAt(at + 3) === COLON) minutes = pair(text, at + 4);
  else if (length === 5) minutes = pair(text, at + 3);
  else if (length !== 3) return Number.NaN;
  const hours = pair(text, at + 1);
  if (hours > 23 || minutes > 59) return Number.NaN;
  const ms = hours * HOUR_MS + minutes * MINUTE_MS;
  return sign === DASH ? -ms : ms;
}

/**
 * Unix ms of an instant of ISO 8601 or RFC 3339 with a zone, in any of their forms; NaN for
 * anything else. Digits below the millisecond are cut off.
 */
export function instantOf(text: string): number {
  const atMs = usualInstantOf(text);
  return Number.isNaN(atMs) ? rareInstantOf(text) : atMs;
}

/**
 * Of `YYYY-MM-DDTHH:MM[:SS[.f…]]` with a zone; NaN for anything else. Written by hand: `Date.parse`
 * takes `2026-02-31` and is slower.
 */
function usualInstantOf(text: string): number {
  const day = leadingDay(text);
  const separator = text.charCodeAt(10);
  if (separator !== UPPER_T && separator !== LOWER_T) return Number.NaN;
  const hour = pair(text, 11);
  const minute = pair(text, 14);
  if (hour > 23 || minute > 59 || text.charCodeAt(13) !== COLON) return Number.NaN;
  let ms = hour * HOUR_MS + minute * MINUTE_MS;
  let at = 16;
  if (text.charCodeAt(16) === COLON) {
    const second = pair(text, 17);
    if (second > 59) return Number.NaN;
    ms += second * SECOND_MS;
    at = 19;
    const mark = text.charCodeAt(19);
    if (mark === DOT || mark === COMMA) {
      let placeMs = 100;
      for (at = 20; digit(text, at) !== BAD; at++) {
        ms += digit(text, at) * Math.floor(placeMs);
        placeMs /= 10;
      }
      if (at === 20) return Number.NaN;
    }
  }
  return day * DAY_MS + ms - offsetOf(text, at);
}

/**
 * Unix ms of an ISO 8601 instant with a zone.
 * @throws LapseError ERR_INSTANT
 */
export function parseInstant(text: string): number {
  const atMs = instantOf(text);
  if (!Number.isNaN(atMs)) return atMs;
  const form = 'ISO 8601 with a zone, like 2026-01-05T09:00:00Z';
  throw userError('ERR_INSTANT', `an instant must be ${form}, got ${JSON.stringify(text)}`);
}

/**
 * `2026-01-05T09:00:00.000Z`.
 * @throws LapseError ERR_INSTANT outside of the years that `Date` knows
 */
export function formatInstant(atMs: number): string {
  if (Math.abs(atMs) <= 8.64e15) return new Date(atMs).toISOString();
  throw userError('ERR_INSTANT', `an instant must be Unix ms within ±8.64e15, got ${atMs}`);
}
