import { expect, test } from 'vitest';
import { AliasTable } from '../../../engine/state/alias-table.ts';
import { Arena } from '../../../engine/state/arena.ts';
import { keyOf } from '../../../engine/state/key.ts';
import { BLOB_SLAB_SLOTS } from '../../../engine/state/keyed-blobs.ts';

const JOINED_AT_MS = Date.parse('2026-01-05T09:00:00Z');
const BOM = '\ufeff';

function tableOf(ids: readonly string[]) {
  const arena = new Arena();
  const table = new AliasTable(arena);
  for (const id of ids) {
    table.set(keyOf(id, true), { id: `${id} now`, isAnonymous: false }, JOINED_AT_MS);
  }
  return { arena, table };
}

/** Another table from what a checkpoint would hold, after `change` was made to it. */
function restored(
  { arena, table }: ReturnType<typeof tableOf>,
  change: (words: Uint32Array, chunk: Uint8Array) => void,
): AliasTable {
  const before = structuredClone([arena.freeze(), table.freeze()] as const);
  change(before[1].slabs[0]!, before[0].chunks[0]!);
  const again = new Arena();
  again.restore(before[0]);
  const copy = new AliasTable(again);
  copy.restore(before[1]);
  return copy;
}

test('aliases: an id that begins with a byte order mark keeps it', () => {
  const { table } = tableOf([`${BOM}a`, BOM]);
  const ids = [...table.entries()].flatMap(({ from, to }) => [from.id, to.id]);
  expect(ids).toEqual([`${BOM}a`, `${BOM}a now`, BOM, `${BOM} now`]);
});

test('aliases: what a checkpoint says of places beyond the arena, or of ids beyond them, is refused', () => {
  const stage = tableOf(['a', 'b']);
  const isCorrupt = expect.objectContaining({ code: 'ERR_CHECKPOINT_CORRUPT' }) as Error;
  expect([...restored(stage, () => undefined).entries()]).toHaveLength(2);
  for (const place of [7 << 16, 0xffff, 0xffff_ffff]) {
    const change = (words: Uint32Array) => words.set([place], words.length / 2);
    expect(() => restored(stage, change), `place ${place}`).toThrow(isCorrupt);
  }
  // Behind the two bytes of a string's length stand the length of its id, the id and the time.
  const idAt = 8 + 2;
  const survivorAt = idAt + 2 + 8;
  for (const at of [idAt, survivorAt]) {
    const change = (_words: Uint32Array, chunk: Uint8Array) => chunk.set([127], at);
    expect(() => restored(stage, change), `byte ${at}`).toThrow(isCorrupt);
  }
});

test('aliases: an id takes little more than the two texts', () => {
  const arena = new Arena();
  const table = new AliasTable(arena);
  const count = 10_000;
  const [from, to] = ['0b2f7d1e-4c1a-4a6e-9d55-', 'user-'];
  const digits = 8;
  for (let i = 0; i < count; i++) {
    const number = String(i).padStart(digits, '0');
    table.set(keyOf(from + number, true), { id: to + number, isAnonymous: false }, i);
  }
  const texts = from.length + to.length + 2 * digits;
  // The length of the whole, the lengths of both ids, the time, and a byte to fill up.
  expect(arena.bytesUsed / count - texts).toBeLessThanOrEqual(2 + 2 + 2 + 8 + 1);
  const slabsBytes = table.freeze().slabs.reduce((sum, { byteLength }) => sum + byteLength, 0);
  expect(slabsBytes).toBe(2 * 4 * BLOB_SLAB_SLOTS * Math.ceil(count / BLOB_SLAB_SLOTS));
});
