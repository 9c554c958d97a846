import type { Filter } from '../filters/filter.ts';

const SHOWN_CHARS_MAX = 60;
const SIGNS: Readonly<Record<string, string>> = {
  eq: '=',
  ne: '≠',
  gt: '>',
  gte: '≥',
  lt: '<',
  lte: '≤',
};

/** A filter in one short line, for people: `price ≥ 20 and plan = "pro"`. */
export function filterText(filter: Filter): string {
  const text = textOf(filter);
  return text.length <= SHOWN_CHARS_MAX ? text : `${text.slice(0, SHOWN_CHARS_MAX - 1)}…`;
}

function textOf(filter: Filter): string {
  if ('all' in filter) return filter.all.map(inner).join(' and ');
  if ('any' in filter) return filter.any.map(inner).join(' or ');
  if ('not' in filter) return `not ${inner(filter.not)}`;
  const { property, op, value } = filter;
  return `${property} ${SIGNS[op] ?? op} ${JSON.stringify(value)}`.trim();
}

function inner(filter: Filter): string {
  const isList =
    ('all' in filter && filter.all.length > 1) || ('any' in filter && filter.any.length > 1);
  return isList ? `(${textOf(filter)})` : textOf(filter);
}
