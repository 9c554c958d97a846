/** Durations, instants, days and time zones, as people and programs write them. */

import { LapseError } from '../../../engine/errors/errors.ts';
import { dayNumber } from '../../../engine/time/calendar.ts';
import {
  durationOf,
  formatDuration,
  formatInstant,
  instantOf,
  parseDuration,
  parseInstant,
} from '../../../engine/time/duration.ts';
import { dayAt, dayStartMs, isTimeZone } from '../../../engine/time/zone.ts';
import { after, before, dateOf, exactlyAgo, isDate, on } from '../../../operators/filters/dates.ts';
import { numberOf } from '../../../operators/filters/values.ts';
import { headLength } from '../mutation/mutator.ts';
import { demand, type FuzzTarget, type Outcome } from '../target.ts';

const NOW_MS = Date.parse('2026-01-05T09:00:00Z');
const DAY_MS = 86_400_000;

/** A first line `#<zone>`, then a text that may be a duration, an instant, a day or a number. */
function run(input: Uint8Array): Outcome {
  const start = headLength(input);
  const zone = Buffer.from(input.subarray(1, Math.max(1, start - 1))).toString();
  const text = Buffer.from(input.subarray(start)).toString();
  const timezone = isTimeZone(zone) ? zone : 'UTC';
  const results = [runDuration(text), runInstant(text), runDate(text, timezone), runDays(timezone)];
  numberOf(text);
  return results.includes(true) ? 'accepted' : 'refused';
}

function runDuration(text: string): boolean {
  const ms = durationOf(text);
  demand(Number.isNaN(ms) === refuses(() => parseDuration(text)), () => 'One reader refuses it.');
  if (Number.isNaN(ms)) return false;
  demand(Number.isSafeInteger(ms) && ms >= 0, () => `A duration of ${ms} ms.`);
  demand(durationOf(formatDuration(ms)) === ms, () => `${formatDuration(ms)} is not ${ms} ms.`);
  return true;
}

function runInstant(text: string): boolean {
  const ms = instantOf(text);
  demand(Number.isNaN(ms) === refuses(() => parseInstant(text)), () => 'One reader refuses it.');
  if (Number.isNaN(ms)) return false;
  demand(Number.isSafeInteger(ms), () => `An instant of ${ms} ms.`);
  const again = new Date(ms).getUTCFullYear() <= 9_999 ? formatInstant(ms) : undefined;
  if (again?.[0] !== undefined && /^\d/.test(again)) {
    demand(instantOf(again) === ms, () => `${again} is not ${ms}.`);
  }
  return true;
}

/** What a filter does with such a property and such a value. */
function runDate(text: string, timezone: string): boolean {
  const atMs = dateOf(text, timezone);
  const context = { nowMs: NOW_MS, timezone };
  for (const test of [before('2026-01-05'), after('2026-01-05'), on(NOW_MS), exactlyAgo('3d')]) {
    demand(typeof test(text, context) === 'boolean', () => 'A date test says neither yes nor no.');
  }
  if (!isDate(text)) return false;
  for (const test of [before(text), after(text), on(text)]) test(NOW_MS, context);
  demand(on(text)(text, context), () => `${text} is not on its own day.`);
  return !Number.isNaN(atMs);
}

function runDays(timezone: string): boolean {
  if (timezone === 'UTC') return false;
  const day = dayAt(NOW_MS, timezone);
  const startMs = dayStartMs(day, timezone);
  demand(
    startMs <= NOW_MS && NOW_MS - startMs <= 1.5 * DAY_MS,
    () => `${timezone} begins ${startMs}.`,
  );
  demand(Math.abs(day - dayNumber(2026, 1, 5)) <= 1, () => `${timezone} has the day ${day}.`);
  return true;
}

function refuses(read: () => unknown): boolean {
  try {
    read();
    return false;
  } catch (error) {
    if (error instanceof LapseError) return true;
    throw error;
  }
}

export const times: FuzzTarget = {
  name: 'times',
  format: 'bytes',
  seeds: () => [
    '#UTC\n1h30m',
    '#Asia/Kolkata\n2026-01-05T09:00:00.123Z',
    '#America/New_York\n2026-03-08T02:30:00-05:00',
    '#Pacific/Apia\n2011-12-30',
    '#Europe/London\n$D_1767603600',
    '#Africa/Casablanca\n0001-01-01T00:00+23:59',
    '#America/Sao_Paulo\n1.5e3',
  ],
  words: [
    '9d',
    '24h',
    '60m',
    '1000ms',
    'ms',
    '9999-12-31T23:59:59.999Z',
    '0000-01-01',
    'T',
    'Z',
    '+05:30',
    '-00:00',
    '.999999999',
    '$D_',
    '#IST\n',
    '#EST\n',
    '#utc\n',
    '#Etc/GMT+12\n',
    '1111111111111111',
  ],
  share: 0.6,
  open: () => ({ run }),
};
