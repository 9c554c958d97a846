import type { Prng } from '../../support/prng.ts';
import { NASTY_BYTES, NASTY_DOUBLES, NASTY_INTEGERS } from './nasty.ts';

const CHANGES_MAX = 4;
const REPEAT_BYTES_MAX = 40 * 1024;

/**
 * Changed bytes of their own.
 * @param others inputs to take parts of
 * @param words bytes that mean something to the decoder
 */
export function mutateBytes(
  input: Uint8Array,
  prng: Prng,
  {
    others,
    words,
  }: { readonly others: readonly Uint8Array[]; readonly words: readonly Uint8Array[] },
): Uint8Array {
  let bytes: Buffer = Buffer.from(input);
  const changes = 1 + prng.below(CHANGES_MAX);
  for (let i = 0; i < changes; i++) bytes = changed(bytes, prng, others, words);
  return bytes;
}

function changed(
  bytes: Buffer,
  prng: Prng,
  others: readonly Uint8Array[],
  words: readonly Uint8Array[],
): Buffer {
  const at = prng.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + prng.below(prng.chance(0.2) ? bytes.length : 16));
  switch (prng.below(11)) {
    case 0:
      if (at < bytes.length) bytes[at]! ^= 1 << prng.below(8);
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = prng.below(256);
      return bytes;
    case 2:
      return spliced(bytes, at, end, NOTHING);
    case 3:
      return spliced(bytes, at, at, bytes.subarray(at, end));
    case 4:
      return spliced(bytes, at, at, prng.pick(NASTY_BYTES));
    case 5:
    case 6:
      return spliced(bytes, at, prng.chance(0.5) ? at : end, prng.pick(words));
    case 7: {
      const other = prng.pick(others);
      return spliced(bytes, at, bytes.length, other.subarray(prng.below(other.length + 1)));
    }
    case 8:
      writeNumber(bytes, at, prng);
      return bytes;
    case 9:
      return Buffer.from(bytes.subarray(0, at));
    default: {
      const part = bytes.subarray(at, end);
      if (part.length === 0 || prng.chance(0.7)) return bytes;
      const times = Math.min(
        prng.pick([9, 9, 300, 300, 5_000]),
        Math.floor(REPEAT_BYTES_MAX / part.length),
      );
      return spliced(bytes, at, at, Buffer.concat(new Array<Uint8Array>(times).fill(part)));
    }
  }
}

const NOTHING = new Uint8Array(0);

function spliced(bytes: Buffer, from: number, to: number, inserted: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, from), inserted, bytes.subarray(to)]);
}

function writeNumber(bytes: Buffer, at: number, prng: Prng): void {
  const integer = prng.pick(NASTY_INTEGERS);
  const room = bytes.length - at;
  const width = prng.below(4);
  if (width === 0 && room >= 2) bytes.writeUInt16LE(integer & 0xffff, at);
  else if (width === 1 && room >= 4) bytes.writeUInt32LE(integer, at);
  else if (width === 2 && room >= 4) bytes.writeUInt32BE(integer, at);
  else if (room >= 8) bytes.writeDoubleLE(prng.pick(NASTY_DOUBLES), at);
}
