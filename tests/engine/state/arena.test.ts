import { describe, expect, test } from 'vitest';
import type { LapseError } from '../../../engine/errors/errors.ts';
import {
  Arena,
  type ArenaSnapshot,
  BLOB_BYTES_MAX,
  CHUNK_BYTES,
} from '../../../engine/state/arena.ts';
import { Prng } from '../../support/prng.ts';

function store(arena: Arena, text: Uint8Array): number {
  const reference = arena.allocate(text.length);
  arena.writable(reference).set(text, arena.startOf(reference));
  return reference;
}

function read(arena: Arena, reference: number): Uint8Array {
  const start = arena.startOf(reference);
  return arena.chunkOf(reference).slice(start, start + arena.lengthOf(reference));
}

function drawBytes(prng: Prng): Uint8Array {
  const length = Math.min(BLOB_BYTES_MAX, prng.below(2 ** prng.below(17)));
  return new Uint8Array(length).fill(prng.below(256));
}

function copyOf(snapshot: ArenaSnapshot): ArenaSnapshot {
  return {
    ...snapshot,
    chunks: snapshot.chunks.map((chunk) => chunk.slice()),
    free: snapshot.free.slice(),
  };
}

/** Bytes are compared by Buffer: the test runner would walk them one by one. */
function isEqual(a: ArenaSnapshot, b: ArenaSnapshot): boolean {
  const isSame = (left: ArrayBufferView, right: ArrayBufferView) =>
    Buffer.compare(bufferOf(left), bufferOf(right)) === 0;
  return (
    a.end === b.end &&
    a.bytesUsed === b.bytesUsed &&
    isSame(a.free, b.free) &&
    a.chunks.length === b.chunks.length &&
    a.chunks.every((chunk, i) => isSame(chunk, b.chunks[i]!))
  );
}

function bufferOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

describe('arena', () => {
  test('agrees with a map over random stores, frees and overwrites, through snapshots', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const prng = new Prng(seed);
      let arena = new Arena();
      const model = new Map<number, Uint8Array>();
      let frozen: { snapshot: ArenaSnapshot; copy: ArenaSnapshot } | undefined;
      for (let step = 0; step < 250; step++) {
        if (model.size > 0 && prng.chance(0.45)) {
          const reference = prng.pick([...model.keys()]);
          arena.free(reference);
          model.delete(reference);
        } else {
          const bytes = drawBytes(prng);
          const reference = store(arena, bytes);
          expect(model.has(reference), `seed ${seed}: a live place is not given away`).toBe(false);
          model.set(reference, bytes);
        }
        if (prng.chance(0.03)) {
          const snapshot = arena.freeze();
          frozen = { snapshot, copy: copyOf(snapshot) };
        }
        if (frozen !== undefined && prng.chance(0.03)) {
          const isSame = isEqual(frozen.snapshot, frozen.copy);
          expect(isSame, `seed ${seed}: frozen bytes do not change`).toBe(true);
          arena.thaw();
          frozen = undefined;
        }
        if (frozen === undefined && prng.chance(0.02)) {
          const snapshot = arena.freeze();
          arena = new Arena();
          arena.restore(copyOf(snapshot));
        }
      }
      for (const [reference, bytes] of model) {
        expect(Buffer.compare(read(arena, reference), bytes), `seed ${seed}`).toBe(0);
      }
      for (const reference of model.keys()) arena.free(reference);
      expect(arena.bytesUsed, `seed ${seed}: nothing is left`).toBe(0);
    }
  });

  test('uses freed places again, so the same load needs no more room', () => {
    const arena = new Arena();
    let reserved = 0;
    for (let round = 0; round < 5; round++) {
      const references = Array.from({ length: 3_000 }, (_, i) =>
        store(arena, new Uint8Array(i % 90).fill(round)),
      );
      if (round === 0) reserved = arena.bytesReserved;
      for (const reference of references) arena.free(reference);
    }
    expect(arena.bytesReserved).toBe(reserved);
  });

  test('holds the longest string, even as its very first', () => {
    const arena = new Arena();
    const longest = new Uint8Array(BLOB_BYTES_MAX).map((_, i) => i % 251);
    const first = store(arena, longest);
    const second = store(arena, longest);
    expect(Buffer.compare(read(arena, first), longest)).toBe(0);
    expect(Buffer.compare(read(arena, second), longest)).toBe(0);
  });

  test('never gives out the reference 0, which marks a free slot', () => {
    const arena = new Arena();
    expect(store(arena, new Uint8Array(0))).toBeGreaterThan(0);
  });

  test('refuses to grow beyond 4 GiB, instead of beginning anew at the first chunk', () => {
    const chunksMax = 2 ** 16;
    const chunk = new Uint8Array(CHUNK_BYTES);
    const arena = new Arena();
    const { free } = arena.freeze();
    arena.restore({
      chunks: new Array<Uint8Array>(chunksMax).fill(chunk),
      free,
      end: chunksMax * CHUNK_BYTES,
      bytesUsed: 0,
    });
    expect(() => arena.allocate(10)).toThrowError(
      expect.objectContaining<Partial<LapseError>>({ code: 'ERR_PARTITION_FULL' }),
    );
  });
});
