/**
 * Hashes of keys, always over UTF-8 bytes, so that every reader and writer of a log agrees.
 * `fnv1a32` is the one that NATS's `partition()` uses, and so decides the partition; the second
 * half makes a 64-bit pair of it, for indexes. Neither resists an attacker: full keys are compared
 * wherever equality matters.
 */

const FNV_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const encoder = new TextEncoder();

export interface Hash64 {
  lo: number;
  hi: number;
}

/** FNV-1a, 32 bits, unsigned. */
export function fnv1a32(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let hash = FNV_BASIS;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, FNV_PRIME);
  return hash >>> 0;
}

/** Spreads the bits of a 32-bit word (murmur3's finaliser). */
export function mix32(word: number): number {
  let x = word;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/**
 * Writes both halves into `out`: `lo` is FNV-1a, `hi` an independent murmur-style pass.
 * @param seed keeps name spaces apart (anonymous and known users)
 */
export function hash64(
  bytes: Uint8Array,
  start: number,
  end: number,
  seed: number,
  out: Hash64,
): void {
  let lo = FNV_BASIS;
  let hi = seed;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    lo = Math.imul(lo ^ byte, FNV_PRIME);
    const k = Math.imul(byte + 1, 0xcc9e2d51);
    hi ^= (k << 15) | (k >>> 17);
    hi = (Math.imul((hi << 13) | (hi >>> 19), 5) + 0xe6546b64) | 0;
  }
  out.lo = lo >>> 0;
  out.hi = mix32(hi ^ (end - start));
}

/** FNV-1a, 32 bits, of a text's UTF-8 bytes. */
export function fnv1a32OfText(text: string): number {
  let hash = FNV_BASIS;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // Most texts are ASCII, where bytes are codes and nothing needs encoding.
    if (code > 127) return fnv1a32(encoder.encode(text));
    hash = Math.imul(hash ^ code, FNV_PRIME);
  }
  return hash >>> 0;
}

/** The partition of a user id, as NATS's `{{partition(n, …)}}` computes it. */
export function partitionOf(userId: string, partitionCount: number): number {
  return fnv1a32OfText(userId) % partitionCount;
}
