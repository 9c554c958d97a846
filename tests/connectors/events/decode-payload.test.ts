import fc from 'fast-check';
import { pack } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { Payload } from '../../../connectors/events/decode-payload.ts';
import { arrayElementSpans, memberValueStart } from '../../../connectors/events/json-spans.ts';
import { noRepairs } from '../../../connectors/events/repairs.ts';
import { writeJson } from '../../../engine/json/write-json.ts';

const ENOUGH = 0;
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text));

function decode(bytes: Uint8Array) {
  const repairs = noRepairs();
  const payload = new Payload(repairs);
  payload.decode(bytes);
  return {
    payload,
    repairs,
    values: payload.values.map((value, i) => payload.refusalOf(i)?.message ?? value),
    texts: payload.values.map((_, i) => Buffer.from(payload.bytesOf(i)).toString()),
  };
}

describe('payload', () => {
  test.each([
    ['an object', '{"a":1}', [{ a: 1 }], ['{"a":1}']],
    ['an object over several lines', '{\n"a":\n1}\n', [{ a: 1 }], ['{\n"a":\n1}\n']],
    [
      'an array',
      ' [ {"a":"]\\"}"} ,2,[ 3 ] ] ',
      [{ a: ']"}' }, 2, [3]],
      ['{"a":"]\\"}"}', '2', '[ 3 ]'],
    ],
    ['an empty array', '[]', [], []],
    ['lines', '{"a":1}\r\n\n{"a":2}', [{ a: 1 }, { a: 2 }], ['{"a":1}\r', '{"a":2}']],
    ['a byte order mark', '\ufeff[1]', [1], ['1']],
    ['a byte order mark before an object', '\ufeff {"a":1}', [{ a: 1 }], [' {"a":1}']],
    [
      'a byte order mark before lines',
      '\ufeff{"a":1}\n\ufeff{"a":2}\n{"a":3}',
      [{ a: 1 }, 'A line of NDJSON must be JSON, got 10 bytes that are not.', { a: 3 }],
      ['{"a":1}', '\ufeff{"a":2}', '{"a":3}'],
    ],
  ])('%s of JSON', (_what, text, values, texts) => {
    const decoded = decode(bytesOf(text));
    expect(decoded.values).toEqual(values);
    expect(decoded.texts).toEqual(texts);
  });

  test('a line that is not JSON spoils no other', () => {
    expect(decode(bytesOf('{"a":1}\n{"a":\n{"a":2}\n')).values).toEqual([
      { a: 1 },
      'A line of NDJSON must be JSON, got 5 bytes that are not.',
      { a: 2 },
    ]);
  });

  test('a broken payload of many lines is one mistake', () => {
    const text = '{\n"a": 1,\n';
    expect(decode(bytesOf(text)).values).toEqual([
      `A payload must be a JSON object or array, NDJSON or msgpack, got ${text.length} bytes that are not.`,
    ]);
  });

  test('bytes that are no UTF-8 are refused, not repaired', () => {
    expect(decode(Buffer.from('{"a":"\u00e9"}', 'latin1')).values).toEqual([
      'A JSON payload must be UTF-8, got other bytes.',
    ]);
    expect(decode(bytesOf('{"a":"\ufffd"}')).values).toEqual([{ a: '\ufffd' }]);
  });

  test('whole numbers of 64 bits are the same by every form of a payload', () => {
    const whole = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(fc.array(whole, { minLength: 1 }), (numbers) => {
        const wanted = numbers.map((n) => ({ n: Number.isSafeInteger(Number(n)) ? Number(n) : n }));
        const events = numbers.map((n) => ({ n }));
        for (const bytes of [
          bytesOf(writeJson(events)),
          bytesOf(events.map(writeJson).join('\n')),
          new Uint8Array(pack(events)),
        ]) {
          expect(decode(bytes).values).toEqual(wanted);
        }
      }),
    );
  });

  test('lone surrogates become U+FFFD by every form of a payload, and are counted', () => {
    const json = '{"a\\ud83d":"\\ude00","b":"\xed\xa0\xbd"}';
    const msgpack = '\x82\xa4a\xed\xa0\xbd\xa3\xed\xb8\x80\xa1b\xa3\xed\xa0\xbd';
    for (const text of [json, `[${json}]`, `${json}\n${json}`, msgpack]) {
      const { values, repairs, texts } = decode(Buffer.from(text, 'latin1'));
      for (const value of values) expect(value).toEqual({ 'a\ufffd': '\ufffd', b: '\ufffd' });
      expect(repairs.surrogates).toBe(3 * values.length);
      // What is kept of a refused one is what came.
      expect(texts[0]).toBe(Buffer.from(text === msgpack ? msgpack : json, 'latin1').toString());
    }
  });

  test('numbers beyond 64 bits are texts, and are counted', () => {
    const { values, repairs } = decode(bytesOf(`{"a":${2n ** 64n}}\n{"a":${10n ** 40n}}`));
    expect(values).toEqual([{ a: String(2n ** 64n) }, { a: String(10n ** 40n) }]);
    expect(repairs.numbersAsText).toBe(2);
  });

  test('the length of an element is exact as soon as it matters', () => {
    const { payload } = decode(bytesOf('[1, "abc" ]'));
    expect(payload.byteLengthOf(1, ENOUGH)).toBe(5);
    expect(payload.byteLengthOf(1, 1_000)).toBe(11);
  });

  test('msgpack of objects and arrays gives what it was made of', () => {
    const value = fc.jsonValue().filter((v) => typeof v === 'object' && v !== null);
    fc.assert(
      fc.property(value, (given) => {
        const json = JSON.parse(JSON.stringify(given).replaceAll('__proto__', 'x')) as unknown;
        const { payload, values } = decode(new Uint8Array(pack(json)));
        expect(JSON.stringify(values)).toBe(JSON.stringify(Array.isArray(json) ? json : [json]));
        for (let i = 0; i < values.length; i++) {
          expect(Buffer.from(payload.bytesOf(i))).toEqual(Buffer.from(pack(values[i])));
        }
      }),
    );
  });

  test.each([
    ['a timestamp', [0x91, 0xd6, 0xff, 0, 0, 0, 1], [new Date(1_000)]],
    ['a large integer', [0x91, 0xcf, 255, 255, 255, 255, 255, 255, 255, 255], [2n ** 64n - 1n]],
    ['binary', [0x91, 0xc4, 1, 7], [Buffer.of(7)]],
    ['text that is no UTF-8', [0x91, 0xa1, 0xff], [Buffer.of(0xff)]],
    ['the half of one', [0x91, 0xa2, 0xed, 0xa0], [Buffer.of(0xed, 0xa0)]],
    [
      'the key __proto__',
      [0x81, 0xa9, ...Buffer.from('__proto__'), 1],
      [JSON.parse('{"__proto__":1}')],
    ],
  ])('msgpack: %s stays what it is', (_what, bytes, values) => {
    expect(decode(Uint8Array.from(bytes)).values).toEqual(values);
  });

  test.each([
    ['its end is missing', [0x92, 1], 'got only its first 2 bytes'],
    ['a length is a lie', [0xdd, 255, 255, 255, 255], 'got only its first 5 bytes'],
    ['more follows', [0x90, 1], 'got 1 bytes behind its value'],
    ['a key is no text', [0x81, 0x90, 1], 'got a key that is no text'],
    ['a byte is unused', [0x91, 0xc1], 'got the unused byte 0xc1'],
    ['it is bottomless', new Array<number>(10_000).fill(0x91), 'got more than 64 levels'],
  ])('msgpack is refused when %s', (_what, bytes, got) => {
    expect(decode(Uint8Array.from(bytes)).values).toEqual([
      `A payload must be whole msgpack, ${got}.`,
    ]);
  });

  test('no bytes make it throw, and it always says which they were', () => {
    const marked = fc
      .tuple(
        fc.constantFrom(0x7b, 0x5b, 0x81, 0x92, 0xdc, 0xdf, 0xef),
        fc.uint8Array({ maxLength: 60 }),
      )
      .map(([first, rest]) => Uint8Array.of(first, ...rest));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), marked), (bytes) => {
        const { payload } = decode(bytes);
        for (let i = 0; i < payload.values.length; i++) {
          expect(payload.bytesOf(i).length).toBe(payload.byteLengthOf(i, ENOUGH));
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('spans of JSON', () => {
  test('each element of any array stands where they say', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue()),
        fc.constantFrom(undefined, 1, '\t'),
        (values, indent) => {
          const bytes = bytesOf(JSON.stringify(values, undefined, indent));
          const spans = arrayElementSpans(bytes, 0);
          expect(spans.length).toBe(2 * values.length);
          for (let i = 0; i < values.length; i++) {
            const text = Buffer.from(bytes.subarray(spans[2 * i], spans[2 * i + 1])).toString();
            expect(JSON.stringify(JSON.parse(text))).toBe(JSON.stringify(values[i]));
          }
        },
      ),
    );
  });

  test('the last of equal members counts, at the top only', () => {
    const text = '{"x":{"batch":[0]}, "batch":[1],"y":"batch" , "batch" : [2]}';
    const start = memberValueStart(bytesOf(text), 0, 'batch');
    expect(text.slice(start)).toBe('[2]}');
    expect(memberValueStart(bytesOf('{"batches":1}'), 0, 'batch')).toBe(-1);
    expect(memberValueStart(bytesOf('[]'), 0, 'batch')).toBe(-1);
  });

  test('a member is found under its name however the name is escaped, and the last one counts', () => {
    const text = '{"batch":[1],"b\\u0061tch":[2]}';
    expect(memberValueStart(bytesOf(text), 0, 'batch')).toBe(text.indexOf('[2]'));
    expect(memberValueStart(bytesOf('{"b\\u0062tch":[2]}'), 0, 'batch')).toBe(-1);
  });
});
