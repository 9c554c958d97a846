/** Names, values and filters of events, the obvious way (SPEC 2.1, 2.3). */
import type { EventConfig, Where } from './workload.ts';

export function nameOf(name: string): string {
  return name.toLowerCase().replaceAll(' ', '');
}

export function valueText(
  facts: Readonly<Record<string, unknown>>,
  path: string,
): string | undefined {
  let value: unknown = facts;
  for (const step of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value === undefined || value === null ? undefined : JSON.stringify(value);
}

export function matches(
  { where }: EventConfig,
  event: { readonly facts: Readonly<Record<string, unknown>> },
): boolean {
  return where === undefined || holds(where, event.facts);
}

export function holds(where: Where, facts: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(where).every(([key, wanted]) => {
    if (key === 'any') return (wanted as Where[]).some((one) => holds(one, facts));
    if (key === 'not') return !holds(wanted as Where, facts);
    const value = facts[key];
    if (typeof wanted !== 'object' || wanted === null) return value === wanted;
    return Object.entries(wanted).every(([op, bound]) => holdsOne(op, value, bound));
  });
}

function holdsOne(op: string, value: unknown, bound: unknown): boolean {
  if (op === 'exists') return (value !== undefined) === bound;
  if (op === 'ne') return value !== bound;
  if (op === 'in') return value !== undefined && (bound as unknown[]).includes(value);
  if (typeof value !== 'number') return false;
  if (op === 'between') {
    const [low, high] = bound as [number, number];
    return value >= low && value <= high;
  }
  const limit = bound as number;
  if (op === 'gte') return value >= limit;
  if (op === 'lte') return value <= limit;
  if (op === 'lt') return value < limit;
  throw new Error(`the oracle does not know ${op}`);
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function userKey({ user, isAnonymous }: { user: string; isAnonymous: boolean }): string {
  return `${isAnonymous ? 'a' : 'u'}:${user}`;
}
