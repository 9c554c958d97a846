import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { expect, test } from 'vitest';
import { EnvelopeBody } from '../../../engine/envelope/envelope-body.ts';

const packr = new Packr({ useRecords: false, variableMapSize: true, useToJSON: false });

function bodyOf(values: readonly unknown[]): Buffer {
  const body = new EnvelopeBody(packr);
  body.arrayHeader(values.length);
  for (const value of values) body.value(value);
  return body.bytes.subarray(0, body.length);
}

function expectSame(values: readonly unknown[]): void {
  expect(bodyOf(values).toString('latin1')).toBe(packr.pack(values).toString('latin1'));
}

test('envelope body: its bytes are those of msgpackr, whatever the values', () => {
  const value = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 90 }),
    fc.string({ unit: 'binary-ascii', maxLength: 90 }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.jsonValue({ maxDepth: 3 }),
  );
  fc.assert(
    fc.property(fc.array(value, { maxLength: 8 }), (values) => {
      expectSame(values);
    }),
  );
});

test('envelope body: its bytes are those of msgpackr, where lengths and numbers change form', () => {
  const edges = [0, 15, 16, 31, 32, 63, 64, 65, 127, 128, 255, 256, 65_535, 65_536];
  const texts = edges.flatMap((chars) => ['a'.repeat(chars), `${'a'.repeat(chars)}é`]);
  const numbers = [...edges, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1];
  for (const value of [...texts, ...numbers, ...numbers.map((number) => -number - 1), -0]) {
    expectSame([value]);
  }
  for (const count of edges) {
    const values = new Array<number>(count).fill(1);
    expectSame(values);
  }
});

test('envelope body: text put behind the end is overwritten by what follows', () => {
  const body = new EnvelopeBody(packr);
  expect(body.putText('naïve')).toBe(Buffer.byteLength('naïve'));
  expect(body.length).toBe(0);
  body.append(Uint8Array.of(1, 2));
  expect(body.bytes.subarray(0, body.length)).toEqual(Buffer.from([1, 2]));
});
