/** How zones, times of day, instants and offsets are written. */
import { DAY_MS, durationOf, formatDuration, instantOf } from '../../engine/time/duration.ts';
import { isTimeZone } from '../../engine/time/zone.ts';
import type { Leaf } from './leaf.ts';

const DAY_MINUTES = 24 * 60;

export const timezoneLeaf: Leaf<string> = {
  wanted: 'the IANA name of a time zone, like Asia/Kolkata',
  read: (value) => (typeof value === 'string' && isTimeZone(value) ? value : undefined),
  json: { type: 'string', examples: ['Asia/Kolkata'] },
};

/** Minutes from midnight of `HH:MM`; NaN when the text is none. `24:00` is 1,440. */
function minuteOf(value: unknown): number {
  const parts = typeof value === 'string' ? /^(\d\d):([0-5]\d)$/.exec(value) : null;
  if (parts === null) return Number.NaN;
  const minute = Number(parts[1]) * 60 + Number(parts[2]);
  return minute <= DAY_MINUTES ? minute : Number.NaN;
}

/** `09:00`; in minutes from midnight. */
export const timeOfDayLeaf: Leaf<number> = {
  wanted: 'a time of day between 00:00 and 23:59, like 09:00',
  read: (value) => {
    const minute = minuteOf(value);
    return minute < DAY_MINUTES ? minute : undefined;
  },
  json: { type: 'string', pattern: '^([01]\\d|2[0-3]):[0-5]\\d$', examples: ['09:00'] },
};

/** As `timeOfDayLeaf`, and `24:00`, the end of the day. */
export const endOfDayLeaf: Leaf<number> = {
  wanted: 'a time of day between 00:00 and 24:00, like 08:00',
  read: (value) => {
    const minute = minuteOf(value);
    return Number.isNaN(minute) ? undefined : minute;
  },
  json: { type: 'string', pattern: '^(([01]\\d|2[0-3]):[0-5]\\d|24:00)$', examples: ['08:00'] },
};

const INSTANT_WANTED = 'an instant in ISO 8601 with a zone, like 2026-12-31T23:59:59Z';

function readInstant(value: unknown): number | undefined {
  const atMs = typeof value === 'string' ? instantOf(value) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : atMs;
}

/** Unix ms. */
export const instantLeaf: Leaf<number> = {
  wanted: INSTANT_WANTED,
  read: readInstant,
  json: { type: 'string', examples: ['2026-12-31T23:59:59Z'] },
};

export const startLeaf: Leaf<number | 'now'> = {
  wanted: `now or ${INSTANT_WANTED}`,
  read: (value) => (value === 'now' ? value : readInstant(value)),
  json: { type: 'string', examples: ['now', '2026-01-05T09:00:00Z'] },
};

export interface Offset {
  /** Whole days, of the calendar. */
  readonly days: number;
  readonly ms: number;
}

/** `-5d`, `2h`, `-1d12h`: the sign holds for the whole of it. */
export function offset(maxMs: number): Leaf<Offset> {
  return {
    wanted: `a duration of at most ${formatDuration(maxMs)} with or without a sign, like -5d or 2h`,
    read: (value) => {
      if (typeof value !== 'string') return undefined;
      const isNegative = value.startsWith('-');
      const totalMs = durationOf(value.replace(/^[-+]/, ''));
      if (!(totalMs <= maxMs)) return undefined;
      const writtenDays = Number(/^[-+]?(\d+)d/.exec(value)?.[1] ?? 0);
      const days = isNegative && writtenDays !== 0 ? -writtenDays : writtenDays;
      const restMs = totalMs - writtenDays * DAY_MS;
      return { days, ms: isNegative && restMs !== 0 ? -restMs : restMs };
    },
    json: { type: 'string', examples: ['-5d', '2h', '0d'] },
  };
}
