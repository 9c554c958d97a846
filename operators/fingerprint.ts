import { mix32 } from '../engine/state/hash.ts';

const SALT = 0x9e3779b9;

/**
 * Half of what an event is remembered by, of the halves of its user's and its message id's hash.
 * Mixed one after the other: equal texts have equal hashes, and would take each other out.
 */
export function fingerprintHalf(userHash: number, messageIdHash: number): number {
  return mix32(mix32(userHash + SALT) ^ messageIdHash);
}
