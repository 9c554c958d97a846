import { type Hash64, hash64 } from './hash.ts';

/** A user as the state tables are asked for it: the bytes of its id, wherever they lie. */
export interface Key {
  bytes: Uint8Array;
  start: number;
  length: number;
  isAnonymous: boolean;
  hashLo: number;
  hashHi: number;
}

export function emptyKey(): Key {
  return {
    bytes: new Uint8Array(0),
    start: 0,
    length: 0,
    isAnonymous: false,
    hashLo: 0,
    hashHi: 0,
  };
}

/** Keeps the hashes of anonymous and known users with the same id apart. */
export const ANONYMOUS_SEED = 0x5bd1e995;

const hash: Hash64 = { lo: 0, hi: 0 };

/** Works out the hashes of a key that was read from the arena. */
export function rehash(key: Key): void {
  const seed = key.isAnonymous ? ANONYMOUS_SEED : 0;
  hash64(key.bytes, key.start, key.start + key.length, seed, hash);
  key.hashLo = hash.lo;
  key.hashHi = hash.hi;
}

const encoder = new TextEncoder();

/** The key of a user as the outside names it, in bytes of its own. */
export function keyOf(id: string, isAnonymous: boolean): Key {
  const bytes = encoder.encode(id);
  const key = { bytes, start: 0, length: bytes.length, isAnonymous, hashLo: 0, hashHi: 0 };
  rehash(key);
  return key;
}

/*
 * A key in front of a stored string: (length × 2 + anonymous) as one or two bytes of seven bits,
 * then the id.
 */

export function keyPrefixBytes(key: Key): number {
  return (key.length < 64 ? 1 : 2) + key.length;
}

export function writeKeyPrefix(key: Key, target: Uint8Array, at: number): number {
  const head = key.length * 2 + (key.isAnonymous ? 1 : 0);
  let end = at;
  if (head < 128) target[end++] = head;
  else {
    target[end++] = (head & 127) | 128;
    target[end++] = head >>> 7;
  }
  for (let i = 0; i < key.length; i++) target[end++] = key.bytes[key.start + i]!;
  return end;
}

/** True when the stored key at `at` is `key`. */
export function isStoredKey(source: Uint8Array, at: number, key: Key): boolean {
  const head = key.length * 2 + (key.isAnonymous ? 1 : 0);
  let from = at;
  if (head < 128) {
    if (source[from++] !== head) return false;
  } else if (source[from++] !== ((head & 127) | 128) || source[from++] !== head >>> 7) return false;
  for (let i = 0; i < key.length; i++) {
    if (source[from + i] !== key.bytes[key.start + i]) return false;
  }
  return true;
}

/** Points `key` at the stored key; its hashes are left alone. Returns where the string goes on. */
export function readKeyPrefix(source: Uint8Array, at: number, key: Key): number {
  let from = at;
  let head = source[from++]!;
  if (head > 127) head = (head & 127) | (source[from++]! << 7);
  key.bytes = source;
  key.start = from;
  key.length = head >>> 1;
  key.isAnonymous = (head & 1) === 1;
  return from + key.length;
}

/** Order of keys: by the bytes of the id, then known users before anonymous ones. */
export function compareKeys(a: Key, b: Key): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const difference = a.bytes[a.start + i]! - b.bytes[b.start + i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length || Number(a.isAnonymous) - Number(b.isAnonymous);
}
