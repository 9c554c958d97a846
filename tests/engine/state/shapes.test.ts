import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Shapes } from '../../../engine/state/shapes.ts';

describe('shapes', () => {
  test('gives different lists different numbers, also with empty names and NUL in names', () => {
    const lists = [[], [''], ['a', 'b'], ['a\u0000b'], ['', ''], ['\u0000'], ['b', 'a']];
    const shapes = new Shapes();
    const numbers = lists.map((names) => shapes.numberOf(names));
    expect(new Set(numbers).size).toBe(lists.length);
    expect(numbers.map((number) => shapes.namesOf(number))).toEqual(lists);
  });

  test('gives every list back, in every order, and after a restore the same numbers', () => {
    const name = fc.string({ unit: fc.constantFrom('a', '\u0000', '"', ',', 'é'), maxLength: 3 });
    fc.assert(
      fc.property(fc.array(fc.array(name, { maxLength: 4 }), { maxLength: 30 }), (lists) => {
        const shapes = new Shapes();
        const numbers = lists.map((names) => shapes.numberOf(names));
        const restored = new Shapes();
        restored.restore(shapes.freeze());
        lists.forEach((names, i) => {
          expect(shapes.namesOf(numbers[i]!)).toEqual(names);
          expect(restored.numberOf(names)).toBe(numbers[i]);
        });
      }),
    );
  });

  test('is not changed by what happens after a freeze', () => {
    const shapes = new Shapes();
    shapes.numberOf(['a']);
    const frozen = shapes.freeze();
    shapes.numberOf(['b']);
    expect(frozen).toEqual([['a']]);
  });

  test('takes no more than 60,000 lists, and still knows those', () => {
    const shapes = new Shapes();
    for (let i = 0; i < 60_000; i++) shapes.numberOf([`p${i}`]);
    expect(shapes.numberOf(['one more'])).toBe(-1);
    expect(shapes.numberOf(['p59999'])).toBe(59_999);
  });

  test('takes no more lists when their names are a mebibyte, and gives back those it has', () => {
    const shapes = new Shapes();
    const name = 'n'.repeat(1_000);
    const listOf = (i: number) => [`${name}${String(i).padStart(4, '0')}`];
    let taken = 0;
    while (taken < 10_000 && shapes.numberOf(listOf(taken)) >= 0) taken++;
    expect(taken).toBe(Math.ceil(2 ** 20 / listOf(0)[0]!.length));
    const restored = new Shapes();
    restored.restore(shapes.freeze());
    expect(restored.namesOf(taken - 1)).toEqual(listOf(taken - 1));
  });
});
