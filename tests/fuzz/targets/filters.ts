/** `where` from a hostile author on events from hostile users. */
import { compileFilter, type FilterContext } from '../../../operators/filters/compile.ts';
import type { Filter } from '../../../operators/filters/filter.ts';
import { filterKey } from '../../../operators/filters/filter-key.ts';
import { compilePattern, patternRefusal } from '../../../operators/filters/operators.ts';
import { parseFilter } from '../../../operators/filters/parse.ts';
import { headLength } from '../mutation/mutator.ts';
import { NASTY_VALUES } from '../mutation/nasty.ts';
import { demand, type FuzzTarget, type Outcome } from '../target.ts';

const NOW_MS = Date.parse('2026-01-05T09:00:00Z');
const ZONES = ['UTC', 'Asia/Kolkata', 'America/St_Johns', 'Pacific/Apia'];

/** What may come as a property: JSON that a door lets through. */
const PROPERTIES: readonly Readonly<Record<string, unknown>>[] = NASTY_VALUES.flatMap(
  ({ json }) => {
    try {
      const value = JSON.parse(json) as unknown;
      if (value === null || !JSON.stringify(value).includes('null')) {
        return [{ price: value, city: value, tags: [value, 'a'], at: value, a: { b: value } }];
      }
    } catch {
      // Not JSON: no door lets it through.
    }
    return [];
  },
);

/** `{where, event}`; what is missing is taken from the nasty ones. */
function runFilter(input: Uint8Array): Outcome {
  const { where, event } = wishOf(input);
  const filter = parseFilter(where, 'where');
  const holds = compileFilter(filter);
  const key = filterKey(filter);
  const stored = JSON.parse(JSON.stringify(filter)) as Filter;
  demand(filterKey(stored) === key, () => `A filter changes on its way through the log: ${key}`);
  const holdsStored = compileFilter(stored);
  for (const [i, properties] of [event, ...PROPERTIES].entries()) {
    const timezone = ZONES[i % ZONES.length]!;
    const context: FilterContext = { properties, nowMs: NOW_MS, userBucket: i % 1_000, timezone };
    const result = holds(context);
    demand(typeof result === 'boolean', () => `A filter says ${String(result)}.`);
    demand(holdsStored(context) === result, () => 'A filter decides otherwise after the log.');
  }
  return 'accepted';
}

function wishOf(input: Uint8Array): { where: unknown; event: Record<string, unknown> } {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(input).toString());
  } catch {
    return { where: undefined, event: {} };
  }
  const { where, event } = (value ?? {}) as { where?: unknown; event?: unknown };
  const isMapping = typeof event === 'object' && event !== null && !Array.isArray(event);
  return { where, event: isMapping ? (event as Record<string, unknown>) : {} };
}

const long = 'abc'.repeat(4_000);
const TEXTS = [
  '',
  'a',
  `${'a'.repeat(8_000)}!`,
  `${'ab'.repeat(4_000)}`,
  long,
  'é\u{1f600}'.repeat(900),
];

/** A pattern, then `\n` and a text; first `#i` when case does not matter. */
function runPattern(input: Uint8Array): Outcome {
  const start = headLength(input);
  const text = Buffer.from(input.subarray(start)).toString();
  const end = text.indexOf('\n');
  const pattern = end < 0 ? text : text.slice(0, end);
  if (patternRefusal(pattern) !== undefined) return 'refused';
  const compiled = compilePattern(pattern, start > 0);
  for (const one of [text.slice(end + 1), ...TEXTS]) {
    demand(typeof compiled.test(one) === 'boolean', () => 'A pattern says neither yes nor no.');
  }
  return 'accepted';
}

const event = {
  price: 25,
  city: 'Paris',
  tags: ['a', 'b'],
  at: '2026-01-04T23:00:00Z',
  a: { b: 1 },
};
const wheres = [
  {},
  { country: 'US', price: { gte: 18, lt: 30 }, any: [{ plan: 'pro' }, { plan: 'team' }] },
  { not: { city: { contains: 'paris', i: true } }, bucket: { lt: 100 } },
  { all: [{ city: { in: ['Paris', 'Oslo'] } }, { tags: { containsAll: ['a', 'b'] } }] },
  { property: 'any', op: 'eq', value: 1 },
  { at: { inLast: '2d', after: '2026-01-01', before: '2027-01-01T00:00:00Z' } },
  { at: { on: '2026-01-05', exactlyAgo: '1d', inNext: '1h' } },
  { city: { matches: '^Pa(r|t)+is$', startsWith: 'P', endsWith: 's', notContains: 'x', ne: 'y' } },
  { price: { between: [1, 30], exists: true, notIn: [1, 2] }, 'a.b': { isTrue: true } },
  { bucket: { between: [0, 999] }, flag: { isFalse: true } },
];

export const filters: FuzzTarget = {
  name: 'filters',
  format: 'json',
  seeds: () => wheres.map((where) => JSON.stringify({ where, event })),
  words: [
    'all any not bucket property op value i eq ne in notIn gt gte lt lte between contains',
    'notContains startsWith endsWith matches exists before after on inLast inNext exactlyAgo',
    'containsAll isTrue isFalse price city tags at where event 2026-01-05 1d 36500d $D_1',
  ].flatMap((words) => words.split(' ')),
  share: 0.3,
  open: () => ({ run: runFilter }),
};

export const patterns: FuzzTarget = {
  name: 'patterns',
  format: 'bytes',
  seeds: () => [
    '^a+b?c*$\nabc',
    '(a+)+$\naaaaaaaa!',
    '(a|a)*b\naaaa',
    '([a-z]+)*[^x]{2,9}\nabc',
    '(x+x+)+y\nxxxxxxxx',
    '\\pL+\\d{1,3}\\b\nabc12',
    '#i\n(?s).*Foo.*(bar|baz)$\nfooBAR',
    '(?P<n>a)|(?:b)|[[:alpha:]]\nb',
    '(((a{10}){10}){9})\naaa',
    '\\Q...\\E\\x{10FFFF}\n...',
  ],
  words: [
    ...['(', ')', '(?:', '(?i)', '(?=', '(?<=', '(?P<a>', '[', ']', '[^', '{', '}', '{1000}'],
    ...['{0,1000}', '{2,}', '*', '+', '?', '*?', '|', '\\', '\\1', '\\b', '\\pL', '\\P{Greek}'],
    ...[
      '\\x{110000}',
      '\\C',
      '\\Q',
      '\\E',
      '[[:word:]]',
      '[a-\\d]',
      '[z-a]',
      '^',
      '$',
      '.',
      '#i\n',
    ],
  ],
  share: 0.1,
  open: () => ({ run: runPattern }),
};
