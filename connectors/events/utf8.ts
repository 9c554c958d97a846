import { isUtf8 } from 'node:buffer';

/** Bytes with U+FFFD in place of lone surrogates, and how many there were. */
export interface SoundBytes {
  readonly bytes: Uint8Array;
  readonly count: number;
}

/**
 * A lone surrogate in the bytes that its number would have in UTF-8; U+FFFD is as long. A high half
 * with a low one behind it is an encoding of its own (CESU-8) and no mistake.
 */
const SURROGATE = /\xed[\xa0-\xaf][\x80-\xbf](?:\xed[\xb0-\xbf])?|\xed[\xb0-\xbf][\x80-\xbf]/g;
const HALF_BYTES = 3;
const REPLACEMENT = [0xef, 0xbf, 0xbd];

/**
 * Puts U+FFFD for each lone surrogate of bytes that are UTF-8 otherwise. All else stays in place.
 * @returns undefined for any other bytes; the very bytes when they are UTF-8
 */
export function withoutLoneSurrogates(bytes: Uint8Array): SoundBytes | undefined {
  if (isUtf8(bytes)) return { bytes, count: 0 };
  const latin1 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const sound = new Uint8Array(bytes);
  let count = 0;
  for (const { 0: half, index } of latin1.matchAll(SURROGATE)) {
    if (half.length > HALF_BYTES) return undefined;
    sound.set(REPLACEMENT, index);
    count++;
  }
  return count > 0 && isUtf8(sound) ? { bytes: sound, count } : undefined;
}
