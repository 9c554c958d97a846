import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { STORED } from '../../../connectors/logs/embedded/lmdb-schema.ts';
import {
  encodeFrame,
  frameBytes,
  readFrames,
  type WrittenEntry,
} from '../../../connectors/logs/embedded/write-ahead-frame.ts';

const entry = fc.record({
  topic: fc.string({ unit: 'grapheme', maxLength: 20 }),
  topicId: fc.nat(),
  offset: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  epoch: fc.nat(),
  value: fc.uint8Array({ minLength: STORED.bytes, maxLength: 200 }),
});
const commits = fc.array(fc.array(entry, { maxLength: 4 }), { minLength: 1, maxLength: 5 });

/** One frame after the other, as a half of the file holds them. */
function framesOf(all: readonly (readonly WrittenEntry[])[], first = 1): Buffer[] {
  return all.map((entries, i) => {
    const into = Buffer.alloc(frameBytes(entries), 0xaa);
    return encodeFrame(into, first + i, entries);
  });
}

function contents(bytes: Buffer) {
  const { frames, leftBehind } = readFrames(bytes);
  return { leftBehind, entries: frames.map((frame) => frame.entries.map(plain)) };
}

function plain({ value, ...rest }: WrittenEntry) {
  return { ...rest, value: [...value] };
}

describe('frames written ahead', () => {
  test('what is written is read again, and takes the bytes that were reckoned', () => {
    fc.assert(
      fc.property(commits, (all) => {
        const frames = framesOf(all);
        expect(frames.map((frame) => frame.length)).toEqual(all.map(frameBytes));
        const half = Buffer.concat([...frames, Buffer.alloc(64)]);
        expect(contents(half)).toEqual({
          leftBehind: 0,
          entries: all.map((entries) => entries.map(plain)),
        });
      }),
    );
  });

  test('values start at multiples of 8, so that an envelope lies aligned', () => {
    fc.assert(
      fc.property(commits, (all) => {
        // Not of a pool, whose parts start anywhere.
        const half = Buffer.from(Uint8Array.from(Buffer.concat(framesOf(all))).buffer);
        for (const { entries } of readFrames(half).frames) {
          for (const { value } of entries) expect(value.byteOffset % 8).toBe(0);
        }
      }),
    );
  });

  test('a last frame of which any bytes are missing or others counts for nothing', () => {
    fc.assert(
      fc.property(commits, fc.nat(), fc.integer({ min: 1, max: 255 }), (all, where, flip) => {
        const frames = framesOf(all);
        const half = Buffer.concat(frames);
        const last = frames.at(-1)!;
        half[half.length - last.length + (where % last.length)]! ^= flip;
        expect(contents(half)).toEqual({
          leftBehind: 0,
          entries: all.slice(0, -1).map((entries) => entries.map(plain)),
        });
      }),
    );
  });

  test('behind a damaged frame the last one is found, which no earlier round can have left', () => {
    fc.assert(
      fc.property(commits, fc.nat(), fc.integer({ min: 1, max: 255 }), (all, where, flip) => {
        const frames = framesOf([[], ...all, []]);
        const half = Buffer.concat(frames);
        const at = frames[0]!.length + (where % frames[1]!.length);
        half[at]! ^= flip;
        expect(contents(half)).toEqual({ leftBehind: frames.length, entries: [[]] });
      }),
    );
  });

  test('frames of an earlier round behind the last one are left alone', () => {
    fc.assert(
      fc.property(commits, commits, (older, newer) => {
        const before = Buffer.concat(framesOf(older, 1));
        const now = Buffer.concat(framesOf(newer, 1 + older.length));
        const half = Buffer.concat([now, before.subarray(Math.min(now.length, before.length))]);
        const { leftBehind, entries } = contents(half);
        expect(leftBehind).toBeLessThanOrEqual(older.length);
        expect(entries).toEqual(newer.map((commit) => commit.map(plain)));
      }),
    );
  });
});
