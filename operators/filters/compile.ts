/**
 * Turns a filter into a closure. What can be worked out before the first event is: paths are
 * split, patterns compiled, lists hashed. An evaluation allocates nothing, unless texts compare
 * without regard to case or match a pattern.
 */
import { type BucketBounds, bucketRange } from './bucket.ts';
import { after, before, type DateTest, exactlyAgo, inLast, inNext, on } from './dates.ts';
import type { Condition, Filter } from './filter.ts';
import { compilePattern } from './operators.ts';
import { propertyReader } from './property.ts';
import { valueOfStored } from './stored-value.ts';
import {
  equalTo,
  isFalse,
  isTrue,
  numberOf,
  oneOf,
  orAnyOf,
  type Scalar,
  type ValueTest,
} from './values.ts';

export interface FilterContext {
  /** Of the event, or the profile. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** Partition time, Unix ms. */
  readonly nowMs: number;
  /** The user's fixed random bucket, 0–999. */
  readonly userBucket: number;
  /** The account's zone, an IANA name. */
  readonly timezone: string;
}

export type Predicate = (context: FilterContext) => boolean;

/**
 * @param filter as `parseFilter` made it
 * @returns a closure over nothing but the filter; it never throws
 * @example
 * const isBig = compileFilter(parseFilter({ price: { gte: 20 } }, 'where'));
 * isBig({ properties: { price: 25 }, nowMs: 0, userBucket: 0, timezone: 'UTC' }); // true
 */
export function compileFilter(filter: Filter): Predicate {
  if ('all' in filter) return allOf(filter.all.map(compileFilter));
  if ('any' in filter) return anyOf(filter.any.map(compileFilter));
  if ('not' in filter) {
    const child = compileFilter(filter.not);
    return (context) => !child(context);
  }
  return compileCondition(filter);
}

function allOf(children: readonly Predicate[]): Predicate {
  const [first, second] = children;
  if (first !== undefined && children.length === 1) return first;
  if (first !== undefined && second !== undefined && children.length === 2) {
    return (context) => first(context) && second(context);
  }
  return (context) => {
    for (let i = 0; i < children.length; i++) if (!children[i]!(context)) return false;
    return true;
  };
}

function anyOf(children: readonly Predicate[]): Predicate {
  return (context) => {
    for (let i = 0; i < children.length; i++) if (children[i]!(context)) return true;
    return false;
  };
}

function compileCondition(stored: Condition): Predicate {
  const { op } = stored;
  const value = op === 'bucket' ? stored.value : valueOfStored(stored.value);
  const condition = { ...stored, value };
  if (op === 'bucket') {
    const { from, to } = bucketRange(value as BucketBounds);
    return ({ userBucket }) => userBucket >= from && userBucket <= to;
  }
  const read = propertyReader(condition.property);
  if (op === 'exists') return ({ properties }) => (read(properties) !== undefined) === value;
  const date = dateTest(condition);
  if (date !== undefined) {
    return (context) => {
      const property = read(context.properties);
      return property !== undefined && date(property, context);
    };
  }
  const test = valueTest(condition);
  // The negative operators are the opposite of the positive ones, also for a missing property.
  if (op === 'ne' || op === 'notIn' || op === 'notContains') {
    return ({ properties }) => {
      const property = read(properties);
      return property === undefined || !test(property);
    };
  }
  return ({ properties }) => {
    const property = read(properties);
    return property !== undefined && test(property);
  };
}

function dateTest({ op, value }: Condition): DateTest | undefined {
  switch (op) {
    case 'before':
      return before(value);
    case 'after':
      return after(value);
    case 'on':
      return on(value);
    case 'inLast':
      return inLast(value as string);
    case 'inNext':
      return inNext(value as string);
    case 'exactlyAgo':
      return exactlyAgo(value as string);
    default:
      return undefined;
  }
}

function valueTest(condition: Condition): ValueTest {
  const ignoresCase = condition.i === true;
  const { value } = condition;
  switch (condition.op) {
    case 'eq':
    case 'ne':
      return orAnyOf(equalTo(value as Scalar, ignoresCase));
    case 'in':
    case 'notIn':
      return orAnyOf(oneOf(value as readonly Scalar[], ignoresCase));
    case 'contains':
    case 'notContains':
      return contains(value as Scalar, ignoresCase);
    case 'containsAll': {
      const tests = (value as readonly Scalar[]).map((one) => contains(one, ignoresCase));
      return (property) => tests.every((test) => test(property));
    }
    case 'isTrue':
      return isTrue;
    case 'isFalse':
      return isFalse;
    case 'startsWith':
    case 'endsWith':
    case 'matches':
      return textTest(condition.op, value as string, ignoresCase);
    default:
      return numberTest(condition);
  }
}

/** Part of a text; one of a list's values. */
function contains(wanted: Scalar, ignoresCase: boolean): ValueTest {
  const isEqual = equalTo(wanted, ignoresCase);
  const part = typeof wanted === 'string' ? textPart(wanted, ignoresCase) : () => false;
  return (property) => {
    if (!Array.isArray(property)) return part(property);
    for (let i = 0; i < property.length; i++) if (isEqual(property[i])) return true;
    return false;
  };
}

function textPart(wanted: string, ignoresCase: boolean): ValueTest {
  if (!ignoresCase) return (value) => typeof value === 'string' && value.includes(wanted);
  const lower = wanted.toLowerCase();
  return (value) => typeof value === 'string' && value.toLowerCase().includes(lower);
}

function textTest(
  op: 'startsWith' | 'endsWith' | 'matches',
  wanted: string,
  ignoresCase: boolean,
): ValueTest {
  if (op === 'matches') {
    const pattern = compilePattern(wanted, ignoresCase);
    return (value) => typeof value === 'string' && pattern.test(value);
  }
  const text = ignoresCase ? wanted.toLowerCase() : wanted;
  const isStart = op === 'startsWith';
  return (value) => {
    if (typeof value !== 'string') return false;
    const compared = ignoresCase ? value.toLowerCase() : value;
    return isStart ? compared.startsWith(text) : compared.endsWith(text);
  };
}

type Bound = number | bigint;

/** Comparisons with NaN are false, so a property that is no number fails them all. */
function numberTest({ op, value }: Condition): ValueTest {
  if (op === 'between') {
    const [low, high] = (value as readonly unknown[]).map(numberOf) as [Bound, Bound];
    return (property) => {
      const number = numberOf(property);
      return number >= low && number <= high;
    };
  }
  const limit = numberOf(value);
  switch (op) {
    case 'gt':
      return (property) => numberOf(property) > limit;
    case 'gte':
      return (property) => numberOf(property) >= limit;
    case 'lt':
      return (property) => numberOf(property) < limit;
    default:
      return (property) => numberOf(property) <= limit;
  }
}
