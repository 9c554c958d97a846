/**
 * The operators on dates. A property is a date when it is an ISO 8601 instant with a zone, a day
 * `2026-01-05` (its beginning in the account's zone), CleverTap's `$D_<epoch seconds>`, or a number
 * of epoch seconds or milliseconds; anything else fails every one of them.
 */
import { calendarDayOf, DAY_MS, durationOf, instantOf } from '../../engine/time/duration.ts';
import { dayAt, dayStartMs } from '../../engine/time/zone.ts';

/**
 * Numbers from here on are milliseconds (this one is in 1973), smaller ones are seconds (this
 * one would be in the year 5138).
 */
export const EPOCH_MS_MIN = 1e11;

export interface TimeContext {
  /** Partition time, Unix ms. */
  readonly nowMs: number;
  /** The account's zone, an IANA name. */
  readonly timezone: string;
}

export type DateTest = (value: unknown, context: TimeContext) => boolean;

const CLEVERTAP_DATE = /^\$D_(\d{1,15})$/;

/** Unix ms of a date in any of the forms above; NaN when it is none. */
export function dateOf(value: unknown, timezone: string): number {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return Number.NaN;
    return Math.abs(value) >= EPOCH_MS_MIN ? value : value * 1_000;
  }
  if (typeof value !== 'string') return Number.NaN;
  if (value.startsWith('$D_')) {
    const seconds = CLEVERTAP_DATE.exec(value)?.[1];
    return seconds === undefined ? Number.NaN : Number(seconds) * 1_000;
  }
  const day = calendarDayOf(value);
  return Number.isNaN(day) ? instantOf(value) : dayStartMs(day, timezone);
}

/** A little inside of what calendars can compute with, so that the days around it exist too. */
const DATE_MS_MAX = 8e15;

/** True for what `before`, `after` and `on` may be given. */
export function isDate(value: unknown): boolean {
  return Math.abs(dateOf(value, 'UTC')) <= DATE_MS_MAX;
}

/** A day's bounds in a zone; worked out again only when the zone changes. */
class DayBounds {
  #timezone: string | undefined;
  readonly #dayIn: (timezone: string) => number;
  fromMs = 0;
  /** Exclusive. */
  untilMs = 0;

  constructor(dayIn: (timezone: string) => number) {
    this.#dayIn = dayIn;
  }

  in(timezone: string): this {
    if (timezone !== this.#timezone) {
      const day = this.#dayIn(timezone);
      this.fromMs = dayStartMs(day, timezone);
      this.untilMs = dayStartMs(day + 1, timezone);
      this.#timezone = timezone;
    }
    return this;
  }
}

function boundsOfDate(date: unknown): DayBounds {
  return new DayBounds((timezone) => dayAt(dateOf(date, timezone), timezone));
}

function isWholeDay(date: unknown): boolean {
  return typeof date === 'string' && !Number.isNaN(calendarDayOf(date));
}

/** Before the instant; before the beginning of a day. */
export function before(date: unknown): DateTest {
  if (!isWholeDay(date)) {
    const limitMs = dateOf(date, 'UTC');
    return (value, { timezone }) => dateOf(value, timezone) < limitMs;
  }
  const bounds = boundsOfDate(date);
  return (value, { timezone }) => dateOf(value, timezone) < bounds.in(timezone).fromMs;
}

/** After the instant; after the end of a day. */
export function after(date: unknown): DateTest {
  if (!isWholeDay(date)) {
    const limitMs = dateOf(date, 'UTC');
    return (value, { timezone }) => dateOf(value, timezone) > limitMs;
  }
  const bounds = boundsOfDate(date);
  return (value, { timezone }) => dateOf(value, timezone) >= bounds.in(timezone).untilMs;
}

/** On the calendar day of the date, in the account's zone. */
export function on(date: unknown): DateTest {
  const bounds = boundsOfDate(date);
  return (value, { timezone }) => {
    const atMs = dateOf(value, timezone);
    const { fromMs, untilMs } = bounds.in(timezone);
    return atMs >= fromMs && atMs < untilMs;
  };
}

/** Within the duration up to now, both ends included. */
export function inLast(duration: string): DateTest {
  const durationMs = durationOf(duration);
  return (value, { nowMs, timezone }) => {
    const atMs = dateOf(value, timezone);
    return atMs >= nowMs - durationMs && atMs <= nowMs;
  };
}

/** Within the duration from now, both ends included. */
export function inNext(duration: string): DateTest {
  const durationMs = durationOf(duration);
  return (value, { nowMs, timezone }) => {
    const atMs = dateOf(value, timezone);
    return atMs >= nowMs && atMs <= nowMs + durationMs;
  };
}

/** On the calendar day that was so many days ago in the account's zone. */
export function exactlyAgo(duration: string): DateTest {
  const days = durationOf(duration) / DAY_MS;
  let today = new DayBounds(() => 0);
  let target = new DayBounds(() => -days);
  return (value, { nowMs, timezone }) => {
    const atMs = dateOf(value, timezone);
    if (Number.isNaN(atMs)) return false;
    const { fromMs, untilMs } = today.in(timezone);
    if (nowMs < fromMs || nowMs >= untilMs) {
      // Once a day and zone: the other evaluations only compare.
      const day = dayAt(nowMs, timezone);
      today = new DayBounds(() => day);
      target = new DayBounds(() => day - days);
      today.in(timezone);
    }
    const { fromMs: targetFromMs, untilMs: targetUntilMs } = target.in(timezone);
    return atMs >= targetFromMs && atMs < targetUntilMs;
  };
}
