import { messageOf } from '../../engine/errors/errors.ts';
import { parseJson } from '../../engine/json/parse-json.ts';
import { arrayElementSpans } from './json-spans.ts';
import { decodeMsgpack } from './msgpack-values.ts';
import { type Rejection, rejection } from './rejection.ts';
import { noRepairs, type Repairs } from './repairs.ts';
import { withoutLoneSurrogates } from './utf8.ts';

const LINE_FEED = 0x0a;
/** Stands for a line that is not JSON; its refusal is in `refusals`. */
const UNDECODED = Symbol('undecoded');

/**
 * What one payload held. A door keeps one and decodes into it again and again; the values are
 * valid until then, and so are the bytes.
 */
export class Payload {
  readonly values: unknown[] = [];
  #bytes: Uint8Array = new Uint8Array(0);
  /** Start and end of each value; empty while nobody has asked in a JSON array. */
  #spans: number[] = [];
  #isJsonArray = false;
  readonly #refusals = new Map<number, Rejection>();
  readonly #repairs: Repairs;

  /** @param repairs is added to */
  constructor(repairs: Repairs = noRepairs()) {
    this.#repairs = repairs;
  }

  /** Decodes a JSON object or array, NDJSON, or msgpack of an object or array. Never throws. */
  decode(bytes: Uint8Array): void {
    // Taken out one by one: setting the length of an array is slow, and there is mostly one.
    while (this.values.length > 0) this.values.pop();
    while (this.#spans.length > 0) this.#spans.pop();
    if (this.#refusals.size > 0) this.#refusals.clear();
    this.#isJsonArray = false;
    this.#bytes = bytes;
    const first = bytes[0] ?? 0;
    const isMsgpack = (first >= 0x80 && first < 0xa0) || (first >= 0xdc && first < 0xe0);
    if (isMsgpack) this.#decodeMsgpack();
    else this.#decodeText();
  }

  /** Why value `i` could not be decoded at all. */
  refusalOf(i: number): Rejection | undefined {
    return this.#refusals.size === 0 ? undefined : this.#refusals.get(i);
  }

  /** Bytes of value `i`, at most. Exact as soon as the payload is larger than `enough`. */
  byteLengthOf(i: number, enough: number): number {
    if (this.#bytes.length <= enough) return this.#bytes.length;
    const spans = this.#allSpans();
    return spans[2 * i + 1]! - spans[2 * i]!;
  }

  /** The bytes of value `i` as they came: a view of the payload. */
  bytesOf(i: number): Uint8Array {
    const spans = this.#allSpans();
    return this.#bytes.subarray(spans[2 * i], spans[2 * i + 1]);
  }

  #allSpans(): number[] {
    if (this.#isJsonArray && this.#spans.length === 0 && this.values.length > 0) {
      this.#spans = arrayElementSpans(this.#bytes, bomLength(this.#bytes));
    }
    return this.#spans;
  }

  #refuseAll(refused: Rejection): void {
    this.values.length = 0;
    this.values.push(UNDECODED);
    this.#spans = [0, this.#bytes.length];
    this.#refusals.set(0, refused);
  }

  #decodeMsgpack(): void {
    try {
      const value = decodeMsgpack(this.#bytes, this.#spans, this.#repairs);
      if (Array.isArray(value)) for (const element of value) this.values.push(element);
      else {
        this.values.push(value);
        this.#spans = [0, this.#bytes.length];
      }
    } catch (error) {
      this.#refuseAll(rejection('ERR_EVENT_MSGPACK', messageOf(error)));
    }
  }

  #decodeText(): void {
    let bytes = this.#bytes;
    const start = bomLength(bytes);
    let text = textOf(bytes, start, bytes.length);
    // Decoding puts U+FFFD for bytes that are no UTF-8; only then is it worth to look at them all.
    if (text.includes('\ufffd')) {
      const sound = withoutLoneSurrogates(bytes);
      if (sound === undefined) {
        this.#refuseAll(
          rejection('ERR_EVENT_JSON', 'A JSON payload must be UTF-8, got other bytes.'),
        );
        return;
      }
      this.#repairs.surrogates += sound.count;
      if (sound.count > 0) {
        bytes = sound.bytes;
        text = textOf(bytes, start, bytes.length);
      }
    }
    const value = this.#parse(text);
    if (value === UNDECODED) this.#decodeLines(bytes, start);
    else if (Array.isArray(value)) {
      for (const element of value) this.values.push(element);
      this.#isJsonArray = true;
    } else {
      this.values.push(value);
      this.#spans.push(start, bytes.length);
    }
  }

  #decodeLines(bytes: Uint8Array, from: number): void {
    let decoded = 0;
    for (let start = from; start < bytes.length; ) {
      const found = bytes.indexOf(LINE_FEED, start);
      const end = found < 0 ? bytes.length : found;
      if (!isBlank(bytes, start, end)) {
        const value = this.#parse(textOf(bytes, start, end));
        if (value === UNDECODED)
          this.#refusals.set(this.values.length, notJson('line', end - start));
        else decoded++;
        this.values.push(value);
        this.#spans.push(start, end);
      }
      start = end + 1;
    }
    // A broken object printed over many lines is one mistake and not a hundred.
    if (decoded > 0) return;
    this.#refusals.clear();
    this.#refuseAll(notJson('payload', bytes.length));
  }

  #parse(text: string): unknown {
    try {
      return parseJson(text, this.#repairs);
    } catch {
      return UNDECODED;
    }
  }
}

function notJson(what: 'line' | 'payload', byteLength: number): Rejection {
  const wanted =
    what === 'line'
      ? 'A line of NDJSON must be JSON'
      : 'A payload must be a JSON object or array, NDJSON or msgpack';
  return rejection('ERR_EVENT_JSON', `${wanted}, got ${byteLength} bytes that are not.`, {
    byteLength,
  });
}

/** Bytes of a UTF-8 byte order mark at the start, 0 without one. */
export function bomLength(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! > 0x20) return false;
  return true;
}

/** Of any bytes; called on them as they are, as a `Buffer` around them costs as much again. */
const { utf8Slice } = Buffer.prototype as Buffer & {
  utf8Slice(start: number, end: number): string;
};

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return utf8Slice.call(bytes as Buffer, start, end);
}
