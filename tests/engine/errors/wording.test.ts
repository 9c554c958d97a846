import { expect, test } from 'vitest';
import { describeValue, joinPath, nearestOf } from '../../../engine/errors/wording.ts';

test('describeValue: names what came without spilling it', () => {
  const cases: [unknown, string][] = [
    [undefined, 'nothing'],
    [null, 'null'],
    ['soon', '"soon"'],
    ['a'.repeat(100), `"${'a'.repeat(80)}"… (100 characters)`],
    [12n, '12'],
    [Number.NaN, 'NaN'],
    [[], 'an empty list'],
    [[1, 2, 3], 'a list of 3'],
    [{}, 'an empty mapping'],
    [{ a: 1, 'b\n': 2, c: 3, d: 4 }, 'a mapping of a, "b\\n", c, …'],
  ];
  for (const [value, words] of cases) expect(describeValue(value)).toBe(words);
});

test('joinPath: quotes keys that would be read wrongly', () => {
  expect(joinPath('', 'campaigns')).toBe('campaigns');
  expect(joinPath('campaigns', 0)).toBe('campaigns[0]');
  expect(joinPath('where', 'cart_id')).toBe('where.cart_id');
  expect(joinPath('where', 'Cart id')).toBe('where["Cart id"]');
  expect(joinPath('where', 'a.b')).toBe('where["a.b"]');
});

test('nearestOf: finds what was meant, and nothing when nothing is near', () => {
  const known = ['quietHours', 'webhook', 'qualify', 'eq'];
  expect(nearestOf('quiethours', known)).toBe('quietHours');
  expect(nearestOf('wehbook', known)).toBe('webhook');
  expect(nearestOf('qualifies', known)).toBe('qualify');
  expect(nearestOf('zebra', known)).toBeUndefined();
  expect(nearestOf('x'.repeat(10_000), known)).toBeUndefined();
});
