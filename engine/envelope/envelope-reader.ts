import { Unpackr } from 'msgpackr';
import { LapseError, messageOf } from '../errors/errors.ts';
import {
  columnOffsets,
  ENVELOPE_MAGIC,
  ENVELOPE_VERSION,
  envelopeChecksum,
  HEADER,
} from './envelope-layout.ts';
import { RecordKind } from './records.ts';

const unpackr = new Unpackr({ useRecords: false });
// A BOM is a character of the id like any other, and must not be left out.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function refuse(what: string, facts: Record<string, unknown>): never {
  throw new LapseError('ERR_ENVELOPE_CORRUPT', `An envelope of the log ${what}.`, { facts });
}

/**
 * Looks into the envelopes of a log one after the other. `load()` once an envelope, then read the
 * columns by record index; a body is decoded only when somebody asks.
 */
export class EnvelopeReader {
  /** Counts the envelopes loaded. */
  serial = 0;
  count = 0;
  baseReceivedAtMs = 0;
  eventAt: Float64Array = new Float64Array(0);
  userLo: Uint32Array = new Uint32Array(0);
  userHi: Uint32Array = new Uint32Array(0);
  eventIdLo: Uint32Array = new Uint32Array(0);
  eventIdHi: Uint32Array = new Uint32Array(0);
  receivedDelta: Uint32Array = new Uint32Array(0);
  bodyEnd: Uint32Array = new Uint32Array(0);
  name: Uint16Array = new Uint16Array(0);
  shape: Uint16Array = new Uint16Array(0);
  idLength: Uint16Array = new Uint16Array(0);
  kind: Uint8Array = new Uint8Array(0);
  flags: Uint8Array = new Uint8Array(0);
  names: readonly string[] = [];
  shapes: readonly (readonly string[])[] = [];
  /** The whole envelope; bodies are ranges of it. */
  bytes: Uint8Array = new Uint8Array(0);
  #bodyStart = 0;

  /**
   * Takes an envelope. Copies it only if it is not aligned to 8 bytes; otherwise it must stay
   * untouched until the next `load()`.
   * @throws LapseError `ERR_ENVELOPE_CORRUPT`, `ERR_ENVELOPE_VERSION`
   */
  load(source: Uint8Array): void {
    const bytes = source.byteOffset % 8 === 0 ? source : new Uint8Array(source);
    const { buffer, byteOffset, length } = bytes;
    if (length < HEADER.bytes) refuse(`has ${length} bytes, fewer than its header`, { length });
    const view = new DataView(buffer, byteOffset, length);
    if (view.getUint32(HEADER.magic, true) !== ENVELOPE_MAGIC) refuse('has no envelope mark', {});
    const version = view.getUint16(HEADER.version, true);
    if (version !== ENVELOPE_VERSION) {
      throw new LapseError(
        'ERR_ENVELOPE_VERSION',
        `Envelopes must be of version ${ENVELOPE_VERSION}, this one is of version ${version}: ` +
          'it was written by another version of Lapse.',
      );
    }
    const stored = view.getUint32(HEADER.byteLength, true);
    if (stored !== length) refuse(`has ${length} bytes of ${stored}`, { length, stored });
    if (envelopeChecksum(bytes) !== view.getUint32(HEADER.crc, true)) {
      refuse('does not match its checksum', { length });
    }
    const n = view.getUint16(HEADER.count, true);
    const at = columnOffsets(n);
    const namesStart = view.getUint32(HEADER.namesStart, true);
    if (namesStart < at.body || namesStart > length) refuse(`has no room for ${n} records`, { n });
    this.serial++;
    this.bytes = bytes;
    this.count = n;
    this.baseReceivedAtMs = view.getFloat64(HEADER.baseReceivedAtMs, true);
    this.eventAt = new Float64Array(buffer, byteOffset + at.eventAt, n);
    this.userLo = new Uint32Array(buffer, byteOffset + at.userLo, n);
    this.userHi = new Uint32Array(buffer, byteOffset + at.userHi, n);
    this.eventIdLo = new Uint32Array(buffer, byteOffset + at.eventIdLo, n);
    this.eventIdHi = new Uint32Array(buffer, byteOffset + at.eventIdHi, n);
    this.receivedDelta = new Uint32Array(buffer, byteOffset + at.receivedDelta, n);
    this.bodyEnd = new Uint32Array(buffer, byteOffset + at.bodyEnd, n);
    this.name = new Uint16Array(buffer, byteOffset + at.name, n);
    this.shape = new Uint16Array(buffer, byteOffset + at.shape, n);
    this.idLength = new Uint16Array(buffer, byteOffset + at.idLength, n);
    this.kind = new Uint8Array(buffer, byteOffset + at.kind, n);
    this.flags = new Uint8Array(buffer, byteOffset + at.flags, n);
    this.#bodyStart = at.body;
    this.#readNames(bytes.subarray(namesStart));
    this.#checkRecords(namesStart - at.body);
  }

  #readNames(bytes: Uint8Array): void {
    const names = unpacked(bytes, 0, bytes.length);
    if (!Array.isArray(names)) refuse('has no list of names', {});
    const [texts, shapes] = names as unknown[];
    const isWhole = isListOfTexts(texts) && Array.isArray(shapes) && shapes.every(isListOfTexts);
    if (!isWhole) refuse('has names that are no texts', {});
    this.names = texts as string[];
    this.shapes = shapes as string[][];
  }

  /** What a record points at must be there: the checksum says who wrote it, not that it was right. */
  #checkRecords(bodyBytes: number): void {
    if (!Number.isFinite(this.baseReceivedAtMs)) refuse('has no time of receipt', {});
    const { count, bodyEnd, idLength, kind, name, shape } = this;
    const nameCount = this.names.length;
    const shapeCount = this.shapes.length;
    let start = 0;
    for (let i = 0; i < count; i++) {
      const end = bodyEnd[i]!;
      const isEvent = kind[i]! < RecordKind.tick;
      const isWhole =
        start + idLength[i]! <= end &&
        (!isEvent || (name[i]! < nameCount && shape[i]! < shapeCount));
      if (!isWhole || end > bodyBytes) refuse(`has a record ${i} that is not whole`, { i });
      start = end;
    }
  }

  /** Time of receipt of record `i`, Unix ms. */
  receivedAtMs(i: number): number {
    return this.baseReceivedAtMs + this.receivedDelta[i]!;
  }

  /** Where the body of record `i` starts in `bytes`; the user id comes first. */
  bodyStartOf(i: number): number {
    return this.#bodyStart + (i === 0 ? 0 : this.bodyEnd[i - 1]!);
  }

  /** Where the values of record `i` start in `bytes`. */
  valuesStartOf(i: number): number {
    return this.bodyStartOf(i) + this.idLength[i]!;
  }

  bodyEndOf(i: number): number {
    return this.#bodyStart + this.bodyEnd[i]!;
  }

  userIdOf(i: number): string {
    const start = this.bodyStartOf(i);
    return decoder.decode(this.bytes.subarray(start, start + this.idLength[i]!));
  }

  /** Decodes the properties (or traits) of record `i`. @throws LapseError `ERR_ENVELOPE_CORRUPT` */
  propertiesOf(i: number): Record<string, unknown> {
    return decodeProperties(
      this.shapes[this.shape[i]!]!,
      this.bytes,
      this.valuesStartOf(i),
      this.bodyEndOf(i),
    );
  }

  /** The body of a record without a user. */
  plainBodyOf(i: number): Uint8Array {
    return this.bytes.subarray(this.bodyStartOf(i), this.bodyEndOf(i));
  }

  /** The JSON body of a control, claim or leave record. @throws LapseError `ERR_ENVELOPE_CORRUPT` */
  jsonOf(i: number): unknown {
    try {
      return JSON.parse(decoder.decode(this.plainBodyOf(i))) as unknown;
    } catch {
      return refuse(`has a record ${i} that is no JSON`, { i });
    }
  }
}

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

/** @throws LapseError `ERR_ENVELOPE_CORRUPT` */
function unpacked(bytes: Uint8Array, start: number, end: number): unknown {
  try {
    return unpackr.unpack(bytes, { start, end });
  } catch (error) {
    return refuse(`has bytes that are no msgpack: ${messageOf(error)}`, {});
  }
}

/**
 * Puts the values in `bytes` (a msgpack array) under the names of their shape.
 * @throws LapseError `ERR_ENVELOPE_CORRUPT`
 */
export function decodeProperties(
  names: readonly string[],
  bytes: Uint8Array,
  start: number,
  end: number,
): Record<string, unknown> {
  const values = unpacked(bytes, start, end);
  if (!Array.isArray(values) || values.length !== names.length) {
    return refuse(`has values that are not those of ${names.length} properties`, {});
  }
  const properties: Record<string, unknown> = {};
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    if (name === '__proto__') {
      // Plain assignment would set the prototype instead of a property.
      Object.defineProperty(properties, name, {
        value: values[i],
        enumerable: true,
        configurable: true,
        writable: true,
      });
    } else properties[name] = values[i];
  }
  return properties;
}
