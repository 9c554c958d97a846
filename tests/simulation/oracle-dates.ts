/** When a `date` rule is due, by the sentences of SPEC 2.1. */
import { DAY_MS, instantOf, MINUTE_MS, wallOf } from './oracle-zones.ts';
import type { DateConfig } from './workload.ts';

/** @returns the first instant from `fromMs` on, undefined without one */
export function dateDueAt(
  value: unknown,
  rule: DateConfig,
  zone: string,
  fromMs: number,
): number | undefined {
  const wallMs = wallOfDate(value, zone);
  if (wallMs === undefined) return undefined;
  if (!rule.yearly) {
    const dueMs = dueOf(wallMs, rule, zone);
    return dueMs >= fromMs ? dueMs : undefined;
  }
  const firstYear = new Date(wallMs).getUTCFullYear();
  for (let year = firstYear; ; year++) {
    const dueMs = dueOf(anniversary(wallMs, year), rule, zone);
    if (dueMs >= fromMs) return dueMs;
  }
}

/** A date without time is midnight in the zone. */
function wallOfDate(value: unknown, zone: string): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) return undefined;
  return /^\d{4}-\d\d-\d\d$/.test(value as string) ? ms : wallOf(ms, zone);
}

function anniversary(wallMs: number, year: number): number {
  const date = new Date(wallMs);
  date.setUTCFullYear(year);
  return date.getTime();
}

function dueOf(wallMs: number, { offset, atMinute }: DateConfig, zone: string): number {
  const dueMs = wallMs + offset.days * DAY_MS + offset.ms;
  if (atMinute === undefined) return instantOf(dueMs, zone);
  return instantOf(Math.floor(dueMs / DAY_MS) * DAY_MS + atMinute * MINUTE_MS, zone);
}
