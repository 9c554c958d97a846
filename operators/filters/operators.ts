/** What each operator wants for a value, and how to say so. */

import { RE2JS } from 're2js';
import { messageOf } from '../../engine/errors/errors.ts';
import { DAY_MS, durationOf } from '../../engine/time/duration.ts';
import { isDate } from './dates.ts';
import type { Operator } from './filter.ts';
import {
  FILTER_LIST_LENGTH_MAX,
  FILTER_PATTERN_CHARS_MAX,
  FILTER_PATTERN_INSTRUCTIONS_MAX,
  FILTER_TEXT_CHARS_MAX,
} from './limits.ts';
import { isScalar, numberOf } from './values.ts';

export interface OperatorValue {
  /** Continues "… must be". */
  readonly wanted: string;
  readonly accepts: (value: unknown) => boolean;
  /** True when `i: true` has a meaning. */
  readonly isTextual?: true;
}

function isValue(value: unknown): boolean {
  return isScalar(value) && (typeof value !== 'string' || value.length <= FILTER_TEXT_CHARS_MAX);
}

function isList(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0) return false;
  return value.length <= FILTER_LIST_LENGTH_MAX && value.every(isValue);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value.length <= FILTER_TEXT_CHARS_MAX;
}

function isNumber(value: unknown): boolean {
  const number = numberOf(value);
  return typeof number === 'bigint' || Number.isFinite(number);
}

function isRange(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 2 || !value.every(isNumber)) return false;
  return numberOf(value[0]) <= numberOf(value[1]);
}

function isDuration(value: unknown): boolean {
  return typeof value === 'string' && durationOf(value) >= 0;
}

/** Days that a calendar has: a larger number would leave the years that dates can hold. */
const DAYS_AGO_MAX = 36_500;

function isDays(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  const days = durationOf(value) / DAY_MS;
  return Number.isInteger(days) && days <= DAYS_AGO_MAX;
}

/** Compiles an RE2 pattern, found anywhere in a text unless it is anchored. */
export function compilePattern(pattern: string, ignoresCase: boolean): RE2JS {
  return RE2JS.compile(pattern, ignoresCase ? RE2JS.CASE_INSENSITIVE : 0);
}

/** Why the value is not a pattern that may be used; undefined when it is one. */
export function patternRefusal(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return 'it is empty or not a text';
  if (value.length > FILTER_PATTERN_CHARS_MAX) {
    return `it is longer than ${FILTER_PATTERN_CHARS_MAX} characters`;
  }
  try {
    const size = compilePattern(value, false).programSize();
    return size > FILTER_PATTERN_INSTRUCTIONS_MAX ? 'its repetitions are too large' : undefined;
  } catch (error) {
    // The parser's sentence ends in the pattern, which ours names anyway.
    return messageOf(error).replace(/^error parsing regexp: |: `.*$/gs, '');
  }
}

const SCALAR = {
  wanted: 'a text, a number, true or false',
  accepts: isValue,
  isTextual: true,
} as const;
const LIST = {
  wanted: `a list of 1 to ${FILTER_LIST_LENGTH_MAX} texts, numbers or booleans`,
  accepts: isList,
  isTextual: true,
} as const;
const NUMBER = { wanted: 'a number', accepts: isNumber };
const TEXT = { wanted: 'a text that is not empty', accepts: isText, isTextual: true } as const;
const MEMBER = {
  wanted: 'a text that is not empty, a number, true or false',
  accepts: (value: unknown) => (typeof value === 'string' ? isText(value) : isValue(value)),
  isTextual: true,
} as const;
const DATE = { wanted: 'an instant with a zone, or a day like 2026-01-05', accepts: isDate };
const DURATION = { wanted: 'a duration like 90m or 2d', accepts: isDuration };

export const OPERATOR_VALUES: Readonly<Record<Exclude<Operator, 'bucket'>, OperatorValue>> = {
  eq: SCALAR,
  ne: SCALAR,
  in: LIST,
  notIn: LIST,
  gt: NUMBER,
  gte: NUMBER,
  lt: NUMBER,
  lte: NUMBER,
  between: { wanted: 'two numbers [low, high] with low ≤ high', accepts: isRange },
  contains: MEMBER,
  notContains: MEMBER,
  startsWith: TEXT,
  endsWith: TEXT,
  matches: {
    wanted: 'an RE2 pattern',
    accepts: (value) => patternRefusal(value) === undefined,
    isTextual: true,
  },
  exists: { wanted: 'true or false', accepts: (value) => typeof value === 'boolean' },
  before: DATE,
  after: DATE,
  on: DATE,
  inLast: DURATION,
  inNext: DURATION,
  exactlyAgo: { wanted: `whole days like 3d, up to ${DAYS_AGO_MAX}d`, accepts: isDays },
  containsAll: {
    ...LIST,
    accepts: (value) => isList(value) && !(value as readonly unknown[]).includes(''),
  },
  isTrue: { wanted: 'true (isFalse asks for the opposite)', accepts: (value) => value === true },
  isFalse: { wanted: 'true (isTrue asks for the opposite)', accepts: (value) => value === true },
};

export const OPERATOR_NAMES = Object.keys(OPERATOR_VALUES) as Exclude<Operator, 'bucket'>[];

export function isOperator(name: string): name is Exclude<Operator, 'bucket'> {
  return Object.hasOwn(OPERATOR_VALUES, name);
}

/** Names that other tools use. */
const OTHER_NAMES: Readonly<Record<string, Operator>> = {
  equals: 'eq',
  notEquals: 'ne',
  nin: 'notIn',
  regex: 'matches',
  min: 'gte',
  max: 'lte',
};

export function otherNameOf(name: string): Operator | undefined {
  return Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name] : undefined;
}
