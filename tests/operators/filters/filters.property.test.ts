import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LapseError } from '../../../engine/errors/errors.ts';
import { DAY_MS, HOUR_MS, parseInstant } from '../../../engine/time/duration.ts';
import { compileFilter, type FilterContext } from '../../../operators/filters/compile.ts';
import type { Filter } from '../../../operators/filters/filter.ts';
import { filterKey } from '../../../operators/filters/filter-key.ts';
import { OPERATOR_NAMES } from '../../../operators/filters/operators.ts';
import { parseFilter } from '../../../operators/filters/parse.ts';
import { evaluate } from './model.ts';

const NOW_MS = parseInstant('2026-03-08T09:30:00Z');

/** Few of each, so that filters and events meet. */
const property = fc.constantFrom(
  'a',
  'b',
  'a.b',
  'list.0',
  'o.x',
  'constructor',
  '__proto__',
  'o.length',
);
const text = fc.constantFrom(
  'red',
  'Red',
  'blue',
  'r',
  'true',
  'False',
  '12',
  '1e1',
  '',
  'ünï',
  '12x',
  '0x1',
  '9007199254740993',
  '+9007199254740993',
);
/** The last ones are one and the same as doubles. */
const number = fc.constantFrom<number | bigint>(0, -0, 1, 12, 12.5, -3, 2n ** 53n, 2n ** 53n + 1n);
const aroundNowMs = fc
  .integer({ min: -5 * 24, max: 5 * 24 })
  .map((hours) => NOW_MS + hours * HOUR_MS);
const date = aroundNowMs.chain((atMs) =>
  fc.constantFrom<string | number>(
    new Date(atMs).toISOString(),
    new Date(atMs).toISOString().replace('.000Z', '+05:30'),
    new Date(atMs).toISOString().slice(0, 10),
    `$D_${atMs / 1_000}`,
    atMs,
    atMs / 1_000,
    '2026-02-31',
    '$D_',
  ),
);
const scalar = fc.oneof(text, number, fc.boolean());
const datum = fc.oneof(scalar, date, fc.constantFrom(null, undefined));
const value = fc.oneof(
  datum,
  fc.array(datum, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom('x', 'b', 'length'), datum),
);
const properties = fc
  .dictionary(fc.constantFrom('a', 'b', 'a.b', 'list', 'o', 'constructor'), value)
  .map((record) => ({ ...record }));
const context: fc.Arbitrary<FilterContext> = fc.record({
  properties,
  nowMs: fc.constantFrom(NOW_MS, NOW_MS + 15 * HOUR_MS, NOW_MS - DAY_MS),
  userBucket: fc.integer({ min: 0, max: 999 }),
  timezone: fc.constantFrom('UTC', 'America/New_York', 'Asia/Kolkata'),
});

const ofText = { value: text.filter((one) => one !== ''), i: fc.boolean() };
const range = fc.tuple(number, number).map(([a, b]) => (a <= b ? [a, b] : [b, a]));
const days = fc.constantFrom('0d', '1d', '3d', '24h');
const duration = fc.constantFrom('0s', '2d', '1h30m', '120h');
const fitDate = date.filter((one) => one !== '2026-02-31' && one !== '$D_');
const list = fc.array(scalar, { minLength: 1, maxLength: 3 });
const operands: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  eq: scalar,
  ne: scalar,
  in: list,
  notIn: list,
  gt: number,
  gte: number,
  lt: fc.constantFrom('12', 3),
  lte: number,
  between: range,
  contains: fc.oneof(ofText.value, number, fc.boolean()),
  notContains: ofText.value,
  startsWith: ofText.value,
  endsWith: ofText.value,
  matches: fc.constantFrom('^r', 'D$', '[0-9]+', 'r|b', '.'),
  exists: fc.boolean(),
  before: fitDate,
  after: fitDate,
  on: fitDate,
  inLast: duration,
  inNext: duration,
  exactlyAgo: days,
  containsAll: fc.array(fc.oneof(ofText.value, number), { minLength: 1, maxLength: 2 }),
  isTrue: fc.constant(true),
  isFalse: fc.constant(true),
};
const TEXTUAL = [
  'eq',
  'ne',
  'in',
  'notIn',
  'contains',
  'notContains',
  'startsWith',
  'endsWith',
  'matches',
  'containsAll',
];
const condition = fc.constantFrom(...OPERATOR_NAMES).chain((op) =>
  fc
    .record({ property, op: fc.constant(op), value: operands[op]!, i: fc.boolean() })
    .map((one) => ({
      ...one,
      i: one.i && TEXTUAL.includes(op),
    })),
);
const bucketBound = fc.integer({ min: 0, max: 1_000 });
const bucket = fc
  .dictionary(fc.constantFrom('eq', 'lt', 'lte', 'gt', 'gte'), bucketBound, {
    minKeys: 1,
    maxKeys: 2,
  })
  .map((bounds) => ({ bucket: { ...bounds } }));
const where = fc.letrec<{ where: unknown }>((tie) => ({
  where: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { arbitrary: condition, weight: 6 },
    { arbitrary: bucket, weight: 1 },
    { arbitrary: fc.record({ not: tie('where') }), weight: 1 },
    {
      arbitrary: fc.record({ all: fc.array(tie('where'), { minLength: 1, maxLength: 3 }) }),
      weight: 1,
    },
    {
      arbitrary: fc.record({ any: fc.array(tie('where'), { minLength: 1, maxLength: 3 }) }),
      weight: 1,
    },
  ),
})).where;
const filter = where.map((one) => parseFilter(one, 'where'));

const RUNS = { numRuns: 3_000 };

test('operands: there is a generator for every operator', () => {
  expect(Object.keys(operands).sort()).toEqual([...OPERATOR_NAMES].sort());
});

test('compileFilter: decides like the model, for random filters and events', () => {
  fc.assert(
    fc.property(filter, fc.array(context, { minLength: 1, maxLength: 4 }), (tree, contexts) => {
      const compiled = compileFilter(tree);
      for (const one of contexts) expect(compiled(one)).toBe(evaluate(tree, one));
    }),
    RUNS,
  );
});

test('compileFilter: not not f is f, and not any is all not', () => {
  fc.assert(
    fc.property(filter, filter, context, (f, g, one) => {
      const decide = (tree: Filter) => compileFilter(tree)(one);
      expect(decide({ not: { not: f } })).toBe(decide(f));
      expect(decide({ not: { any: [f, g] } })).toBe(decide({ all: [{ not: f }, { not: g }] }));
    }),
  );
});

test('parseFilter: what it makes is plain JSON that decides the same', () => {
  fc.assert(
    fc.property(filter, context, (tree, one) => {
      const copy = JSON.parse(JSON.stringify(tree)) as Filter;
      expect(compileFilter(copy)(one)).toBe(compileFilter(tree)(one));
      expect(filterKey(copy)).toBe(filterKey(tree));
    }),
  );
});

test('filterKey: filters of one text decide alike', () => {
  // Parts are drawn from few, so that equal texts happen.
  const few = fc.constantFrom<Filter>(
    parseFilter({ a: 1 }, ''),
    parseFilter({ a: '1' }, ''),
    parseFilter({ a: { in: ['red', 1] } }, ''),
    parseFilter({ a: { in: [1, 'red', 'red'] } }, ''),
    parseFilter({ bucket: { gt: 3, lt: 900 } }, ''),
    parseFilter({ bucket: { lt: 900, gt: 3 } }, ''),
  );
  const combined = fc.oneof(
    few,
    few.map((one): Filter => ({ not: one })),
    fc.array(few, { maxLength: 3 }).map((all): Filter => ({ all })),
    fc.array(few, { maxLength: 3 }).map((any): Filter => ({ any })),
  );
  fc.assert(
    fc.property(combined, combined, context, (f, g, one) => {
      if (filterKey(f) === filterKey(g)) expect(compileFilter(f)(one)).toBe(compileFilter(g)(one));
    }),
    RUNS,
  );
});

test('parseFilter: throws nothing but LapseError with a sentence, for any JSON', () => {
  const word = fc.constantFrom(
    'all',
    'any',
    'not',
    'bucket',
    'property',
    'op',
    'value',
    'i',
    'a',
    ...OPERATOR_NAMES,
  );
  const json = fc.letrec<{ json: unknown }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 5 },
      fc.jsonValue({ maxDepth: 1 }),
      fc.constantFrom(...OPERATOR_NAMES),
      fc.dictionary(word, tie('json'), { maxKeys: 4 }),
      fc.array(tie('json'), { maxLength: 3 }),
    ),
  })).json;
  fc.assert(
    fc.property(json, context, (one, at) => {
      let tree: Filter;
      try {
        tree = parseFilter(one, 'where');
      } catch (error) {
        expect(error).toBeInstanceOf(LapseError);
        const { code, domain, message } = error as LapseError;
        expect({ code, domain }).toEqual({ code: 'ERR_FILTER', domain: 'user' });
        expect(message).toMatch(/^where.* must be .*, got ./s);
        return;
      }
      expect(compileFilter(tree)(at)).toBeTypeOf('boolean');
    }),
    RUNS,
  );
});
