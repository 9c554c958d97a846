import { LapseError } from '../errors/errors.ts';
import type { Arena } from './arena.ts';
import { emptyKey, type Key, keyOf, readKeyPrefix, writeKeyPrefix } from './key.ts';
import { KeyedBlobs, type KeyedBlobsSnapshot } from './keyed-blobs.ts';

/** A user as the outside names it. */
export interface UserId {
  readonly id: string;
  /** The user is known by `anonymousId` only. */
  readonly isAnonymous: boolean;
}

/** One user's id that has become another's. */
export interface Alias {
  readonly from: UserId;
  readonly to: UserId;
  /** Time of receipt of what joined them, Unix ms. */
  readonly joinedAtMs: number;
}

const TIME_BYTES = 8;
// A BOM is a character of the id like any other, and must not be left out.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Which ids have joined which (SPEC 1.2), for good: besides the two ids 12 bytes each in the arena,
 * 8 in the slabs, and 5 to 11 in the index, which doubles when it is three quarters full.
 */
export class AliasTable {
  readonly #blobs: KeyedBlobs;

  constructor(arena: Arena) {
    this.#blobs = new KeyedBlobs(arena);
  }

  get count(): number {
    return this.#blobs.count;
  }

  /** Whose id this is now, undefined when it is its own; one step of what may be a chain. */
  get(key: Key): Pick<Alias, 'to' | 'joinedAtMs'> | undefined {
    if (this.#blobs.count === 0) return undefined;
    const range = this.#blobs.get(key);
    return range === undefined ? undefined : read(range.bytes, range.start);
  }

  set(key: Key, to: UserId, joinedAtMs: number): void {
    const target = keyOf(to.id, to.isAnonymous);
    const bytes = new Uint8Array(TIME_BYTES + 2 + target.length);
    new DataView(bytes.buffer).setFloat64(0, joinedAtMs, true);
    const end = writeKeyPrefix(target, bytes, TIME_BYTES);
    this.#blobs.put(key, bytes.subarray(0, end));
  }

  /** The id is its own again. */
  remove(key: Key): void {
    this.#blobs.remove(key);
  }

  *entries(): Generator<Alias> {
    const key = emptyKey();
    for (const { bytes, start } of this.#blobs.entries(key)) {
      yield { from: userOf(key), ...read(bytes, start) };
    }
  }

  freeze(): KeyedBlobsSnapshot {
    return this.#blobs.freeze();
  }

  thaw(): void {
    this.#blobs.thaw();
  }

  /** The arena must be restored. @throws LapseError `ERR_CHECKPOINT_CORRUPT` */
  restore(snapshot: KeyedBlobsSnapshot): void {
    this.#blobs.restore(snapshot);
    const key = emptyKey();
    for (const { bytes, start, end } of this.#blobs.entries(key)) {
      // Also when the time takes more than there is: what follows is then read beyond the end.
      if (readKeyPrefix(bytes, start + TIME_BYTES, emptyKey()) === end) continue;
      const sentence = `The alias of ${userOf(key).id} must name one user, it does not.`;
      throw new LapseError('ERR_CHECKPOINT_CORRUPT', sentence);
    }
  }
}

function read(bytes: Uint8Array, start: number): Pick<Alias, 'to' | 'joinedAtMs'> {
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, TIME_BYTES);
  const key = emptyKey();
  readKeyPrefix(bytes, start + TIME_BYTES, key);
  return { to: userOf(key), joinedAtMs: view.getFloat64(0, true) };
}

export function userOf(key: Key): UserId {
  const { bytes, start, length, isAnonymous } = key;
  return { id: decoder.decode(bytes.subarray(start, start + length)), isAnonymous };
}
