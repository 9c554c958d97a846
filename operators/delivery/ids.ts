import { createHash } from 'node:crypto';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
/** 26 characters of base32: 130 bits, so that two batches never share an id. */
const ID_CHARS = 26;

/** RFC 4648 base32 in lower case, without padding. */
export function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let word = 0;
  for (const byte of bytes) {
    word = (word << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(word >>> bits) & 31];
    }
    word &= (1 << bits) - 1;
  }
  return bits > 0 ? text + ALPHABET[(word << (5 - bits)) & 31] : text;
}

/**
 * The `webhook-id` of a request: of a single delivery its own, of a batch a hash of its members'
 * ids in order. So it is the same on every retry, and after any crash.
 * @param memberIds at least one, in the order of the batch
 */
export function webhookIdOf(memberIds: readonly string[]): string {
  if (memberIds.length === 1) return memberIds[0]!;
  const digest = createHash('sha256').update(memberIds.join('\n')).digest();
  return `msg_${base32(digest).slice(0, ID_CHARS)}`;
}
