import { exactNumber } from '../../engine/json/whole-numbers.ts';

/**
 * The values of conditions as definitions hold them. Definitions are plain JSON, so that they
 * travel in control records and stand in checkpoints and files, and JSON's readers round a large
 * whole number: it is kept as `{whole: "7615917337495251231"}`.
 */

/** @param value as written: a scalar, or a list of them */
export function storedValue(value: unknown): unknown {
  const exact = typeof value === 'number' ? exactNumber(value) : value;
  if (typeof exact === 'bigint') return { whole: String(exact) };
  return Array.isArray(exact) ? exact.map(storedValue) : exact;
}

/** What `storedValue` was given. */
export function valueOfStored(stored: unknown): unknown {
  if (Array.isArray(stored)) return stored.map(valueOfStored);
  // Of definitions that were stored before large numbers were kept apart.
  if (typeof stored === 'number') return exactNumber(stored);
  if (typeof stored !== 'object' || stored === null || !('whole' in stored)) return stored;
  return BigInt(String(stored.whole));
}
