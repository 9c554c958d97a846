/**
 * Clocks and calendar days in time zones. A day is a number, counted from 1970-01-01; where it
 * begins and ends depends on the zone, and not every day has 24 hours. The *wall time* of an
 * instant is what a clock in the zone shows, written as ms as if the clock were in UTC.
 *
 * These functions run per event: offsets are kept by zone and UTC day, because asking the calendar
 * costs about 10 µs each time.
 */
import { Temporal } from 'temporal-polyfill';
import { DAY_MS } from './calendar.ts';

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

/** The offsets of a zone on one UTC day: a clock changes once a day at most. */
interface DayOffsets {
  readonly beforeMs: number;
  readonly afterMs: number;
  /** From here on `afterMs` holds. Unix ms; not within the day when the clock does not change. */
  readonly changesAtMs: number;
}

/** About 100 bytes each. A program that meets more forgets them all and starts again. */
const DAYS_KEPT_MAX = 50_000;

const zones = new Map<string, Map<number, DayOffsets>>();
let daysKept = 0;

function askOffsetMs(atMs: number, timezone: string): number {
  const instant = Temporal.Instant.fromEpochMilliseconds(atMs);
  return instant.toZonedDateTimeISO(timezone).offsetNanoseconds / 1e6;
}

function askDay(day: number, timezone: string): DayOffsets {
  let fromMs = day * DAY_MS;
  let untilMs = fromMs + DAY_MS;
  const beforeMs = askOffsetMs(fromMs, timezone);
  const afterMs = askOffsetMs(untilMs - 1, timezone);
  if (beforeMs === afterMs) return { beforeMs, afterMs, changesAtMs: untilMs };
  while (untilMs - fromMs > 1) {
    const middleMs = Math.floor((fromMs + untilMs) / 2);
    if (askOffsetMs(middleMs, timezone) === beforeMs) fromMs = middleMs;
    else untilMs = middleMs;
  }
  return { beforeMs, afterMs, changesAtMs: untilMs };
}

function offsetsOf(day: number, timezone: string): DayOffsets {
  let days = zones.get(timezone);
  const known = days?.get(day);
  if (known !== undefined) return known;
  if (daysKept >= DAYS_KEPT_MAX) {
    zones.clear();
    daysKept = 0;
    days = undefined;
  }
  if (days === undefined) {
    days = new Map();
    zones.set(timezone, days);
  }
  const asked = askDay(day, timezone);
  days.set(day, asked);
  daysKept++;
  return asked;
}

/**
 * What clocks in the zone are ahead of UTC at the instant (Unix ms, within ±8e15), in ms.
 * @throws RangeError for a name that is no zone; ask `isTimeZone` about names that users give
 */
export function zoneOffsetMs(atMs: number, timezone: string): number {
  if (timezone === 'UTC') return 0;
  const { beforeMs, afterMs, changesAtMs } = offsetsOf(Math.floor(atMs / DAY_MS), timezone);
  return atMs < changesAtMs ? beforeMs : afterMs;
}

/** What a clock in the zone shows at the instant (Unix ms). */
export function wallTimeMs(atMs: number, timezone: string): number {
  return atMs + zoneOffsetMs(atMs, timezone);
}

/**
 * The first instant (Unix ms) at which a clock in the zone shows this wall time or a later one. So
 * a time that clocks skip is the instant of the change, and of one that they show twice it is the
 * first (E19).
 */
export function instantOfWallMs(wallMs: number, timezone: string): number {
  if (timezone === 'UTC') return wallMs;
  // No clock is further than a day from UTC, so the offset that is looked for is one of the two.
  const beforeMs = zoneOffsetMs(wallMs - DAY_MS, timezone);
  const afterMs = zoneOffsetMs(wallMs + DAY_MS, timezone);
  const earlierMs = wallMs - beforeMs;
  if (beforeMs === afterMs || zoneOffsetMs(earlierMs, timezone) === beforeMs) return earlierMs;
  const laterMs = wallMs - afterMs;
  if (zoneOffsetMs(laterMs, timezone) === afterMs) return laterMs;
  // Skipped: the clock changes after `laterMs`, and by `earlierMs` at the latest.
  return changeAfterMs(laterMs, timezone);
}

function changeAfterMs(atMs: number, timezone: string): number {
  for (let day = Math.floor(atMs / DAY_MS); ; day++) {
    const { beforeMs, afterMs, changesAtMs } = offsetsOf(day, timezone);
    if (beforeMs !== afterMs && changesAtMs > atMs) return changesAtMs;
    const nextDayMs = (day + 1) * DAY_MS;
    if (offsetsOf(day + 1, timezone).beforeMs !== afterMs) return nextDayMs;
  }
}

/** The calendar day that the instant (Unix ms) falls on in the zone. */
export function dayAt(atMs: number, timezone: string): number {
  return Math.floor(wallTimeMs(atMs, timezone) / DAY_MS);
}

/** Unix ms of the first instant of the day in the zone, also where clocks skip midnight. */
export function dayStartMs(day: number, timezone: string): number {
  return instantOfWallMs(day * DAY_MS, timezone);
}

/** 1 (Monday) to 7. */
export function weekdayOf(day: number): number {
  // Day 0 was a Thursday.
  return ((((day + 3) % 7) + 7) % 7) + 1;
}
