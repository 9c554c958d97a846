import { Temporal } from 'temporal-polyfill';
import type { DueAtOptions } from '../../../../operators/rules/date/due-at.ts';

/** The first instant at which a clock shows the time or a later one, by asking the calendar. */
function firstInstant(wall: Temporal.PlainDateTime, timezone: string): number {
  const earlier = wall.toZonedDateTime(timezone, { disambiguation: 'earlier' });
  const later = wall.toZonedDateTime(timezone, { disambiguation: 'later' });
  const isShown = earlier.toPlainDateTime().equals(wall);
  if (isShown) return earlier.epochMilliseconds;
  // Skipped: the two are an hour before and after the change.
  const change = earlier.getTimeZoneTransition('next')!;
  if (change.epochMilliseconds > later.epochMilliseconds) throw new Error('not around a change');
  return change.epochMilliseconds;
}

/**
 * When a date is due, year by year from its own, with the arithmetic of Temporal.
 * @param date a day `YYYY-MM-DD` or an instant
 */
export function modelDueAt(date: string, options: DueAtOptions): number | undefined {
  const { rule, timezone, fromMs } = options;
  const isDay = date.length === 10;
  const own = isDay
    ? Temporal.PlainDate.from(date).toPlainDateTime()
    : Temporal.Instant.from(date).toZonedDateTimeISO(timezone).toPlainDateTime();
  const years = rule.yearly ? 400 : 1;
  for (let year = own.year; year < own.year + years; year++) {
    // `with` takes 28 February where there is no 29th.
    const wall = own.with({ year }).add({ days: rule.offset.days });
    const isItself = !isDay && !rule.yearly && rule.offset.days === 0;
    let dueMs = isItself
      ? Temporal.Instant.from(date).epochMilliseconds
      : firstInstant(wall, timezone);
    dueMs += rule.offset.ms;
    if (rule.atMinute !== undefined) {
      const due = Temporal.Instant.fromEpochMilliseconds(dueMs).toZonedDateTimeISO(timezone);
      const time = { hour: Math.floor(rule.atMinute / 60), minute: rule.atMinute % 60 };
      dueMs = firstInstant(due.toPlainDate().toPlainDateTime(time), timezone);
    }
    if (dueMs >= fromMs) return dueMs;
  }
  return undefined;
}
