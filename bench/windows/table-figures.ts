/** What a window costs in the tables alone: no envelope, no rule, no output. */

import { Arena } from '../../engine/state/arena.ts';
import { hash64 } from '../../engine/state/hash.ts';
import { emptyKey, type Key } from '../../engine/state/key.ts';
import { WindowTable } from '../../engine/state/window-table.ts';
import { userIdOf } from '../workload/shop.ts';
import { timed } from './naive.ts';

export interface TableFigures {
  readonly openNs: number;
  readonly moveNs: number;
  readonly fireNs: number;
}

const WITHIN_MS = 86_400_000;
const KEPT = { bytes: new Uint8Array(40), start: 0, end: 40 };
const NS_PER_MS = 1e6;
const ID_BYTES = 12;
/** Windows opened in one millisecond of partition time. */
const PER_MS = 4;

export function measureTables(count: number): TableFigures {
  const arena = new Arena();
  const dueAtMs = (_rule: number, anchorAtMs: number) => anchorAtMs + WITHIN_MS;
  const table = new WindowTable(arena, { dueAtMs }, 0);
  const keys = new Keys(count);
  const openMs = timed(() => {
    for (let i = 0; i < count; i++) {
      const atMs = Math.floor(i / PER_MS);
      const window = { anchorAtMs: atMs, eventIdLo: i, eventIdHi: 0, match: 0, nowMs: atMs };
      table.open(keys.at(i), 0, window, KEPT);
    }
  });
  const openedMs = Math.ceil(count / PER_MS);
  const moveMs = timed(() => {
    for (let i = 0; i < count; i++) {
      const key = keys.at(i);
      table.find(key, 0);
      table.restart(table.found[0]!, key, openedMs + Math.floor(i / PER_MS), KEPT, {
        nowMs: openedMs,
      });
    }
  });
  const fireMs = timed(() => {
    for (;;) {
      const taken = table.wheel.take(Number.MAX_SAFE_INTEGER);
      if (taken === 0) return;
      for (let i = 0; i < taken; i++) table.release(table.wheel.taken[i]!);
    }
  });
  const each = (ms: number) => (ms * NS_PER_MS) / count;
  return { openNs: each(openMs), moveNs: each(moveMs), fireNs: each(fireMs) };
}

/** Keys with their hashes, made beforehand. */
class Keys {
  readonly #bytes: Buffer;
  readonly #hashes: Uint32Array;
  readonly #key: Key = emptyKey();

  constructor(count: number) {
    this.#bytes = Buffer.alloc(count * ID_BYTES);
    this.#hashes = new Uint32Array(2 * count);
    const hash = { lo: 0, hi: 0 };
    for (let i = 0; i < count; i++) {
      this.#bytes.write(userIdOf(i), i * ID_BYTES, 'latin1');
      hash64(this.#bytes, i * ID_BYTES, (i + 1) * ID_BYTES, 0, hash);
      this.#hashes[2 * i] = hash.lo;
      this.#hashes[2 * i + 1] = hash.hi;
    }
    this.#key.bytes = this.#bytes;
    this.#key.length = ID_BYTES;
  }

  at(i: number): Key {
    this.#key.start = i * ID_BYTES;
    this.#key.hashLo = this.#hashes[2 * i]!;
    this.#key.hashHi = this.#hashes[2 * i + 1]!;
    return this.#key;
  }
}
