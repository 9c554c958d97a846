import { LapseError } from '../../engine/errors/errors.ts';
import type { JsonRepairs } from '../../engine/json/parse-json.ts';
import { wholeNumber } from '../../engine/json/whole-numbers.ts';
import { withoutLoneSurrogates } from './utf8.ts';

/**
 * Decodes msgpack that comes from outside. msgpackr is made for data of its own: an extension in
 * the bytes can make it build records by generated code, sets, errors, cycles. Here only plain
 * msgpack becomes values; what JSON has no word for stays what it is (binary, extensions), so
 * that the check of the one event that holds it can refuse it by name.
 */

/** An extension value other than a timestamp. Never accepted, only named. */
export class MsgpackExtension {
  readonly type: number;

  constructor(type: number) {
    this.type = type;
  }
}

/** Far above what an event may nest; it keeps hostile bytes from exhausting the stack. */
const DEPTH_MAX = 64;

/**
 * Decodes one value, which must fill the bytes.
 * @param spans receives where the elements of an outermost array stand
 * @param repairs is added to
 * @throws LapseError `ERR_EVENT_MSGPACK`
 */
export function decodeMsgpack(bytes: Uint8Array, spans: number[], repairs?: JsonRepairs): unknown {
  const decoder = new Decoder(bytes, spans, repairs);
  const value = decoder.value(0);
  decoder.finish();
  return value;
}

function refuse(what: string): never {
  throw new LapseError('ERR_EVENT_MSGPACK', `A payload must be whole msgpack, ${what}.`, {
    domain: 'user',
  });
}

class Decoder {
  readonly #bytes: Buffer;
  readonly #spans: number[];
  readonly #repairs: JsonRepairs | undefined;
  #at = 0;

  constructor(bytes: Uint8Array, spans: number[], repairs: JsonRepairs | undefined) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#spans = spans;
    this.#repairs = repairs;
  }

  finish(): void {
    const rest = this.#bytes.length - this.#at;
    if (rest > 0) refuse(`got ${rest} bytes behind its value`);
  }

  value(depth: number): unknown {
    const token = this.#bytes[this.#take(1)]!;
    if (token < 0x80) return token;
    if (token < 0x90) return this.#map(token & 0x0f, depth);
    if (token < 0xa0) return this.#array(token & 0x0f, depth);
    if (token < 0xc0) return this.#text(token & 0x1f);
    if (token >= 0xe0) return token - 0x100;
    return this.#longer(token, depth);
  }

  #longer(token: number, depth: number): unknown {
    const bytes = this.#bytes;
    switch (token) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#binary(this.#unsigned(1 << (token - 0xc4)));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#unsigned(1 << (token - 0xc7)));
      case 0xca:
        return bytes.readFloatBE(this.#take(4));
      case 0xcb:
        return bytes.readDoubleBE(this.#take(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#unsigned(1 << (token - 0xcc));
      case 0xcf:
        return wholeNumber(bytes.readBigUInt64BE(this.#take(8)));
      case 0xd0:
        return bytes.readInt8(this.#take(1));
      case 0xd1:
        return bytes.readInt16BE(this.#take(2));
      case 0xd2:
        return bytes.readInt32BE(this.#take(4));
      case 0xd3:
        return wholeNumber(bytes.readBigInt64BE(this.#take(8)));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(1 << (token - 0xd4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#unsigned(1 << (token - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#unsigned(2 << (token - 0xdc)), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#unsigned(2 << (token - 0xde)), depth);
      default:
        return refuse(`got the unused byte 0x${token.toString(16)}`);
    }
  }

  /** Moves on by `count` bytes and gives where they start. */
  #take(count: number): number {
    const start = this.#at;
    if (start + count > this.#bytes.length)
      refuse(`got only its first ${this.#bytes.length} bytes`);
    this.#at = start + count;
    return start;
  }

  #unsigned(width: number): number {
    return this.#bytes.readUIntBE(this.#take(width), width);
  }

  /** Bytes that are no UTF-8 stay binary, so that they are refused and not repaired. */
  #text(length: number): string | Uint8Array {
    const start = this.#take(length);
    const text = this.#bytes.toString('utf8', start, start + length);
    if (!text.includes('\ufffd')) return text;
    const bytes = this.#bytes.subarray(start, start + length);
    const sound = withoutLoneSurrogates(bytes);
    if (sound === undefined) return bytes;
    if (sound.count === 0) return text;
    if (this.#repairs !== undefined) this.#repairs.surrogates += sound.count;
    return Buffer.from(sound.bytes).toString();
  }

  #binary(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  #array(length: number, depth: number): unknown[] {
    this.#enter(length, depth);
    const values: unknown[] = [];
    for (let i = 0; i < length; i++) {
      const start = this.#at;
      values.push(this.value(depth + 1));
      if (depth === 0) this.#spans.push(start, this.#at);
    }
    return values;
  }

  #map(length: number, depth: number): Record<string, unknown> {
    this.#enter(2 * length, depth);
    const value: Record<string, unknown> = {};
    for (let i = 0; i < length; i++) {
      const key = this.value(depth + 1);
      if (typeof key !== 'string' && typeof key !== 'number') refuse('got a key that is no text');
      const member = this.value(depth + 1);
      if (key === '__proto__') {
        // Assignment would set the prototype instead of a property.
        Object.defineProperty(value, key, {
          value: member,
          enumerable: true,
          configurable: true,
          writable: true,
        });
      } else value[key] = member;
    }
    return value;
  }

  /** A length that the bytes cannot hold would make us loop four billion times. */
  #enter(lengthMin: number, depth: number): void {
    if (depth >= DEPTH_MAX) refuse(`got more than ${DEPTH_MAX} levels`);
    if (lengthMin > this.#bytes.length - this.#at) {
      refuse(`got only its first ${this.#bytes.length} bytes`);
    }
  }

  #extension(length: number): Date | MsgpackExtension {
    const type = this.#bytes.readInt8(this.#take(1));
    const start = this.#take(length);
    if (type !== -1) return new MsgpackExtension(type);
    const bytes = this.#bytes;
    if (length === 4) return new Date(bytes.readUInt32BE(start) * 1000);
    if (length === 8) {
      const nanos = bytes.readUInt32BE(start) >>> 2;
      const seconds = (bytes[start + 3]! & 3) * 2 ** 32 + bytes.readUInt32BE(start + 4);
      return new Date(seconds * 1000 + Math.trunc(nanos / 1e6));
    }
    if (length !== 12) return new MsgpackExtension(type);
    const nanos = bytes.readUInt32BE(start);
    const seconds = Number(bytes.readBigInt64BE(start + 4));
    return new Date(seconds * 1000 + Math.trunc(nanos / 1e6));
  }
}
