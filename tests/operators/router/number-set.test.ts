import { expect, test } from 'vitest';
import { NumberSet } from '../../../operators/router/number-set.ts';
import { Prng } from '../../support/prng.ts';

const END = 200;

test('the lowest number from one on is that of a plain set', () => {
  const prng = new Prng(1);
  const numbers = new NumberSet(END);
  const model = new Set<number>();
  for (let step = 0; step < 5_000; step++) {
    const number = prng.below(END);
    if (prng.chance(0.4)) {
      numbers.add(number);
      model.add(number);
    } else {
      numbers.delete(number);
      model.delete(number);
    }
    const from = prng.below(END + 40);
    const wanted = [...model].filter((one) => one >= from).sort((a, b) => a - b)[0];
    expect(numbers.lowest(from)).toBe(wanted);
  }
  numbers.clear();
  expect(numbers.lowest(0)).toBeUndefined();
});
