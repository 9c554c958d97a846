import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJson } from '../../../engine/json/parse-json.ts';
import { exactNumber, WHOLE_MAX, WHOLE_MIN } from '../../../engine/json/whole-numbers.ts';
import { writeJson } from '../../../engine/json/write-json.ts';

const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);
const CART = 7_615_917_337_495_251_231n;

function repairsIn(text: string) {
  const repairs = { surrogates: 0, numbersAsText: 0 };
  const value = parseJson(text, repairs);
  return { value, ...repairs };
}

describe('parseJson: whole numbers', () => {
  test.each([
    ['0', 0],
    ['-0', -0],
    ['1.0', 1],
    [`${SAFE_MAX}`, Number.MAX_SAFE_INTEGER],
    [`-${SAFE_MAX}`, -Number.MAX_SAFE_INTEGER],
    [`${SAFE_MAX + 1n}`, SAFE_MAX + 1n],
    [`${SAFE_MAX + 2n}`, SAFE_MAX + 2n],
    [`${CART}`, CART],
    [`-${CART}`, -CART],
    [`${WHOLE_MAX}`, WHOLE_MAX],
    [`${WHOLE_MIN}`, WHOLE_MIN],
    [`${CART}.0`, CART],
    ['7.615917337495251231e18', CART],
    ['76159173374952512.31E+2', CART],
    ['761591733749525123100e-2', CART],
    ['1e400', Number.POSITIVE_INFINITY],
    ['1234567890123456789e100000000', Number.POSITIVE_INFINITY],
    ['1e20', 1e20],
    ['0.30000000000000004', 0.1 + 0.2],
    ['7615917337495251231.5', Number(CART)],
    ['0.00000000000000000000001', 1e-23],
  ])('%s is %s', (text, value) => {
    expect(parseJson(text)).toBe(value);
    expect(parseJson(` [${text} ,{"a":${text}}]`)).toEqual([value, { a: value }]);
  });

  test('one beyond 64 bits becomes the text of its digits and is counted', () => {
    for (const digits of [`${WHOLE_MAX + 1n}`, `${WHOLE_MIN - 1n}`, '9'.repeat(400)]) {
      const { value, numbersAsText } = repairsIn(`{"a":[${digits}],"b":1}`);
      expect(value).toEqual({ a: [digits], b: 1 });
      expect(numbersAsText).toBe(1);
    }
  });

  test('all of 64 bits survive reading and writing, wherever they stand', () => {
    const whole = fc.bigInt({ min: WHOLE_MIN, max: WHOLE_MAX });
    const key = fc.string({ unit: 'grapheme' }).filter((text) => text !== '__proto__');
    // Larger ones that JSON writes without an exponent are read as texts.
    const double = fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .map((one) => exactNumber(one || 0))
      .filter((one) => typeof one === 'bigint' || !/^-?\d{19,}$/.test(String(one)));
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        whole,
        fc.string({ unit: 'binary' }).map((text) => text.toWellFormed()),
        double,
        fc.constantFrom(null, true, `${CART}`, '"', '\\', `\\"${CART}`),
        fc.array(tie('node')),
        fc.dictionary(key, tie('node'), { noNullPrototype: true }),
      ),
    })).node;
    fc.assert(
      fc.property(tree, (value) => {
        const text = writeJson(value);
        const read = parseJson(text);
        expect(writeJson(read)).toBe(text);
        // A reader that knows of no bigint finds the same text: nothing but digits was added.
        expect(JSON.stringify(JSON.parse(text))).toBe(
          JSON.stringify(read, (_, one: unknown) => (typeof one === 'bigint' ? Number(one) : one)),
        );
      }),
    );
  });

  test('texts that look like numbers stay texts, also beside a large one', () => {
    const text = `{"0":"0","a":"${CART}","${CART}":${CART},"b":"\\"${CART}"}`;
    const value = { '0': '0', a: `${CART}`, [`${CART}`]: CART, b: `"${CART}` };
    expect(parseJson(text)).toEqual(value);
  });

  test('of two equal names the last counts, and __proto__ is a name like any other', () => {
    expect(parseJson(`{"a":${CART},"a":1}`)).toEqual({ a: 1 });
    const value = parseJson(`{"__proto__":{"a":${CART}},"b":{"__proto__":${CART}}}`);
    expect(writeJson(value)).toBe(`{"__proto__":{"a":${CART}},"b":{"__proto__":${CART}}}`);
  });

  test('a text too deep to walk keeps what JSON.parse made of it', () => {
    const depth = 20_000;
    const text = `${'['.repeat(depth)}${CART}${']'.repeat(depth)}`;
    expect(() => parseJson(text)).not.toThrow();
  });

  test('takes a time in proportion to the text, whatever digits it holds', () => {
    const size = 400_000;
    const texts = ['0', '01', '1.', '1 ', '1e'].map((part) => part.repeat(size / part.length));
    for (const text of texts) {
      const startedAt = performance.now();
      parseJson(JSON.stringify([text, 1]));
      for (const number of [`1${'0'.repeat(size)}1`, `0.${'0'.repeat(size)}1`]) parseJson(number);
      expect(performance.now() - startedAt).toBeLessThan(2_000);
    }
  });
});

describe('parseJson: lone surrogates', () => {
  test.each([
    ['"cut \\ud83d"', 'cut \ufffd', 1],
    ['"\\uDE00 cut"', '\ufffd cut', 1],
    ['"\\ud83d\\ud83d\\ude00\\ude00"', '\ufffd😀\ufffd', 2],
    ['"\\ud83d\\n\\ude00"', '\ufffd\n\ufffd', 2],
    ['"\\ud83dx\\ude00"', '\ufffdx\ufffd', 2],
    ['"\\ud83d\\ude00"', '😀', 0],
    ['"\\\\ud83d"', '\\ud83d', 0],
    ['"\\\\\\ud83d"', '\\\ufffd', 1],
    ['"\\u00e9\\ufffd"', 'é\ufffd', 0],
  ])('%s is %j', (text, value, surrogates) => {
    expect(repairsIn(text)).toEqual({ value, surrogates, numbersAsText: 0 });
  });

  test('become U+FFFD in names too, at any depth', () => {
    const { value, surrogates } = repairsIn('{"a\\ud800":{"\\udfff":["\\ud800"]}}');
    expect(value).toEqual({ 'a\ufffd': { '\ufffd': ['\ufffd'] } });
    expect(surrogates).toBe(3);
  });

  test('no text comes out ill-formed', () => {
    const half = fc.integer({ min: 0xd700, max: 0xe100 }).map((code) => `\\u${code.toString(16)}`);
    const part = fc.oneof(half, half, fc.constantFrom('\\\\', '\\n', 'u', 'd83d', '😀', '\\"'));
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const text = `"${parts.join('')}"`;
        const { value, surrogates } = repairsIn(text);
        const before = JSON.parse(text) as string;
        expect(value).toBe(before.toWellFormed());
        expect(surrogates > 0).toBe(!before.isWellFormed());
      }),
    );
  });

  test('are not counted in a text that is no JSON', () => {
    const repairs = { surrogates: 0, numbersAsText: 0 };
    expect(() => parseJson(`"\\ud83d" ${CART}${CART}`, repairs)).toThrow(SyntaxError);
    expect(repairs).toEqual({ surrogates: 0, numbersAsText: 0 });
  });
});

describe('writeJson', () => {
  test('writes as JSON.stringify does, when there is no bigint', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(writeJson(value)).toBe(JSON.stringify(value));
        expect(writeJson([value, CART])).toBe(`[${JSON.stringify(value)},${CART}]`);
      }),
    );
    expect(writeJson({ a: undefined, b: CART, c: [undefined] })).toBe(`{"b":${CART},"c":[null]}`);
  });
});

describe('exactNumber', () => {
  test('gives a large whole double the digits that JSON writes for it', () => {
    expect(exactNumber(Number(CART))).toBe(BigInt(JSON.stringify(Number(CART))));
    expect(exactNumber(1e18)).toBe(10n ** 18n);
    expect(exactNumber(-(2 ** 63))).toBe(WHOLE_MIN);
    expect(exactNumber(2 ** 64 - 2_048)).toBe(BigInt(String(2 ** 64 - 2_048)));
    for (const same of [1, -0, 0.5, 1e20, -1e19, 2 ** 53 - 1, Number.NaN, Infinity]) {
      expect(exactNumber(same)).toBe(same);
    }
  });
});
