/**
 * Hashes under a secret of the log, where a hash stands for what it was made of: what is compared
 * is 64 bits, and whoever chooses ids without knowing the secret can make no two of them equal
 * (2⁻⁶⁴ for each pair). `hash.ts` has those that anybody can work out.
 *
 * HalfSipHash-1-3 with an output of 64 bits: it needs words of 32 bits only. Source: J.-P. Aumasson
 * and D. J. Bernstein, "SipHash: a fast short-input PRF" (2012), and their reference `halfsiphash.c`.
 */
import type { Hash64 } from './hash.ts';
import type { Key } from './key.ts';

/** 64 random bits: the log's, so that a state means the same in every process. */
export interface FingerprintKey {
  readonly lo: number;
  readonly hi: number;
}

/** For simulations, whose output must be the same each time. */
export const FIXED_FINGERPRINT_KEY: FingerprintKey = { lo: 0x03020100, hi: 0x07060504 };

/** Both halves of a key are 8 hexadecimal digits. */
const KEY_TEXT = /^[0-9a-f]{16}$/;

/** @returns undefined when the text is no key */
export function fingerprintKeyFrom(text: string): FingerprintKey | undefined {
  if (!KEY_TEXT.test(text)) return undefined;
  return { lo: Number.parseInt(text.slice(8), 16), hi: Number.parseInt(text.slice(0, 8), 16) };
}

/** 2⁵³: of a text's hash as much as a number holds. */
const TEXT_HIGH_BITS = 21;

export class Fingerprints {
  readonly #key: FingerprintKey;
  #v0 = 0;
  #v1 = 0;
  #v2 = 0;
  #v3 = 0;
  readonly #out: Hash64 = { lo: 0, hi: 0 };

  constructor(key: FingerprintKey) {
    this.#key = key;
  }

  /** Of a user. Written into `out`. */
  ofUser(user: Key, out: Hash64): void {
    this.#begin();
    this.#end(this.#takeUser(user), out);
  }

  /** Of an event of a user, by the hash of its message id. Written into `out`. */
  ofEvent(user: Key, idLo: number, idHi: number, out: Hash64): void {
    this.#begin();
    const tail = this.#takeUser(user);
    this.#take(idLo);
    this.#take(idHi);
    this.#end(tail, out);
  }

  /** Of a text: a whole number below 2⁵³, never 0. */
  ofText(text: string): number {
    this.#begin();
    const { length } = text;
    let i = 0;
    for (; i + 1 < length; i += 2) this.#take(text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16));
    const rest = i < length ? text.charCodeAt(i) : 0;
    this.#end(rest | (length << 24), this.#out);
    const { lo, hi } = this.#out;
    return (hi >>> (32 - TEXT_HIGH_BITS)) * 2 ** 32 + lo || 1;
  }

  #begin(): void {
    const { lo, hi } = this.#key;
    this.#v0 = lo | 0;
    this.#v1 = hi ^ 0xee;
    this.#v2 = 0x6c796765 ^ lo;
    this.#v3 = 0x74656462 ^ hi;
  }

  /** @returns the last word: what is left of the bytes, and how many they were, and what kind */
  #takeUser({ bytes, start, length, isAnonymous }: Key): number {
    const whole = start + (length & ~3);
    for (let i = start; i < whole; i += 4) {
      this.#take(bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
    }
    let tail = (length * 2 + (isAnonymous ? 1 : 0)) << 24;
    for (let i = whole; i < start + length; i++) tail |= bytes[i]! << (8 * (i - whole));
    return tail;
  }

  #take(word: number): void {
    this.#v3 ^= word;
    this.#round();
    this.#v0 ^= word;
  }

  #end(last: number, out: Hash64): void {
    this.#take(last);
    this.#v2 ^= 0xee;
    for (let i = 0; i < 3; i++) this.#round();
    out.lo = (this.#v1 ^ this.#v3) >>> 0;
    this.#v1 ^= 0xdd;
    for (let i = 0; i < 3; i++) this.#round();
    out.hi = (this.#v1 ^ this.#v3) >>> 0;
  }

  #round(): void {
    let v0 = this.#v0;
    let v1 = this.#v1;
    let v2 = this.#v2;
    let v3 = this.#v3;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    this.#v0 = v0;
    this.#v1 = v1;
    this.#v2 = v2;
    this.#v3 = v3;
  }
}
