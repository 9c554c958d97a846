import type { Packr } from 'msgpackr';

/** Longer texts are written faster by the runtime than character by character. */
const SHORT_CHARS_MAX = 64;
/** Most bytes of a character of UTF-16 in UTF-8. */
const UTF8_BYTES_MAX = 3;
/** A number with its token; what stands before a text or an array is shorter. */
const HEAD_BYTES_MAX = 9;

/**
 * The growing bytes of an envelope's bodies, and the msgpack of their values. What most properties
 * are, texts and numbers, is written in place; msgpackr, whose bytes these equal, would give each
 * array of values as a buffer of its own. It still writes objects and arrays.
 */
export class EnvelopeBody {
  readonly #packr: Packr;
  bytes = Buffer.allocUnsafeSlow(4096);
  #view = viewOf(this.bytes);
  /** Bytes in use. May be set back, or forward over what `putText` wrote. */
  length = 0;

  constructor(packr: Packr) {
    this.#packr = packr;
  }

  clear(): void {
    this.length = 0;
  }

  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Writes text behind the end without moving it; returns its length in bytes. */
  putText(text: string): number {
    this.#reserve(text.length * UTF8_BYTES_MAX);
    const { bytes, length } = this;
    return putAscii(text, bytes, length) ? text.length : bytes.write(text, length, 'utf8');
  }

  /** Starts a msgpack array of so many values. */
  arrayHeader(count: number): void {
    this.#reserve(HEAD_BYTES_MAX);
    if (count < 16) this.bytes[this.length++] = 0x90 | count;
    else this.length = this.#sizedHeader(0xdc, count);
  }

  /** One value as msgpack. */
  value(value: unknown): void {
    switch (typeof value) {
      case 'string':
        this.#text(value);
        return;
      case 'number':
        this.#number(value);
        return;
      case 'boolean':
        this.#reserve(1);
        this.bytes[this.length++] = value ? 0xc3 : 0xc2;
        return;
      default:
        if (value !== null) this.append(this.#packr.pack(value));
        else {
          this.#reserve(1);
          this.bytes[this.length++] = 0xc0;
        }
    }
  }

  #text(text: string): void {
    this.#reserve(HEAD_BYTES_MAX + text.length * UTF8_BYTES_MAX);
    // Of a short text the length is believed to be its bytes; it is written again if it is not.
    if (text.length <= SHORT_CHARS_MAX) {
      const start = this.#textHeader(text.length);
      if (putAscii(text, this.bytes, start)) {
        this.length = start + text.length;
        return;
      }
    }
    const byteLength = Buffer.byteLength(text);
    const start = this.#textHeader(byteLength);
    this.bytes.write(text, start, 'utf8');
    this.length = start + byteLength;
  }

  /** Writes what stands before a text without moving the end; returns where the text starts. */
  #textHeader(byteLength: number): number {
    const { bytes, length: at } = this;
    if (byteLength < 32) {
      bytes[at] = 0xa0 | byteLength;
      return at + 1;
    }
    if (byteLength < 0x100) {
      bytes[at] = 0xd9;
      bytes[at + 1] = byteLength;
      return at + 2;
    }
    return this.#sizedHeader(0xda, byteLength);
  }

  #number(value: number): void {
    this.#reserve(HEAD_BYTES_MAX);
    const { bytes, length: at } = this;
    if (value >>> 0 === value) {
      if (value < 0x80) {
        bytes[at] = value;
        this.length = at + 1;
      } else if (value < 0x100) {
        bytes[at] = 0xcc;
        bytes[at + 1] = value;
        this.length = at + 2;
      } else if (value < 0x10000) {
        bytes[at] = 0xcd;
        bytes[at + 1] = value >>> 8;
        bytes[at + 2] = value;
        this.length = at + 3;
      } else {
        bytes[at] = 0xce;
        this.#view.setUint32(at + 1, value);
        this.length = at + 5;
      }
    } else if (value >> 0 === value) this.append(this.#packr.pack(value));
    else {
      bytes[at] = 0xcb;
      this.#view.setFloat64(at + 1, value);
      this.length = at + 9;
    }
  }

  /** A token whose next one means the same with 32 bits of length behind it instead of 16. */
  #sizedHeader(token: number, size: number): number {
    const { bytes, length: at } = this;
    const isWide = size >= 0x10000;
    bytes[at] = isWide ? token + 1 : token;
    if (isWide) this.#view.setUint32(at + 1, size);
    else this.#view.setUint16(at + 1, size);
    return at + (isWide ? 5 : 3);
  }

  #reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
    this.#view = viewOf(larger);
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Writes text as far as it is ASCII; false when it is not all of it. */
function putAscii(text: string, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return false;
    bytes[at + i] = code;
  }
  return true;
}
