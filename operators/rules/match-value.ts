import { writeJson } from '../../engine/json/write-json.ts';

/**
 * The text by which match values are compared: equal texts, equal values. Numbers and texts stay
 * apart, whole numbers keep every digit, and the names of an object have no order, as in JSON.
 */
export function matchText(value: unknown): string {
  return writeJson(typeof value === 'object' ? ordered(value) : value);
}

function ordered(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(ordered);
  // Names that are whole numbers come first whatever their order; they do so in both.
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, ordered(member)]));
}
