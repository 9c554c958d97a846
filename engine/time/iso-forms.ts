/**
 * The forms of ISO 8601 that senders write rarely: basic ones without separators, week and ordinal
 * dates, years of six digits, midnight as 24:00, leap seconds, fractions of minutes and hours, and
 * the space that RFC 3339 allows for the T. The usual form is read in `duration.ts`.
 */
import { DAY_MS, dayNumber, HOUR_MS, MINUTE_MS, monthDays, SECOND_MS } from './calendar.ts';

const YEAR = String.raw`(?<year>\d{4}|[+\-\u2212]\d{6})`;
const DATE =
  `${YEAR}(?:` +
  String.raw`-(?<month>\d\d)-(?<day>\d\d)|-(?<ordinal>\d{3})|-W(?<week>\d\d)-(?<weekday>[1-7])|` +
  String.raw`(?<basicMonth>\d\d)(?<basicDay>\d\d)|(?<basicOrdinal>\d{3})|` +
  String.raw`W(?<basicWeek>\d\d)(?<basicWeekday>[1-7]))`;
const TIME =
  String.raw`(?<hour>\d\d)(?::(?<minute>\d\d)(?::(?<second>\d\d))?|` +
  String.raw`(?<basicMinute>\d\d)(?<basicSecond>\d\d)?)?(?:[.,](?<fraction>\d+))?`;
const ZONE = String.raw`(?:[Zz]|(?<sign>[+\-\u2212])(?<zoneHour>\d\d)(?::?(?<zoneMinute>\d\d))?)`;
const INSTANT = new RegExp(`^${DATE}[Tt ]${TIME}${ZONE}$`);

const CHARS_MAX = 64;
/** Digits of a fraction that can change a millisecond of an hour. */
const FRACTION_DIGITS_MAX = 15;
/** What `Date` can hold, and with it every calendar. */
const INSTANT_MS_MAX = 8.64e15;

/**
 * Unix ms; NaN when the text is no instant with a zone. A leap second, whenever it is said to be,
 * is the first second of the next minute. Digits below the millisecond are cut off.
 */
export function rareInstantOf(text: string): number {
  const parts = text.length > CHARS_MAX ? undefined : INSTANT.exec(text)?.groups;
  if (parts === undefined) return Number.NaN;
  const atMs = dayOf(parts) * DAY_MS + timeOf(parts) - offsetOf(parts);
  return Math.abs(atMs) <= INSTANT_MS_MAX ? atMs : Number.NaN;
}

type Parts = Readonly<Record<string, string | undefined>>;

/** Days from 1970-01-01; NaN when there is no such day. */
function dayOf(parts: Parts): number {
  const year = Number(parts.year!.replace('\u2212', '-'));
  if (Object.is(year, -0)) return Number.NaN;
  const ordinal = Number(parts.ordinal ?? parts.basicOrdinal);
  if (!Number.isNaN(ordinal)) {
    const first = dayNumber(year, 1, 1);
    const isDay = ordinal >= 1 && first + ordinal <= dayNumber(year + 1, 1, 1);
    return isDay ? first + ordinal - 1 : Number.NaN;
  }
  const week = Number(parts.week ?? parts.basicWeek);
  if (!Number.isNaN(week)) {
    const monday = mondayOfFirstWeek(year) + 7 * (week - 1);
    const isWeek = week >= 1 && monday < mondayOfFirstWeek(year + 1);
    return isWeek ? monday + Number(parts.weekday ?? parts.basicWeekday) - 1 : Number.NaN;
  }
  const month = Number(parts.month ?? parts.basicMonth);
  const day = Number(parts.day ?? parts.basicDay);
  return day >= 1 && day <= monthDays(year, month) ? dayNumber(year, month, day) : Number.NaN;
}

/** The first week of a year is the one with 4 January in it. */
function mondayOfFirstWeek(year: number): number {
  const day = dayNumber(year, 1, 4);
  // 1970-01-01 was a Thursday.
  return day - ((((day + 3) % 7) + 7) % 7);
}

function timeOf(parts: Parts): number {
  const { hour, fraction = '' } = parts;
  const minute = parts.minute ?? parts.basicMinute;
  const second = parts.second ?? parts.basicSecond;
  const unitMs = second !== undefined ? SECOND_MS : minute !== undefined ? MINUTE_MS : HOUR_MS;
  const ms =
    Number(hour) * HOUR_MS +
    Number(minute ?? 0) * MINUTE_MS +
    Number(second ?? 0) * SECOND_MS +
    fractionOf(fraction.slice(0, FRACTION_DIGITS_MAX), unitMs);
  // Beside the hour 24 nothing else but zeros may be.
  const isHour = Number(hour) < 24 || (Number(hour) === 24 && ms === DAY_MS);
  return isHour && Number(minute ?? 0) < 60 && Number(second ?? 0) <= 60 ? ms : Number.NaN;
}

/** In whole numbers: doubles make 569 ms of 0.57 s. */
function fractionOf(digits: string, unitMs: number): number {
  return Number((BigInt(digits || '0') * BigInt(unitMs)) / 10n ** BigInt(digits.length));
}

function offsetOf({ sign, zoneHour = '0', zoneMinute = '0' }: Parts): number {
  const [hours, minutes] = [Number(zoneHour), Number(zoneMinute)];
  if (hours > 23 || minutes > 59) return Number.NaN;
  const ms = hours * HOUR_MS + minutes * MINUTE_MS;
  return sign === undefined || sign === '+' ? ms : -ms;
}
