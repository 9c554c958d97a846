import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { numberOf } from '../../../operators/filters/values.ts';

describe('numbers in texts', () => {
  test.each([
    ['12', 12],
    ['-0', -0],
    ['+3.5', 3.5],
    ['.5', 0.5],
    ['5.', 5],
    ['1e3', 1_000],
    ['1E-2', 0.01],
    ['00012', 12],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['9007199254740993', 2n ** 53n + 1n],
    ['+9007199254740993', 2n ** 53n + 1n],
    ['-9007199254740993', -(2n ** 53n) - 1n],
    ['9007199254740993.0', 2 ** 53],
    ['1e20', 1e20],
    ['1'.repeat(30), BigInt('1'.repeat(30))],
  ])('%s is one', (text, number) => {
    expect(numberOf(text)).toBe(number);
  });

  test.each([
    ...['', ' ', '.', '-', '+-1', '1e', '1e+', 'e5', '1.2.3', '0x10', '0b1', '1_000', '1,5', '1 '],
    ...[' 1', '1\n', 'NaN', 'Infinity', '-Infinity', '1e400', '-1e400', '١', '１', '--1', '1n'],
  ])('%j is none', (text) => {
    expect(numberOf(text)).toBeNaN();
  });

  test('agree with the number that a plain reading of its characters gives', () => {
    const piece = fc.constantFrom(...'0123456789', '.', 'e', 'E', '+', '-', ' ', 'x', '_');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = pieces.join('');
        // JavaScript reads blank texts and hexadecimal ones too; neither is a number here.
        const isPlain = text !== '' && !/[ x_]/.test(text);
        const wanted = isPlain && Number.isFinite(Number(text)) ? Number(text) : Number.NaN;
        expect(numberOf(text)).toBe(wanted);
      }),
      { numRuns: 2_000 },
    );
  });

  test('are exact, but for those that would take long to read', () => {
    const long = '9'.repeat(300);
    expect(numberOf(long)).toBe(Number(long));
  });

  test('a long run of digits that is no number is given up at its end', () => {
    expect(numberOf(`${'1'.repeat(32 * 1024)}x`)).toBeNaN();
    expect(numberOf(`${'1'.repeat(16 * 1024)}.${'1'.repeat(16 * 1024)}.`)).toBeNaN();
  });
});
