import { describe, expect, test } from 'vitest';
import { Arena } from '../../../engine/state/arena.ts';
import { emptyKey, type Key } from '../../../engine/state/key.ts';
import { type BlobRange, KeyedBlobs } from '../../../engine/state/keyed-blobs.ts';
import { Prng } from '../../support/prng.ts';
import { keyOf, withHash } from '../../support/state-keys.ts';

const decoder = new TextDecoder();
const encoder = new TextEncoder();

function textOf(range: BlobRange | undefined): string | undefined {
  return range && decoder.decode(range.bytes.subarray(range.start, range.end));
}

/** All that a table holds, by user. */
function all(blobs: KeyedBlobs): Map<string, string> {
  const key = emptyKey();
  const found = new Map<string, string>();
  for (const range of blobs.entries(key)) found.set(nameOf(key), textOf(range)!);
  return found;
}

function nameOf({ bytes, start, length, isAnonymous }: Key): string {
  return `${isAnonymous ? 'anonymous' : 'known'} ${decoder.decode(bytes.subarray(start, start + length))}`;
}

describe('blobs by key', () => {
  test('agree with a plain map, through removals, growth and restores', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const prng = new Prng(seed);
      let arena = new Arena();
      let blobs = new KeyedBlobs(arena);
      const model = new Map<string, string>();
      for (let step = 0; step < 3_000; step++) {
        const key = keyOf('ü'.repeat(1 + prng.below(3)) + prng.below(400), prng.chance(0.5));
        const name = nameOf(key);
        const draw = prng.next();
        if (draw < 0.5) {
          const text = 'x'.repeat(prng.below(200)) + step;
          blobs.put(key, encoder.encode(text));
          model.set(name, text);
        } else if (draw < 0.8) {
          expect(blobs.remove(key)).toBe(model.delete(name));
        } else expect(textOf(blobs.get(key)), `seed ${seed} step ${step}`).toBe(model.get(name));
        if (prng.chance(0.002)) {
          const copies = structuredClone([arena.freeze(), blobs.freeze()] as const);
          arena = new Arena();
          blobs = new KeyedBlobs(arena);
          arena.restore(copies[0]);
          blobs.restore(copies[1]);
        }
      }
      expect(blobs.count).toBe(model.size);
      expect(all(blobs)).toEqual(model);
    }
  });

  test('a snapshot stays as it was while the table goes on', () => {
    const arena = new Arena();
    const blobs = new KeyedBlobs(arena);
    blobs.put(keyOf('stays'), encoder.encode('1'));
    blobs.put(keyOf('changes'), encoder.encode('1'));
    blobs.put(keyOf('goes'), encoder.encode('1'));
    const frozen = [arena.freeze(), blobs.freeze()] as const;
    blobs.put(keyOf('changes'), encoder.encode('2'));
    blobs.remove(keyOf('goes'));
    blobs.put(keyOf('comes'), encoder.encode('2'));
    const copies = structuredClone(frozen);
    arena.thaw();
    blobs.thaw();
    const otherArena = new Arena();
    const other = new KeyedBlobs(otherArena);
    otherArena.restore(copies[0]);
    other.restore(copies[1]);
    expect(all(other)).toEqual(
      new Map([
        ['known stays', '1'],
        ['known changes', '1'],
        ['known goes', '1'],
      ]),
    );
  });

  test('two users whose hashes are equal are two', () => {
    const blobs = new KeyedBlobs(new Arena());
    const [one, other] = [withHash(keyOf('one'), 7, 9), withHash(keyOf('other'), 7, 9)];
    blobs.put(one, encoder.encode('1'));
    expect(blobs.get(other)).toBeUndefined();
    blobs.put(other, encoder.encode('2'));
    expect([textOf(blobs.get(one)), textOf(blobs.get(other))]).toEqual(['1', '2']);
    blobs.remove(one);
    expect([textOf(blobs.get(one)), textOf(blobs.get(other))]).toEqual([undefined, '2']);
  });
});
