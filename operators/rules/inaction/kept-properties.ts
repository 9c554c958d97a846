import { Packr } from 'msgpackr';
import { decodeProperties, type EnvelopeReader } from '../../../engine/envelope/envelope-reader.ts';
import type { PartitionState } from '../../../engine/partition/partition-state.ts';
import { BLOB_BYTES_MAX } from '../../../engine/state/arena.ts';
import { emptyKey, type Key } from '../../../engine/state/key.ts';
import type { KeptBytes } from '../../../engine/state/window-table.ts';

// Without `useToJSON` a property's own `toJSON` is data and is never called.
const packr = new Packr({ useRecords: false, variableMapSize: true, useToJSON: false });
/*
 * The first byte says the shape: its number, or that it stands in the next two bytes, or that
 * there is none and names and values follow as msgpack.
 */
const WIDE_SHAPE = 254;
const SELF_CONTAINED = 255;
const SHAPE_BYTES_MAX = 3;

/**
 * The properties of a `did`, kept for the whole time of its window: the number of their shape and
 * the values as they stand in the envelope, copied without being decoded.
 */
export class KeptProperties {
  readonly #state: PartitionState;
  readonly #scratch = new Uint8Array(BLOB_BYTES_MAX);
  readonly #range = { bytes: this.#scratch, start: 0, end: 0 };
  readonly #key = emptyKey();
  /** Numbers of the shapes of the envelope at hand; an envelope's events share few. */
  #shapes: number[] = [];
  #shapesOf = -1;

  constructor(state: PartitionState) {
    this.#state = state;
  }

  /**
   * The bytes to keep of record `i`, valid until the next call.
   * @returns undefined when they are more than a window can hold
   */
  keep(envelope: EnvelopeReader, i: number): KeptBytes | undefined {
    const scratch = this.#scratch;
    const shape = this.#shapeOf(envelope, envelope.shape[i]!);
    let source: Uint8Array = envelope.bytes;
    let start = envelope.valuesStartOf(i);
    let end = envelope.bodyEndOf(i);
    if (shape === -1) {
      const names = envelope.shapes[envelope.shape[i]!]!;
      source = packr.pack([names, Object.values(envelope.propertiesOf(i))]);
      start = 0;
      end = source.length;
    }
    // The key's bytes share the place with what is kept.
    if (SHAPE_BYTES_MAX + end - start + envelope.idLength[i]! + 2 > scratch.length)
      return undefined;
    let to = this.#writeShape(shape);
    for (let at = start; at < end; at++) scratch[to++] = source[at]!;
    this.#range.end = to;
    return this.#range;
  }

  /** As `keep`, of properties that are decoded already. */
  keepProperties(key: Key, properties: Readonly<Record<string, unknown>>): KeptBytes | undefined {
    const names = Object.keys(properties);
    const values = Object.values(properties);
    const shape = this.#state.shapes.numberOf(names);
    const source = packr.pack(shape === -1 ? [names, values] : values);
    const scratch = this.#scratch;
    if (SHAPE_BYTES_MAX + source.length + key.length + 2 > scratch.length) return undefined;
    const to = this.#writeShape(shape);
    scratch.set(source, to);
    this.#range.end = to + source.length;
    return this.#range;
  }

  /** @returns where the values begin */
  #writeShape(shape: number): number {
    const scratch = this.#scratch;
    if (shape >= 0 && shape < WIDE_SHAPE) {
      scratch[0] = shape;
      return 1;
    }
    scratch[0] = shape === -1 ? SELF_CONTAINED : WIDE_SHAPE;
    if (shape === -1) return 1;
    scratch[1] = shape & 255;
    scratch[2] = shape >>> 8;
    return SHAPE_BYTES_MAX;
  }

  #shapeOf(envelope: EnvelopeReader, index: number): number {
    if (this.#shapesOf !== envelope.serial) {
      this.#shapesOf = envelope.serial;
      this.#shapes = [];
    }
    this.#shapes[index] ??= this.#state.shapes.numberOf(envelope.shapes[index]!);
    return this.#shapes[index];
  }

  /** Decodes what a window keeps. */
  propertiesOf(slot: number): Record<string, unknown> {
    const { windows, shapes } = this.#state;
    const start = windows.keyOf(slot, this.#key);
    const end = windows.keptEndOf(slot);
    const { bytes } = this.#key;
    const first = bytes[start]!;
    if (first === SELF_CONTAINED) return decodeSelfContained(bytes, start + 1, end);
    if (first < WIDE_SHAPE) return decodeProperties(shapes.namesOf(first), bytes, start + 1, end);
    const shape = bytes[start + 1]! | (bytes[start + 2]! << 8);
    return decodeProperties(shapes.namesOf(shape), bytes, start + SHAPE_BYTES_MAX, end);
  }
}

function decodeSelfContained(
  bytes: Uint8Array,
  start: number,
  end: number,
): Record<string, unknown> {
  const [names, values] = packr.unpack(bytes, { start, end }) as [string[], unknown[]];
  const packed = packr.pack(values);
  return decodeProperties(names, packed, 0, packed.length);
}
