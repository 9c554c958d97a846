import { Packr, Unpackr } from 'msgpackr';
import { LapseError, messageOf } from '../../engine/errors/errors.ts';
import { corrupt } from '../stored-row.ts';

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });

/**
 * Writes a value as one byte of version and msgpack.
 * @returns bytes of their own: what `pack` gives is a window on a buffer that it uses again
 */
export function packVersioned(version: number, value: unknown): Uint8Array {
  const packed = packr.pack(value);
  const bytes = new Uint8Array(packed.length + 1);
  bytes[0] = version;
  bytes.set(packed, 1);
  return bytes;
}

/**
 * Reads what `packVersioned` wrote.
 * @param what names it in an error
 * @throws LapseError `ERR_ENVELOPE_VERSION`, `ERR_ENVELOPE_CORRUPT`
 */
export function unpackVersioned(version: number, what: string, bytes: Uint8Array): unknown {
  if (bytes[0] !== version) {
    throw new LapseError(
      'ERR_ENVELOPE_VERSION',
      `${what} must be of version ${version}, it is of version ${bytes[0] ?? 'none'}.`,
    );
  }
  try {
    return unpackr.unpack(bytes.subarray(1));
  } catch (error) {
    throw corrupt(what, messageOf(error));
  }
}
