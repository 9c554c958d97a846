import { corrupt } from '../stored-row.ts';
import { DELIVERIES_VERSION, DELIVERIES_WHAT } from './codec.ts';

/** Bytes of a msgpack number behind its token, by token from 0xca on. */
const NUMBER_BYTES = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8] as const;
const FLOAT_TOKEN = 0xca;
const POSITIVE_MAX = 0x7f;
const NEGATIVE_MIN = 0xe0;

/**
 * How many deliveries an envelope of `encodeDeliveries` holds, from its first bytes: bodies are
 * most of it, and decoding them only to count would take a hundred times as long.
 * @throws LapseError `ERR_ENVELOPE_CORRUPT`
 */
export function countDeliveries(bytes: Uint8Array): number {
  const at = { bytes, offset: 1 };
  if (bytes[0] !== DELIVERIES_VERSION) throw unreadable();
  arrayHead(at);
  const campaigns = arrayHead(at);
  for (let i = 0; i < campaigns; i++) skipText(at);
  skipNumber(at);
  return arrayHead(at);
}

interface Place {
  readonly bytes: Uint8Array;
  offset: number;
}

function arrayHead(at: Place): number {
  const token = next(at);
  if (token >> 4 === 0x9) return token & 0x0f;
  if (token === 0xdc) return wide(at, 2);
  if (token === 0xdd) return wide(at, 4);
  throw unreadable();
}

function skipText(at: Place): void {
  const token = next(at);
  if (token >> 5 === 0b101) at.offset += token & 0x1f;
  else if (token >= 0xd9 && token <= 0xdb) {
    const length = wide(at, 2 ** (token - 0xd9));
    at.offset += length;
  } else throw unreadable();
}

function skipNumber(at: Place): void {
  const token = next(at);
  if (token <= POSITIVE_MAX || token >= NEGATIVE_MIN) return;
  const bytes = NUMBER_BYTES[token - FLOAT_TOKEN];
  if (bytes === undefined) throw unreadable();
  at.offset += bytes;
}

/** A number of so many bytes, the highest first. */
function wide(at: Place, bytes: number): number {
  let value = 0;
  for (let i = 0; i < bytes; i++) value = value * 256 + next(at);
  return value;
}

function next(at: Place): number {
  const byte = at.bytes[at.offset++];
  if (byte === undefined) throw unreadable();
  return byte;
}

function unreadable() {
  return corrupt(DELIVERIES_WHAT, 'it does not say how many it holds');
}
