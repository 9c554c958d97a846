import { expect, test } from 'vitest';
import { readAssignments } from '../../../app/cli/commands/send-values.ts';

const CART = 7_615_917_337_495_251_231n;

test.each([
  ['42', 42],
  ['1.10', 1.1],
  ['"42"', '42'],
  ['true', true],
  ['0050', '0050'],
  ['+4915112345678', '+4915112345678'],
  [`${CART}`, CART],
  [`-${CART}`, -CART],
  [`[${CART},{"a":${CART}}]`, [CART, { a: CART }]],
  [`"${CART}"`, `${CART}`],
  [`${2n ** 64n}`, String(2n ** 64n)],
  ['1e400', '1e400'],
  ['7.615917337495251231e18', CART],
  ['soon', 'soon'],
  ['', ''],
])('lapse send: a value written %s is sent as it is meant', (text, value) => {
  expect(readAssignments('--prop', [`a=${text}`])).toEqual({ a: value });
});
