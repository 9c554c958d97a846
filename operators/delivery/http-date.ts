/**
 * The three forms of a date in HTTP (RFC 9110, 5.6.7). Each is in UTC, also when it does not say
 * so: `Date.parse` would take the last form to be of the machine's zone.
 *
 *   Sun, 06 Nov 1994 08:49:37 GMT   IMF-fixdate; senders also write UTC, +0000 or nothing
 *   Sunday, 06-Nov-94 08:49:37 GMT  RFC 850
 *   Sun Nov  6 08:49:37 1994        asctime
 */
const TIME = '(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)';
const ZONE = '(?: (?:GMT|UTC|Z|[+-]0000))?';
const FORMS = [
  `[a-z]{3}, ?(?<day>\\d\\d?) (?<month>[a-z]{3}) (?<year>\\d{4}) ${TIME}${ZONE}`,
  `[a-z]{6,9}, ?(?<day>\\d\\d?)-(?<month>[a-z]{3})-(?<year>\\d\\d) ${TIME}${ZONE}`,
  `[a-z]{3} (?<month>[a-z]{3}) {1,2}(?<day>\\d\\d?) ${TIME} (?<year>\\d{4})${ZONE}`,
].map((form) => new RegExp(`^${form}$`, 'i'));
const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');

/**
 * @param nowMs a year of two digits is never more than 50 years ahead of it
 * @returns Unix ms, or NaN when it is no such date
 */
export function httpDateMs(text: string, nowMs: number): number {
  for (const form of FORMS) {
    const parts = form.exec(text)?.groups;
    if (parts !== undefined) return dateOf(parts, nowMs);
  }
  return Number.NaN;
}

function dateOf(parts: Readonly<Record<string, string>>, nowMs: number): number {
  const number = (name: string) => Number(parts[name]);
  const month = MONTHS.indexOf(parts.month!.toLowerCase());
  const year = parts.year!.length === 2 ? fullYear(number('year'), nowMs) : number('year');
  const day = number('day');
  const [hour, minute, second] = [number('hour'), number('minute'), number('second')];
  // 60 is a leap second, which counts as the first of the next minute.
  if (month < 0 || hour > 23 || minute > 59 || second > 60) return Number.NaN;
  const midnight = new Date(0);
  midnight.setUTCFullYear(year, month, day);
  // A day that its month does not have would be one of the next month.
  if (midnight.getUTCDate() !== day) return Number.NaN;
  return midnight.getTime() + ((hour * 60 + minute) * 60 + second) * 1_000;
}

function fullYear(twoDigits: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + twoDigits;
  return year > thisYear + 50 ? year - 100 : year;
}
