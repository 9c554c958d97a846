import { describe, expect, test } from 'vitest';
import { ControlRecords } from '../../../engine/partition/control-records.ts';

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

function reading(records: ControlRecords, value: unknown): unknown {
  const bytes = bytesOf(value);
  return records.read(bytes, () => JSON.parse(new TextDecoder().decode(bytes)));
}

describe('control records', () => {
  test('what 64 partitions read is parsed once, several records in turn too', () => {
    const records = new ControlRecords();
    const values = Array.from({ length: 10 }, (_, i) => ({ type: 'delta', campaigns: [{ i }] }));
    for (let partition = 0; partition < 64; partition++) {
      for (const value of values) expect(reading(records, value)).toEqual(value);
    }
    expect(records.parsed).toBe(values.length);
  });

  test('nobody can change what others have', () => {
    const value = reading(new ControlRecords(), { a: [{ b: 1 }] }) as { a: { b: number }[] };
    expect(() => {
      value.a[0]!.b = 2;
    }).toThrow(TypeError);
  });

  test('records of equal length that differ in a byte are told apart', () => {
    const records = new ControlRecords();
    expect([reading(records, { a: 1 }), reading(records, { a: 2 })]).toEqual([{ a: 1 }, { a: 2 }]);
  });

  test('old ones are forgotten and parsed again', () => {
    const records = new ControlRecords();
    for (let i = 0; i < 100; i++) reading(records, { i });
    expect(reading(records, { i: 0 })).toEqual({ i: 0 });
    expect(records.parsed).toBe(101);
  });
});
