import { describe, expect, test } from 'vitest';
import {
  FIXED_FINGERPRINT_KEY,
  Fingerprints,
  fingerprintKeyFrom,
} from '../../../engine/state/fingerprints.ts';
import { type Hash64, hash64 } from '../../../engine/state/hash.ts';
import { type Key, keyOf } from '../../../engine/state/key.ts';
import { Prng } from '../../support/prng.ts';

const TRIES = 20_000;

function userPrint(prints: Fingerprints, key: Key): Hash64 {
  const out = { lo: 0, hi: 0 };
  prints.ofUser(key, out);
  return out;
}

function eventPrint(prints: Fingerprints, key: Key, id: Hash64): Hash64 {
  const out = { lo: 0, hi: 0 };
  prints.ofEvent(key, id.lo, id.hi, out);
  return out;
}

function hashOf(key: Key): Hash64 {
  return { lo: key.hashLo, hi: key.hashHi };
}

/** A key whose bytes lie elsewhere, behind others. */
function moved(key: Key, start: number): Key {
  const bytes = new Uint8Array(start + key.length + 3).fill(7);
  bytes.set(key.bytes.subarray(key.start, key.start + key.length), start);
  return { ...key, bytes, start };
}

/** Two ids of equal length whose lower halves of `hash64` are equal: anybody can find such. */
function idsOfEqualPartitionHash(): [Key, Key] {
  const seen = new Map<number, string>();
  for (let i = 0; ; i++) {
    const id = `u${i.toString(36)}`;
    const key = keyOf(id, false);
    const other = seen.get(key.hashLo);
    if (other !== undefined && other.length === id.length) return [keyOf(other, false), key];
    seen.set(key.hashLo, id);
  }
}

describe('fingerprints', () => {
  const prints = new Fingerprints(FIXED_FINGERPRINT_KEY);

  test('are of the bytes of the id, wherever they lie', () => {
    const prng = new Prng(1);
    for (let i = 0; i < 500; i++) {
      const key = keyOf('x'.repeat(prng.below(20)) + String(prng.below(1e6)), prng.chance(0.5));
      expect(userPrint(prints, moved(key, prng.below(9)))).toEqual(userPrint(prints, key));
    }
  });

  test('differ by id, length, kind of user, event and key', () => {
    const key = keyOf('ann', false);
    const id = { lo: 1, hi: 2 };
    const others = [
      userPrint(prints, key),
      userPrint(prints, keyOf('ann', true)),
      userPrint(prints, keyOf('ann\u0000', false)),
      userPrint(prints, keyOf('', false)),
      userPrint(prints, keyOf('', true)),
      userPrint(new Fingerprints({ lo: 1, hi: 2 }), key),
      userPrint(new Fingerprints({ lo: 2, hi: 1 }), key),
      eventPrint(prints, key, id),
      eventPrint(prints, key, { lo: 2, hi: 1 }),
      eventPrint(prints, keyOf('ann', true), id),
    ];
    expect(new Set(others.map(({ lo, hi }) => `${lo} ${hi}`)).size).toBe(others.length);
  });

  test('of users whose hashes somebody has made equal differ, in both halves', () => {
    const [one, other] = idsOfEqualPartitionHash();
    expect(one.hashLo).toBe(other.hashLo);
    const id = { lo: 5, hi: 6 };
    for (const of of [userPrint, (p: Fingerprints, key: Key) => eventPrint(p, key, id)]) {
      const [left, right] = [of(prints, one), of(prints, other)];
      expect([left.lo === right.lo, left.hi === right.hi]).toEqual([false, false]);
    }
  });

  test('of events whose users and ids hash alike when mixed differ', () => {
    // What an unkeyed mixture of both hashes allows: a message id that makes up for the user.
    const [ann, bob] = [keyOf('ann', false), keyOf('bob', false)];
    const id = { lo: 5, hi: 6 };
    const forged = {
      lo: (id.lo ^ hashOf(ann).lo ^ hashOf(bob).lo) >>> 0,
      hi: (id.hi ^ hashOf(ann).hi ^ hashOf(bob).hi) >>> 0,
    };
    expect(eventPrint(prints, bob, forged)).not.toEqual(eventPrint(prints, ann, id));
  });

  test('every bit of the input changes about half of the bits of the output', () => {
    const prng = new Prng(3);
    let changed = 0;
    for (let i = 0; i < TRIES; i++) {
      const key = keyOf(`user-${prng.below(1e9)}`, false);
      const before = userPrint(prints, key);
      const at = prng.below(key.length);
      key.bytes[at]! ^= 1 << prng.below(8);
      const after = userPrint(prints, key);
      changed += bits(before.lo ^ after.lo) + bits(before.hi ^ after.hi);
    }
    expect(changed / TRIES).toBeGreaterThan(31.5);
    expect(changed / TRIES).toBeLessThan(32.5);
  });

  test('of texts are whole numbers of 53 bits, other than 0, equal for equal texts only', () => {
    const texts = [
      '',
      'a',
      'b',
      'ab',
      'ba',
      'a\u0000',
      'ä',
      '😀',
      'x'.repeat(300),
      'x'.repeat(301),
    ];
    const numbers = texts.map((text) => prints.ofText(text));
    expect(new Set(numbers).size).toBe(texts.length);
    for (const number of numbers) {
      expect(Number.isSafeInteger(number) && number > 0).toBe(true);
    }
    expect(texts.map((text) => prints.ofText(text))).toEqual(numbers);
    expect(numbers.some((number) => number > 2 ** 32)).toBe(true);
  });

  test('stay the same: they are in checkpoints', () => {
    const hash: Hash64 = { lo: 0, hi: 0 };
    const id = new TextEncoder().encode('m-1');
    hash64(id, 0, id.length, 0, hash);
    expect([
      userPrint(prints, keyOf('ann', false)),
      eventPrint(prints, keyOf('ann', false), hash),
      prints.ofText('sku-1'),
    ]).toMatchSnapshot();
  });
});

test('a key is 16 hexadecimal digits', () => {
  expect(fingerprintKeyFrom('00000002ffffffff')).toEqual({ lo: 0xffffffff, hi: 2 });
  for (const text of ['', '0', '00000002FFFFFFFF', '00000002ffffffff0']) {
    expect(fingerprintKeyFrom(text)).toBeUndefined();
  }
});

function bits(word: number): number {
  let count = 0;
  for (let rest = word >>> 0; rest !== 0; rest &= rest - 1) count++;
  return count;
}
