/** The canonical text of a filter: equal texts, equal filters, one predicate in the graph. */
import type { Filter } from './filter.ts';

/**
 * Order and repetition under `all`, `any` and in lists do not matter, a lone child stands for its
 * parent, and two `not` cancel. Filters that differ in more than that get different texts even if
 * they decide alike.
 */
export function filterKey(filter: Filter): string {
  if ('all' in filter) return combined('all', filter.all);
  if ('any' in filter) return combined('any', filter.any);
  if ('not' in filter) {
    return 'not' in filter.not ? filterKey(filter.not.not) : `not(${filterKey(filter.not)})`;
  }
  const { property, op, value, i } = filter;
  return JSON.stringify([property, op, canonicalValue(op, value), i ?? false]);
}

function combined(word: 'all' | 'any', children: readonly Filter[]): string {
  const keys = [...new Set(children.map(filterKey))].sort();
  return keys.length === 1 ? keys[0]! : `${word}(${keys.join(',')})`;
}

function canonicalValue(op: string, value: unknown): unknown {
  if (op === 'in' || op === 'notIn' || op === 'containsAll') {
    return [...new Set((value as readonly unknown[]).map((one) => JSON.stringify(one)))].sort();
  }
  if (op === 'bucket') return Object.entries(value as object).sort(([a], [b]) => (a < b ? -1 : 1));
  return value;
}
