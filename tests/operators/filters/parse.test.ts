import { expect, test } from 'vitest';
import { LapseError } from '../../../engine/errors/errors.ts';
import { filterKey } from '../../../operators/filters/filter-key.ts';
import {
  FILTER_DEPTH_MAX,
  FILTER_LIST_LENGTH_MAX,
  FILTER_NODES_MAX,
} from '../../../operators/filters/limits.ts';
import { OPERATOR_NAMES } from '../../../operators/filters/operators.ts';
import { filterProblemsOf, parseFilter } from '../../../operators/filters/parse.ts';

const OPERATORS = OPERATOR_NAMES.join(', ');

test.each<[unknown, string]>([
  [null, 'where must be a mapping of conditions, got null'],
  [[], 'where must be a mapping of conditions, got an empty list'],
  ['a', 'where must be a mapping of conditions, got "a"'],
  [{ n: { gtt: 1 } }, 'where.n.gtt must be an operator (did you mean "gt"?), got "gtt"'],
  [{ n: { equals: 1 } }, 'where.n.equals must be an operator (did you mean "eq"?), got "equals"'],
  [
    { s: { startswith: 'a' } },
    'where.s.startswith must be an operator (did you mean "startsWith"?), got "startswith"',
  ],
  [{ n: { zebra: 1 } }, `where.n.zebra must be one of the operators ${OPERATORS}, got "zebra"`],
  [{ n: {} }, `where.n must be a mapping with an operator (${OPERATORS}), got an empty mapping`],
  [
    { n: { i: true } },
    `where.n must be a mapping with an operator (${OPERATORS}), got a mapping of i`,
  ],
  [{ n: { gt: 1, i: true } }, 'where.n.i must be beside an operator that compares texts, got true'],
  [{ s: { eq: 'a', i: 'yes' } }, 'where.s.i must be true or false, got "yes"'],
  [
    { n: [1, 2] },
    'where.n must be a value or operators (for a list write {in: […]} for any of it, {containsAll: […]} for all), got a list of 2',
  ],
  [
    { n: null },
    'where.n must be a value or operators (for a missing one write {exists: false}), got null',
  ],
  [{ n: { gt: 'many' } }, 'where.n.gt must be a number, got "many"'],
  [{ n: { gt: true } }, 'where.n.gt must be a number, got true'],
  [
    { n: { between: [2, 1] } },
    'where.n.between must be two numbers [low, high] with low ≤ high, got a list of 2',
  ],
  [{ n: { between: 3 } }, 'where.n.between must be two numbers [low, high] with low ≤ high, got 3'],
  [
    { n: { in: [] } },
    `where.n.in must be a list of 1 to ${FILTER_LIST_LENGTH_MAX} texts, numbers or booleans, got an empty list`,
  ],
  [
    { n: { in: [null] } },
    `where.n.in must be a list of 1 to ${FILTER_LIST_LENGTH_MAX} texts, numbers or booleans, got a list of 1`,
  ],
  [
    { s: { contains: '' } },
    'where.s.contains must be a text that is not empty, a number, true or false, got ""',
  ],
  [{ s: { startsWith: 3 } }, 'where.s.startsWith must be a text that is not empty, got 3'],
  [{ s: { matches: '(' } }, 'where.s.matches must be an RE2 pattern (missing closing )), got "("'],
  [
    { s: { matches: '(a)\\1' } },
    'where.s.matches must be an RE2 pattern (invalid escape sequence), got "(a)\\\\1"',
  ],
  [
    { s: { matches: '((a{100}){100}){100}' } },
    'where.s.matches must be an RE2 pattern (invalid repeat count), got "((a{100}){100}){100}"',
  ],
  [{ s: { matches: 3 } }, 'where.s.matches must be an RE2 pattern, got 3'],
  [{ s: { exists: 'yes' } }, 'where.s.exists must be true or false, got "yes"'],
  [
    { s: { isTrue: false } },
    'where.s.isTrue must be true (isFalse asks for the opposite), got false',
  ],
  [
    { d: { before: 'yesterday' } },
    'where.d.before must be an instant with a zone, or a day like 2026-01-05, got "yesterday"',
  ],
  [
    { d: { after: '2026-02-31T00:00:00Z' } },
    'where.d.after must be an instant with a zone, or a day like 2026-01-05, got "2026-02-31T00:00:00Z"',
  ],
  [
    { d: { on: '2026-02-29' } },
    'where.d.on must be an instant with a zone, or a day like 2026-01-05, got "2026-02-29"',
  ],
  [{ d: { inLast: 'soon' } }, 'where.d.inLast must be a duration like 90m or 2d, got "soon"'],
  [{ d: { inNext: 5 } }, 'where.d.inNext must be a duration like 90m or 2d, got 5'],
  [
    { d: { exactlyAgo: '2h' } },
    'where.d.exactlyAgo must be whole days like 3d, up to 36500d, got "2h"',
  ],
  [{ any: [] }, 'where.any must be a list of at least one filter, got an empty list'],
  [{ any: { a: 1 } }, 'where.any must be a list of at least one filter, got a mapping of a'],
  [
    { all: [{ a: 1 }, {}] },
    'where.all[1] must be a mapping with at least one condition, got an empty mapping',
  ],
  [{ not: [] }, 'where.not must be a mapping of conditions, got an empty list'],
  [
    { '': 1 },
    'where[""] must be the name of a property, 1 to 1000 characters, or a path a.b, got ""',
  ],
  [
    { 'a..b': 1 },
    'where["a..b"] must be the name of a property, 1 to 1000 characters, or a path a.b, got "a..b"',
  ],
  [{ property: 'n', value: 1 }, `where.op must be one of the operators ${OPERATORS}, got nothing`],
  [{ property: 'n', op: 'gt' }, 'where.value must be a number, got nothing'],
  [{ property: 3, op: 'eq', value: 1 }, 'where.property must be the name of a property, got 3'],
  [
    { property: 'n', op: 'eq', value: 1, country: 'US' },
    'where.country must be outside of a condition in the long form (property, op, value, i), got "US"',
  ],
  [{ bucket: { lt: 1001 } }, 'where.bucket.lt must be a whole number from 0 to 1000, got 1001'],
  [{ bucket: 'x' }, 'where.bucket must be a whole number from 0 to 1000, got "x"'],
  [
    { bucket: { ne: 3 } },
    'where.bucket.ne must be one of the operators eq, lt, lte, gt, gte, between, got "ne"',
  ],
  [
    { bucket: { between: [5, 1] } },
    'where.bucket.between must be two whole numbers [low, high] from 0 to 1000 with low ≤ high, got a list of 2',
  ],
  [{ o: { deep: { x: 1 } } }, `where.o.deep must be one of the operators ${OPERATORS}, got "deep"`],
])('parseFilter: refuses %j with its path', (where, message) => {
  try {
    parseFilter(where, 'where');
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(LapseError);
    expect((error as LapseError).message).toBe(message);
    expect((error as LapseError).code).toBe('ERR_FILTER');
  }
});

test('parseFilter: refuses what is too deep or too large', () => {
  let deep: unknown = { a: 1 };
  for (let level = 0; level < FILTER_DEPTH_MAX; level++) deep = { not: deep };
  expect(() => parseFilter(deep, 'where')).not.toThrow();
  expect(() => parseFilter({ not: deep }, 'where')).toThrow(
    `must be nested at most ${FILTER_DEPTH_MAX} deep, got a mapping of a`,
  );
  const wide = { any: Array.from({ length: FILTER_NODES_MAX }, (_, n) => ({ n })) };
  expect(() => parseFilter(wide, 'where')).toThrow(
    `must be within a filter of at most ${FILTER_NODES_MAX} conditions, got more`,
  );
});

test('filterKey: is one text for filters that only look different', () => {
  const key = (where: unknown) => filterKey(parseFilter(where, 'where'));
  expect(key({ a: 1, b: 2 })).toBe(key({ b: 2, a: 1 }));
  expect(key({ a: { eq: 1 } })).toBe(key({ a: 1 }));
  expect(key({ all: [{ a: 1 }] })).toBe(key({ property: 'a', op: 'eq', value: 1 }));
  expect(key({ a: { in: ['x', 'y'] } })).toBe(key({ a: { in: ['y', 'x', 'x'] } }));
  expect(key({ not: { not: { a: 1 } } })).toBe(key({ a: 1 }));
  const different = [{ a: 1 }, { a: '1' }, { b: 1 }, { not: { a: 1 } }, { a: { in: [1] } }, {}];
  expect(new Set(different.map(key)).size).toBe(different.length);
  expect(key({ a: 'x' })).not.toBe(key({ a: { eq: 'x', i: true } }));
});

test('parseFilter: everything that is wrong is found at once, wherever it is', () => {
  const where = {
    price: { gte: 'dear', lessThan: 3, lt: 50 },
    any: [{ plan: ['pro'] }, { city: { contians: 'x', i: true } }, { not: {} }],
    bucket: { lt: 2_000 },
    fine: 1,
  };
  let found: readonly string[] = [];
  try {
    parseFilter(where, 'where');
  } catch (error) {
    found = filterProblemsOf(error as LapseError).map(({ facts }) => String(facts.path));
  }
  expect(found).toEqual([
    'where.price.gte',
    'where.price.lessThan',
    'where.any[0].plan',
    'where.any[1].city.contians',
    'where.any[2].not',
    'where.bucket.lt',
  ]);
});
