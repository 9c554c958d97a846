import { emptyKey, type Key, rehash } from '../../engine/state/key.ts';

const encoder = new TextEncoder();

/** A user's key as an event would bring it. */
export function keyOf(id: string, isAnonymous = false): Key {
  const key = emptyKey();
  key.bytes = encoder.encode(id);
  key.length = key.bytes.length;
  key.isAnonymous = isAnonymous;
  rehash(key);
  return key;
}

/** The same key with another hash, to make two users meet in one place of an index. */
export function withHash(key: Key, hashLo: number, hashHi: number): Key {
  return { ...key, hashLo, hashHi };
}
