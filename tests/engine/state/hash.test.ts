import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fnv1a32, hash64, partitionOf } from '../../../engine/state/hash.ts';

const encoder = new TextEncoder();

describe('hashes', () => {
  // From the reference of Fowler, Noll and Vo, as Go's hash/fnv, NATS's own, gives them.
  test.each([
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['b', 0xe70c2de5],
    ['foobar', 0xbf9cf968],
    ['hello', 0x4f9f2cab],
    ['chongo was here!\n', 0xd49930d5],
  ])('fnv1a32: %j is the vector of the reference', (text, wanted) => {
    expect(fnv1a32(encoder.encode(text))).toBe(wanted);
  });

  test('partitionOf: is FNV-1a over UTF-8 modulo the count, whatever the id holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 65_536 }), (id, n) => {
        expect(partitionOf(id, n)).toBe(fnv1a32(encoder.encode(id)) % n);
      }),
    );
  });

  test('hash64: depends on the bytes and the seed only, not on where they lie', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat({ max: 20 }), fc.nat(), (bytes, offset, seed) => {
        const moved = new Uint8Array(bytes.length + offset + 3).fill(255);
        moved.set(bytes, offset);
        const a = { lo: 0, hi: 0 };
        const b = { lo: 0, hi: 0 };
        hash64(bytes, 0, bytes.length, seed, a);
        hash64(moved, offset, offset + bytes.length, seed, b);
        expect(b).toEqual(a);
        expect(a.lo).toBe(fnv1a32(bytes));
      }),
    );
  });

  test('hash64: 200,000 neighbouring ids give as many different pairs', () => {
    const seen = new Set<string>();
    const out = { lo: 0, hi: 0 };
    for (let i = 0; i < 200_000; i++) {
      const bytes = encoder.encode(`user-${i}`);
      hash64(bytes, 0, bytes.length, 0, out);
      seen.add(`${out.lo}.${out.hi}`);
    }
    expect(seen.size).toBe(200_000);
  });
});
