import { Packr } from 'msgpackr';
import { LapseError } from '../errors/errors.ts';
import { type Hash64, hash64 } from '../state/hash.ts';
import { ANONYMOUS_SEED } from '../state/key.ts';
import { shapeSignature } from '../state/shapes.ts';
import { EnvelopeBody } from './envelope-body.ts';
import {
  COLUMN_BYTES,
  columnOffsets,
  ENVELOPE_BODY_BYTES_MAX,
  ENVELOPE_MAGIC,
  ENVELOPE_RECORDS_MAX,
  ENVELOPE_VERSION,
  envelopeChecksum,
  HEADER,
} from './envelope-layout.ts';
import { type IncomingEvent, RecordFlag, RecordKind } from './records.ts';

// Without `useToJSON` an event's own property `toJSON` is data and is never called.
const packr = new Packr({ useRecords: false, variableMapSize: true, useToJSON: false });
const encoder = new TextEncoder();
const NO_SHAPE = -1;
/** A character takes three bytes at most, and a text is headed by three. */
const CHAR_BYTES_MAX = 3;
const TEXT_HEAD_BYTES = 3;

/**
 * Gathers records of one partition and writes them as one envelope. Used again after `finish()`.
 * Nothing is allocated for an event but what msgpack needs.
 */
export class EnvelopeWriter {
  readonly #eventAt = new Float64Array(ENVELOPE_RECORDS_MAX);
  readonly #words = Array.from({ length: 6 }, () => new Uint32Array(ENVELOPE_RECORDS_MAX));
  readonly #halves = Array.from({ length: 3 }, () => new Uint16Array(ENVELOPE_RECORDS_MAX));
  readonly #kind = new Uint8Array(ENVELOPE_RECORDS_MAX);
  readonly #flags = new Uint8Array(ENVELOPE_RECORDS_MAX);
  readonly #body = new EnvelopeBody(packr);
  #count = 0;
  #baseReceivedAtMs = 0;
  #names: string[] = [];
  #shapes: string[][] = [];
  /** At most so many the names take: a thousand shapes weigh more than what they name. */
  #namesBytes = 0;
  /** By the number of an event's name, the shape of the last one of that name. */
  #shapeOfName: number[] = [];
  readonly #nameIndex = new Map<string, number>();
  readonly #shapeIndex = new Map<string, number>();
  readonly #hash: Hash64 = { lo: 0, hi: 0 };

  get count(): number {
    return this.#count;
  }

  /** True when the next record belongs into another envelope. */
  get isFull(): boolean {
    const bytes = this.#body.length + this.#namesBytes;
    return this.#count >= ENVELOPE_RECORDS_MAX || bytes >= ENVELOPE_BODY_BYTES_MAX;
  }

  /**
   * @param flags of the record, beside the event's own
   * @param eventId of an event that was in an envelope before, instead of its message id
   */
  addEvent(event: IncomingEvent, receivedAtMs: number, flags = 0, eventId?: Hash64): void {
    const i = this.#begin(event.kind, receivedAtMs);
    const body = this.#body;
    const start = body.length;
    const idLength = body.putText(event.userId);
    const end = start + idLength;
    hash64(body.bytes, start, end, event.isAnonymous ? ANONYMOUS_SEED : 0, this.#hash);
    this.#words[0]![i] = this.#hash.lo;
    this.#words[1]![i] = this.#hash.hi;
    // The message id is hashed in the room behind the user id and then overwritten.
    body.length = end;
    if (eventId === undefined) {
      const messageIdLength = body.putText(event.messageId);
      hash64(body.bytes, end, end + messageIdLength, 0, this.#hash);
    }
    this.#words[2]![i] = (eventId ?? this.#hash).lo;
    this.#words[3]![i] = (eventId ?? this.#hash).hi;
    this.#halves[2]![i] = idLength;
    this.#flags[i] = event.flags | flags | (event.isAnonymous ? RecordFlag.anonymous : 0);
    this.#eventAt[i] = event.eventAtMs;
    this.#halves[0]![i] = this.#nameOf(event.name);
    this.#writeProperties(i, event.properties);
    this.#words[5]![i] = this.#body.length;
    this.#count++;
  }

  /** A record that only carries time. */
  addTick(atMs: number): void {
    const i = this.#begin(RecordKind.tick, atMs);
    this.#finishPlain(i, atMs, 0);
  }

  /** A control, claim or leave record with a JSON body. */
  addJson(kind: RecordKind, value: unknown, atMs: number, flags = 0): void {
    this.addPlain(kind, encoder.encode(JSON.stringify(value)), atMs, flags);
  }

  /** A record without a user, whose body is what its kind says. */
  addPlain(kind: RecordKind, body: Uint8Array, atMs: number, flags = 0): void {
    const i = this.#begin(kind, atMs);
    this.#body.append(body);
    this.#finishPlain(i, atMs, flags);
  }

  /** The envelope's bytes, of their own; the writer is empty again. Needs at least one record. */
  finish(): Uint8Array {
    const count = this.#count;
    const names = packr.pack([this.#names, this.#shapes]);
    const at = columnOffsets(count);
    const namesStart = at.body + this.#body.length;
    const bytes = new Uint8Array(namesStart + names.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(HEADER.magic, ENVELOPE_MAGIC, true);
    view.setUint16(HEADER.version, ENVELOPE_VERSION, true);
    view.setUint16(HEADER.count, count, true);
    view.setFloat64(HEADER.baseReceivedAtMs, this.#baseReceivedAtMs, true);
    view.setUint32(HEADER.bodyStart, at.body, true);
    view.setUint32(HEADER.namesStart, namesStart, true);
    view.setUint32(HEADER.byteLength, bytes.length, true);
    new Float64Array(bytes.buffer, at.eventAt, count).set(this.#eventAt.subarray(0, count));
    for (let column = 0; column < 6; column++) {
      new Uint32Array(bytes.buffer, at.userLo + 4 * count * column, count).set(
        this.#words[column]!.subarray(0, count),
      );
    }
    for (let column = 0; column < 3; column++) {
      new Uint16Array(bytes.buffer, at.name + 2 * count * column, count).set(
        this.#halves[column]!.subarray(0, count),
      );
    }
    bytes.set(this.#kind.subarray(0, count), at.kind);
    bytes.set(this.#flags.subarray(0, count), at.flags);
    bytes.set(this.#body.bytes.subarray(0, this.#body.length), at.body);
    bytes.set(names, namesStart);
    view.setUint32(HEADER.crc, envelopeChecksum(bytes), true);
    this.#clear();
    return bytes;
  }

  /** About how many bytes `finish()` would give: the names are counted at their most. */
  get byteLength(): number {
    return HEADER.bytes + this.#count * COLUMN_BYTES + this.#body.length + this.#namesBytes;
  }

  #begin(kind: RecordKind, receivedAtMs: number): number {
    const i = this.#count;
    if (i >= ENVELOPE_RECORDS_MAX) {
      throw new LapseError(
        'ERR_ENVELOPE_FULL',
        `An envelope must have ${ENVELOPE_RECORDS_MAX} records at most.`,
      );
    }
    if (i === 0) this.#baseReceivedAtMs = receivedAtMs;
    else if (receivedAtMs < this.#baseReceivedAtMs) this.#rebase(receivedAtMs);
    this.#kind[i] = kind;
    this.#words[4]![i] = receivedAtMs - this.#baseReceivedAtMs;
    return i;
  }

  /** Times are kept as what they are above the lowest: one that is lower still comes rarely. */
  #rebase(baseMs: number): void {
    const aboveMs = this.#baseReceivedAtMs - baseMs;
    for (let i = 0; i < this.#count; i++) this.#words[4]![i]! += aboveMs;
    this.#baseReceivedAtMs = baseMs;
  }

  #finishPlain(i: number, atMs: number, flags: number): void {
    for (let column = 0; column < 4; column++) this.#words[column]![i] = 0;
    for (let column = 0; column < 3; column++) this.#halves[column]![i] = 0;
    this.#flags[i] = flags;
    this.#eventAt[i] = atMs;
    this.#words[5]![i] = this.#body.length;
    this.#count++;
  }

  #nameOf(name: string): number {
    let index = this.#nameIndex.get(name);
    if (index === undefined) {
      index = this.#names.push(name) - 1;
      this.#nameIndex.set(name, index);
      this.#namesBytes += namesBytes([name]);
    }
    return index;
  }

  #writeProperties(i: number, properties: Readonly<Record<string, unknown>>): void {
    const name = this.#halves[0]![i]!;
    // Events of one name mostly have the properties of the one before.
    let shape = this.#shapeOfName[name] ?? NO_SHAPE;
    if (shape === NO_SHAPE || !hasKeys(properties, this.#shapes[shape]!)) {
      shape = this.#shapeOf(Object.keys(properties));
      this.#shapeOfName[name] = shape;
    }
    this.#halves[1]![i] = shape;
    const keys = this.#shapes[shape]!;
    this.#body.arrayHeader(keys.length);
    for (let k = 0; k < keys.length; k++) this.#body.value(properties[keys[k]!]);
  }

  #shapeOf(keys: string[]): number {
    const signature = shapeSignature(keys);
    let shape = this.#shapeIndex.get(signature);
    if (shape === undefined) {
      shape = this.#shapes.push(keys) - 1;
      this.#shapeIndex.set(signature, shape);
      this.#namesBytes += TEXT_HEAD_BYTES + namesBytes(keys);
    }
    return shape;
  }

  #clear(): void {
    this.#count = 0;
    this.#body.clear();
    this.#names = [];
    this.#shapes = [];
    this.#namesBytes = 0;
    this.#shapeOfName = [];
    this.#nameIndex.clear();
    this.#shapeIndex.clear();
  }
}

/** How many bytes these names take at most in an envelope. */
export function namesBytes(names: readonly string[]): number {
  return names.reduce((sum, { length }) => sum + TEXT_HEAD_BYTES + CHAR_BYTES_MAX * length, 0);
}

/** True when the own properties are these, in this order. */
function hasKeys(properties: Readonly<Record<string, unknown>>, keys: readonly string[]): boolean {
  let k = 0;
  for (const key in properties) if (key !== keys[k++]) return false;
  return k === keys.length;
}
