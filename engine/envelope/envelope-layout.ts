import { crc32 } from 'node:zlib';

/**
 * The bytes of an envelope: up to 500 records of one partition, little-endian.
 *
 *   header   32 bytes, see `HEADER`
 *   columns  one array a field, so that routing reads what it needs and decodes nothing
 *   body     a record's user id, then its values (msgpack); without a user, what its kind says
 *   names    msgpack `[names: string[], shapes: string[][]]`: event names, and the property
 *            names of each record in order; a record's values are a msgpack array in that order
 */
export const ENVELOPE_MAGIC = 0x3145504c; // "LPE1"
export const ENVELOPE_VERSION = 1;
export const ENVELOPE_RECORDS_MAX = 500;
/** Flushed when the body reaches this; a single larger record still fits an envelope alone. */
export const ENVELOPE_BODY_BYTES_MAX = 256 * 1024;

export const HEADER = {
  magic: 0, // u32
  version: 4, // u16
  count: 6, // u16
  baseReceivedAtMs: 8, // f64, Unix ms
  bodyStart: 16, // u32
  namesStart: 20, // u32
  byteLength: 24, // u32
  crc: 28, // u32, CRC-32 of everything else
  bytes: 32,
} as const;

/** The header counts too: a changed time in it would move every timer. */
export function envelopeChecksum(bytes: Uint8Array): number {
  return crc32(bytes.subarray(HEADER.bytes), crc32(bytes.subarray(0, HEADER.crc)));
}

/** Bytes a record takes in the columns: 8 + 6 × 4 + 3 × 2 + 2 × 1. */
export const COLUMN_BYTES = 40;

/** Where each column of `count` records starts, from the start of the envelope. */
export function columnOffsets(count: number) {
  const eventAt = HEADER.bytes;
  const userLo = eventAt + 8 * count;
  return {
    eventAt, // f64, Unix ms
    userLo, // u32
    userHi: userLo + 4 * count, // u32
    eventIdLo: userLo + 8 * count, // u32
    eventIdHi: userLo + 12 * count, // u32
    receivedDelta: userLo + 16 * count, // u32, ms after the base
    bodyEnd: userLo + 20 * count, // u32, from the start of the body
    name: userLo + 24 * count, // u16, index into the names
    shape: userLo + 26 * count, // u16, index into the shapes
    idLength: userLo + 28 * count, // u16, bytes of the user id at the start of the body
    kind: userLo + 30 * count, // u8
    flags: userLo + 31 * count, // u8
    body: userLo + 32 * count,
  };
}
