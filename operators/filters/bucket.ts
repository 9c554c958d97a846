/** `bucket: {lt: 100}`: conditions on the user's fixed random bucket, a whole number below 1,000. */
import { USER_BUCKET_COUNT } from './limits.ts';

export const BUCKET_OPERATORS = ['eq', 'lt', 'lte', 'gt', 'gte', 'between'] as const;
export type BucketOperator = (typeof BUCKET_OPERATORS)[number];

/** As written: one or more operators, side by side AND. */
export type BucketBounds = Readonly<Partial<Record<BucketOperator, number | [number, number]>>>;

/** Inclusive ends of the run of buckets that the bounds let through; empty when `from > to`. */
export function bucketRange(bounds: BucketBounds): { from: number; to: number } {
  let from = 0;
  let to = USER_BUCKET_COUNT - 1;
  for (const [op, value] of Object.entries(bounds)) {
    const [low, high] = Array.isArray(value) ? value : [value, value];
    if (op === 'eq' || op === 'between' || op === 'gte') from = Math.max(from, low);
    if (op === 'eq' || op === 'between' || op === 'lte') to = Math.min(to, high);
    if (op === 'gt') from = Math.max(from, low + 1);
    if (op === 'lt') to = Math.min(to, high - 1);
  }
  return { from, to };
}
