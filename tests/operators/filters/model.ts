/**
 * The slow and obvious evaluator that the compiled one is held against: straight over the tree,
 * from the sentences of SPEC 2.3, sharing no code with it but the calendar.
 */
import { calendarDayOf, DAY_MS, parseDuration } from '../../../engine/time/duration.ts';
import { dayAt, dayStartMs } from '../../../engine/time/zone.ts';
import type { FilterContext } from '../../../operators/filters/compile.ts';
import type { Condition, Filter } from '../../../operators/filters/filter.ts';

export function evaluate(filter: Filter, context: FilterContext): boolean {
  if ('all' in filter) return filter.all.every((child) => evaluate(child, context));
  if ('any' in filter) return filter.any.some((child) => evaluate(child, context));
  if ('not' in filter) return !evaluate(filter.not, context);
  return holds(filter, context);
}

function lookUp(properties: Readonly<Record<string, unknown>>, path: string): unknown {
  const literal = Object.entries(properties).find(([key]) => key === path)?.[1];
  if (literal !== undefined && literal !== null) return literal;
  let value: unknown = properties;
  for (const step of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.entries(value).find(([key]) => key === step)?.[1];
  }
  return value ?? undefined;
}

function numeric(value: unknown): number | bigint | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  if (typeof value !== 'string' || value.trim() !== value || !/^[-+.\deE]+$/.test(value)) return;
  if (/^[-+]?\d{16,}$/.test(value)) return BigInt(value.replace('+', ''));
  return value !== '' && Number.isFinite(Number(value)) ? Number(value) : undefined;
}

/** Large whole numbers of definitions are written `{whole: "…"}`. */
function asWritten(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asWritten);
  const { whole } = (value ?? {}) as { whole?: string };
  return whole === undefined ? value : BigInt(whole);
}

function same(property: unknown, wanted: unknown, i: boolean): boolean {
  if (Array.isArray(property))
    return property.some((one) => !Array.isArray(one) && same(one, wanted, i));
  if (wanted === true) return [true, 'true', 'True'].includes(property as string);
  if (wanted === false) return [false, 'false', 'False'].includes(property as string);
  if (typeof wanted === 'string' && typeof property === 'string' && i) {
    return wanted.toLowerCase() === property.toLowerCase();
  }
  return wanted === property;
}

function includes(property: unknown, wanted: unknown, i: boolean): boolean {
  if (Array.isArray(property)) return same(property, wanted, i);
  return both(property, wanted, i, (text, part) => text.includes(part));
}

function both(
  property: unknown,
  wanted: unknown,
  i: boolean,
  test: (property: string, wanted: string) => boolean,
): boolean {
  if (typeof property !== 'string' || typeof wanted !== 'string') return false;
  return i ? test(property.toLowerCase(), wanted.toLowerCase()) : test(property, wanted);
}

function dateMs(value: unknown, timezone: string): number | undefined {
  if (typeof value === 'number') return Math.abs(value) < 1e11 ? value * 1_000 : value;
  if (typeof value !== 'string') return undefined;
  if (/^\$D_\d+$/.test(value)) return Number(value.slice(3)) * 1_000;
  if (/^\d{4}-\d\d-\d\d$/.test(value)) {
    const isDay = new Date(value).toJSON()?.startsWith(value) === true;
    return isDay ? dayStartMs(calendarDayOf(value), timezone) : undefined;
  }
  const isInstant = /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(value);
  return isInstant ? Date.parse(value) : undefined;
}

function holds(stored: Condition, context: FilterContext): boolean {
  const condition = { ...stored, value: asWritten(stored.value) };
  const { op, value: wanted } = condition;
  if (op === 'bucket') return bucketHolds(wanted as Record<string, unknown>, context.userBucket);
  const property = lookUp(context.properties, condition.property);
  if (op === 'exists') return (property !== undefined) === wanted;
  const negative = { ne: 'eq', notIn: 'in', notContains: 'contains' } as const;
  if (op === 'ne' || op === 'notIn' || op === 'notContains') {
    return !holds({ ...condition, op: negative[op] }, context);
  }
  if (property === undefined) return false;
  return valueHolds(condition, property) ?? dateHolds(condition, property, context);
}

function bucketHolds(bounds: Record<string, unknown>, bucket: number): boolean {
  return Object.entries(bounds).every(([op, bound]) => {
    const value = op === 'between' ? bound : Number(bound);
    return numberHolds(op, bucket, value);
  });
}

function numberHolds(op: string, number: number | bigint, wanted: unknown): boolean {
  if (op === 'between') {
    const [low, high] = wanted as unknown[];
    return number >= numeric(low)! && number <= numeric(high)!;
  }
  const limit = numeric(wanted)!;
  if (op === 'eq') return number === limit;
  if (op === 'gt') return number > limit;
  if (op === 'gte') return number >= limit;
  return op === 'lt' ? number < limit : number <= limit;
}

function valueHolds(condition: Condition, property: unknown): boolean | undefined {
  const { op, value: wanted } = condition;
  const i = condition.i === true;
  if (op === 'eq') return same(property, wanted, i);
  if (op === 'in') return (wanted as unknown[]).some((one) => same(property, one, i));
  if (op === 'contains') return includes(property, wanted, i);
  if (op === 'containsAll') return (wanted as unknown[]).every((one) => includes(property, one, i));
  if (op === 'startsWith') return both(property, wanted, i, (text, part) => text.startsWith(part));
  if (op === 'endsWith') return both(property, wanted, i, (text, part) => text.endsWith(part));
  if (op === 'matches') {
    return (
      typeof property === 'string' && new RegExp(wanted as string, i ? 'iu' : 'u').test(property)
    );
  }
  if (op === 'isTrue') return !Array.isArray(property) && same(property, true, false);
  if (op === 'isFalse') return !Array.isArray(property) && same(property, false, false);
  if (['gt', 'gte', 'lt', 'lte', 'between'].includes(op)) {
    const number = numeric(property);
    return number !== undefined && numberHolds(op, number, wanted);
  }
  return undefined;
}

function dateHolds(condition: Condition, property: unknown, context: FilterContext): boolean {
  const { op, value: wanted } = condition;
  const { nowMs, timezone } = context;
  const atMs = dateMs(property, timezone);
  if (atMs === undefined) return false;
  const dayOf = (ms: number) => dayAt(ms, timezone);
  if (op === 'inLast') return atMs <= nowMs && nowMs - atMs <= parseDuration(wanted as string);
  if (op === 'inNext') return atMs >= nowMs && atMs - nowMs <= parseDuration(wanted as string);
  if (op === 'exactlyAgo') {
    return dayOf(nowMs) - dayOf(atMs) === parseDuration(wanted as string) / DAY_MS;
  }
  const wantedMs = dateMs(wanted, timezone)!;
  if (op === 'on') return dayOf(atMs) === dayOf(wantedMs);
  const isDay = typeof wanted === 'string' && wanted.length === 10 && !wanted.startsWith('$');
  if (op === 'before') return isDay ? dayOf(atMs) < dayOf(wantedMs) : atMs < wantedMs;
  return isDay ? dayOf(atMs) > dayOf(wantedMs) : atMs > wantedMs;
}
