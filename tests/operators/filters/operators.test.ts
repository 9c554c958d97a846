import { describe, expect, test } from 'vitest';
import { parseJson } from '../../../engine/json/parse-json.ts';
import { writeJson } from '../../../engine/json/write-json.ts';
import { parseInstant } from '../../../engine/time/duration.ts';
import { compileFilter, type FilterContext } from '../../../operators/filters/compile.ts';
import { parseFilter } from '../../../operators/filters/parse.ts';
import { evaluate } from './model.ts';

const ORDER = 7_615_917_337_495_251_231n;

const context: FilterContext = {
  properties: {
    n: 10,
    z: 0,
    s: 'Hello World',
    e: '',
    b: true,
    f: false,
    list: ['red', 'blue'],
    numbers: [1, 2],
    when: '2026-01-04T09:00:00Z',
    o: { deep: { x: 3 } },
    'o.flat': 'literal',
    txt: '12',
    yes: 'True',
    no: 'false',
    d: '$D_1767517200',
    seconds: 1_767_517_200,
    ms: 1_767_517_200_000,
    birthday: '2026-01-04',
    order: ORDER,
    orders: [ORDER],
    orderText: '7615917337495251231',
    nothing: null,
    soon: '2026-01-05T10:00:00Z',
    items: [{ sku: 'A1' }],
  },
  nowMs: parseInstant('2026-01-05T09:00:00Z'),
  userBucket: 99,
  timezone: 'UTC',
};

function decide(where: unknown, more: Partial<FilterContext> = {}): boolean {
  const filter = parseFilter(where, 'where');
  const one = { ...context, ...more };
  const result = compileFilter(filter)(one);
  expect(evaluate(filter, one)).toBe(result);
  return result;
}

/** [where, does it pass] */
const groups: Readonly<Record<string, readonly (readonly [unknown, boolean])[]>> = {
  'large whole numbers': [
    [{ order: ORDER }, true],
    [{ order: ORDER + 1n }, false],
    [{ order: Number(ORDER) }, false],
    [{ order: '7615917337495251231' }, false],
    [{ order: { ne: ORDER - 1n } }, true],
    [{ order: { in: [1, ORDER] } }, true],
    [{ order: { notIn: [ORDER - 1n, ORDER + 1n] } }, true],
    [{ order: { gt: ORDER - 1n } }, true],
    [{ order: { gt: ORDER } }, false],
    [{ order: { gte: ORDER } }, true],
    [{ order: { lt: '7615917337495251232' } }, true],
    [{ order: { lt: '7615917337495251231' } }, false],
    [{ order: { lte: ORDER - 1n } }, false],
    [{ order: { gt: 10 } }, true],
    [{ order: { lt: 1e30 } }, true],
    [{ order: { between: [10, ORDER] } }, true],
    [{ order: { between: [ORDER + 1n, ORDER + 2n] } }, false],
    [{ n: { lt: ORDER } }, true],
    [{ n: { between: [-ORDER, ORDER] } }, true],
    [{ orders: ORDER }, true],
    [{ orders: { contains: ORDER } }, true],
    [{ orders: { containsAll: [ORDER, ORDER + 1n] } }, false],
    [{ orderText: ORDER }, false],
    [{ orderText: { gte: ORDER } }, true],
    [{ orderText: { gt: ORDER } }, false],
    [{ order: { exists: true } }, true],
    [{ order: { matches: '7' } }, false],
    [{ order: { after: '2020-01-01' } }, false],
  ],
  equality: [
    [{ n: 10 }, true],
    [{ n: { eq: 11 } }, false],
    [{ n: { ne: 11 } }, true],
    [{ n: '10' }, false],
    [{ txt: 12 }, false],
    [{ txt: '12' }, true],
    [{ z: 0 }, true],
    [{ z: false }, false],
    [{ e: '' }, true],
    [{ s: 'hello world' }, false],
    [{ s: { eq: 'hello world', i: true } }, true],
    [{ n: { in: [1, 10] } }, true],
    [{ n: { notIn: [1, 2] } }, true],
    [{ s: { in: ['HELLO WORLD'], i: true } }, true],
    [{}, true],
  ],
  numbers: [
    [{ n: { gt: 10 } }, false],
    [{ n: { gte: 10, lt: 10.5 } }, true],
    [{ n: { lte: '10' } }, true],
    [{ n: { between: [1, 10] } }, true],
    [{ n: { between: [11, 12] } }, false],
    [{ txt: { gt: 11.5 } }, true],
    [{ e: { gte: 0 } }, false],
    [{ b: { gte: 0 } }, false],
    [{ numbers: { gt: 0 } }, false],
  ],
  texts: [
    [{ s: { contains: 'lo W' } }, true],
    [{ s: { contains: 'LO w' } }, false],
    [{ s: { contains: 'LO w', i: true } }, true],
    [{ s: { notContains: 'xyz' } }, true],
    [{ s: { startsWith: 'Hello' } }, true],
    [{ s: { startsWith: 'hello', i: true } }, true],
    [{ s: { endsWith: 'world' } }, false],
    [{ s: { matches: '^H.*d$' } }, true],
    [{ s: { matches: 'lo' } }, true],
    [{ s: { matches: '^hello', i: true } }, true],
    [{ n: { contains: '1' } }, false],
    [{ s: { containsAll: ['Hello', 'World'] } }, true],
  ],
  lists: [
    [{ list: 'red' }, true],
    [{ list: { ne: 'red' } }, false],
    [{ list: { in: ['green', 'blue'] } }, true],
    [{ list: { notIn: ['green'] } }, true],
    [{ list: { contains: 're' } }, false],
    [{ list: { contains: 'red' } }, true],
    [{ list: { containsAll: ['red', 'blue'] } }, true],
    [{ list: { containsAll: ['red', 'green'] } }, false],
    [{ numbers: { contains: 2 } }, true],
    [{ 'list.0': 'red' }, true],
    [{ 'items.0.sku': 'A1' }, true],
    [{ 'list.length': { exists: true } }, false],
  ],
  booleans: [
    [{ b: true }, true],
    [{ b: { isTrue: true } }, true],
    [{ yes: { isTrue: true } }, true],
    [{ yes: true }, true],
    [{ yes: { in: [true] } }, true],
    [{ no: { isFalse: true } }, true],
    [{ f: { isFalse: true } }, true],
    [{ z: { isFalse: true } }, false],
    [{ missing: { isFalse: true } }, false],
  ],
  'missing properties': [
    [{ missing: { exists: true } }, false],
    [{ missing: { exists: false } }, true],
    [{ nothing: { exists: false } }, true],
    [{ e: { exists: true } }, true],
    [{ missing: { ne: 1 } }, true],
    [{ missing: { notIn: [1] } }, true],
    [{ missing: { notContains: 'a' } }, true],
    [{ missing: { gt: 0 } }, false],
    [{ missing: { before: '2030-01-01T00:00:00Z' } }, false],
    [{ not: { missing: 10 } }, true],
    [{ constructor: { exists: true } }, false],
    [{ toString: { exists: true } }, false],
    [JSON.parse('{"__proto__": {"exists": true}}'), false],
    [{ '__proto__.constructor': { exists: true } }, false],
  ],
  paths: [
    [{ 'o.deep.x': 3 }, true],
    [{ 'o.flat': 'literal' }, true],
    [{ 'o.deep.y': { exists: false } }, true],
    [{ 's.length': { exists: false } }, true],
  ],
  dates: [
    [{ when: { before: '2026-01-05T00:00:00Z' } }, true],
    [{ when: { before: '2026-01-04T09:00:00Z' } }, false],
    [{ when: { after: '2026-01-04T08:59:59.999Z' } }, true],
    [{ when: { before: '2026-01-04' } }, false],
    [{ when: { after: '2026-01-04' } }, false],
    [{ when: { after: '2026-01-03' } }, true],
    [{ when: { on: '2026-01-04' } }, true],
    [{ when: { on: '2026-01-04T23:00:00Z' } }, true],
    [{ when: { inLast: '2d' } }, true],
    [{ when: { inLast: '24h' } }, true],
    [{ when: { inLast: '1h' } }, false],
    [{ soon: { inLast: '1d' } }, false],
    [{ soon: { inNext: '1h' } }, true],
    [{ soon: { inNext: '59m' } }, false],
    [{ when: { exactlyAgo: '1d' } }, true],
    [{ when: { exactlyAgo: '2d' } }, false],
    [{ d: { on: '2026-01-04' } }, true],
    [{ seconds: { on: '2026-01-04' } }, true],
    [{ ms: { inLast: '24h' } }, true],
    [{ birthday: { on: '2026-01-04' } }, true],
    [{ s: { before: '2030-01-01T00:00:00Z' } }, false],
    [{ b: { after: '1970-01-01T00:00:00Z' } }, false],
  ],
  combinations: [
    [{ any: [{ n: 1 }, { s: { contains: 'Hello' } }] }, true],
    [{ all: [{ n: 10 }, { b: true }] }, true],
    [{ not: { n: 10 } }, false],
    [{ n: 10, any: [{ b: false }, { f: false }], not: { s: 'x' } }, true],
    [{ property: 'n', op: 'gt', value: 5 }, true],
    [{ property: 's', op: 'startsWith', value: 'HELLO', i: true }, true],
    [{ property: 'b', op: 'isTrue' }, true],
    [{ property: 'any', op: 'exists', value: false }, true],
    [{ bucket: { lt: 100 } }, true],
    [{ bucket: { gte: 100 } }, false],
    [{ bucket: 99 }, true],
    [{ bucket: { between: [0, 98] } }, false],
    [{ bucket: { gt: 50, lte: 99 } }, true],
  ],
};

describe.each(Object.entries(groups))('operators on %s', (_, rows) => {
  test.each(rows.map(([where, passes]) => ({ where: writeJson(where), passes })))(
    'filter: $where gives $passes',
    ({ where, passes }) => {
      expect(decide(parseJson(where))).toBe(passes);
    },
  );
});

test('on and exactlyAgo: mean the day of the account, when its zone is not UTC', () => {
  // 09:00Z on the 4th is still the 3rd in Honolulu, and now is the 4th there.
  const timezone = 'Pacific/Honolulu';
  expect(decide({ when: { on: '2026-01-03' } }, { timezone })).toBe(true);
  expect(decide({ when: { exactlyAgo: '1d' } }, { timezone })).toBe(true);
  expect(decide({ when: { exactlyAgo: '1d' } }, { timezone: 'Asia/Kolkata' })).toBe(true);
  expect(decide({ birthday: { on: '2026-01-04' } }, { timezone })).toBe(true);
});

test('exactlyAgo: follows partition time over midnight, one closure all along', () => {
  const yesterday = compileFilter(parseFilter({ when: { exactlyAgo: '1d' } }, 'where'));
  const at = (instant: string) => yesterday({ ...context, nowMs: parseInstant(instant) });
  expect(at('2026-01-04T23:59:59.999Z')).toBe(false);
  expect(at('2026-01-05T00:00:00Z')).toBe(true);
  expect(at('2026-01-05T23:59:59.999Z')).toBe(true);
  expect(at('2026-01-06T00:00:00Z')).toBe(false);
});

test('property: an own one counts, whatever its name', () => {
  const properties = JSON.parse('{"constructor": 1, "__proto__": 2}') as Record<string, unknown>;
  expect(decide({ constructor: 1 }, { properties })).toBe(true);
  expect(decide(JSON.parse('{"__proto__": 2}'), { properties })).toBe(true);
});

test('matches: takes linear time, when a backtracking engine would hang', () => {
  const properties = { s: `${'a'.repeat(20_000)}!` };
  const filter = compileFilter(parseFilter({ s: { matches: '^(a+)+$' } }, 'where'));
  expect(filter({ ...context, properties })).toBe(false);
});
