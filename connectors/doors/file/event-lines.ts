/**
 * Reads the lines of an NDJSON file, plain or gzip, or of standard input (`-`). Memory stays
 * bounded by the longest line allowed and one chunk, however large the file is.
 */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { externalError, messageOf, userError } from '../../../engine/errors/errors.ts';
import { type Rejection, rejection } from '../../events/rejection.ts';

export interface EventLine {
  /** Counted from 1, blank lines too. */
  readonly lineNumber: number;
  /** Without its line end; valid until the next line is asked for. */
  readonly bytes: Uint8Array;
  /** Present when the line is too long; `bytes` are then its first. */
  readonly refused?: Rejection;
}

export interface EventLinesOptions {
  /** Bytes of one line. @default 32 KiB, the limit of an event */
  readonly eventBytesMax?: number;
  /** Taken instead of the file, for tests and `-`. @default process.stdin for `-` */
  readonly input?: Readable;
}

const EVENT_BYTES_MAX = 32 * 1024;
const [LINE_FEED, CARRIAGE_RETURN] = [0x0a, 0x0d];
const GZIP_MARK = [0x1f, 0x8b] as const;

/**
 * Blank lines are left out, a byte order mark and CRLF are tolerated. Gzip is known by its first
 * bytes, whatever the name says.
 * @throws LapseError `ERR_FILE_MISSING` when it cannot be opened, `ERR_FILE_READ` when it breaks
 */
export async function* readEventLines(
  path: string,
  options: EventLinesOptions = {},
): AsyncGenerator<EventLine> {
  const splitter = new LineSplitter(options.eventBytesMax ?? EVENT_BYTES_MAX);
  const input = options.input ?? (path === '-' ? process.stdin : createReadStream(path));
  try {
    for await (const chunk of inflated(input)) yield* splitter.push(chunk);
    yield* splitter.end();
  } catch (error) {
    throw fileError(path, error);
  } finally {
    input.destroy();
  }
}

async function* inflated(input: Readable): AsyncGenerator<Uint8Array> {
  const chunks = input[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  let first = Buffer.alloc(0);
  // A pipe may hand over a single byte at first.
  while (first.length < GZIP_MARK.length) {
    const next = await chunks.next();
    if (next.done === true) break;
    first = Buffer.concat([first, next.value]);
  }
  const rest = async function* () {
    yield first;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
      yield next.value;
    }
  };
  if (first[0] !== GZIP_MARK[0] || first[1] !== GZIP_MARK[1]) yield* rest();
  else yield* gunzipped(rest());
}

async function* gunzipped(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { pipeline } = await import('node:stream/promises');
  const gunzip = createGunzip();
  const piped = pipeline(source, gunzip);
  // The same failure comes out of the iteration below.
  piped.catch(() => undefined);
  yield* gunzip as AsyncIterable<Uint8Array>;
  await piped;
}

class LineSplitter {
  readonly #bytesMax: number;
  /** The start of a line whose end is in a later chunk. */
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #lineNumber = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  *push(chunk: Uint8Array): Generator<EventLine> {
    let start = 0;
    for (;;) {
      // Empty lines by the million, as a small gzip file may hold them, cost next to nothing.
      while (chunk[start] === LINE_FEED && this.#pendingBytes === 0) {
        this.#lineNumber++;
        start++;
      }
      const end = chunk.indexOf(LINE_FEED, start);
      if (end < 0) break;
      const line = this.#line(chunk.subarray(start, end));
      if (line !== undefined) yield line;
      start = end + 1;
    }
    if (start < chunk.length) this.#gather(chunk.subarray(start));
  }

  *end(): Generator<EventLine> {
    if (this.#pendingBytes === 0) return;
    const line = this.#line(new Uint8Array(0));
    if (line !== undefined) yield line;
  }

  /** Beyond the limit only the length grows. The line's end may add a carriage return. */
  #gather(part: Uint8Array): void {
    const room = this.#bytesMax + 1 - this.#pendingBytes;
    if (room > 0) this.#pending.push(new Uint8Array(part.subarray(0, room)));
    this.#pendingBytes += part.length;
  }

  #line(tail: Uint8Array): EventLine | undefined {
    let bytes = tail;
    let byteLength = tail.length;
    if (this.#pendingBytes > 0) {
      this.#gather(tail);
      byteLength = this.#pendingBytes;
      bytes = Buffer.concat(this.#pending);
      this.#pending = [];
      this.#pendingBytes = 0;
    }
    const lineNumber = ++this.#lineNumber;
    if (lineNumber === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
      bytes = bytes.subarray(3);
      byteLength -= 3;
    }
    if (byteLength === bytes.length && bytes.at(-1) === CARRIAGE_RETURN) {
      bytes = bytes.subarray(0, -1);
      byteLength--;
    }
    if (byteLength > this.#bytesMax) return this.#tooLong(lineNumber, bytes, byteLength);
    return isBlank(bytes) ? undefined : { lineNumber, bytes };
  }

  #tooLong(lineNumber: number, bytes: Uint8Array, byteLength: number): EventLine {
    return {
      lineNumber,
      bytes: bytes.subarray(0, this.#bytesMax),
      refused: rejection(
        'ERR_EVENT_TOO_LARGE',
        `An event must have at most ${this.#bytesMax} bytes, got ${byteLength}.`,
        { limit: 'eventBytesMax', max: this.#bytesMax, got: byteLength },
      ),
    };
  }
}

function isBlank(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte > 0x20) return false;
  return true;
}

function fileError(path: string, error: unknown): Error {
  const { code } = error as { code?: unknown };
  if (code === 'ENOENT' || code === 'EISDIR' || code === 'EACCES') {
    return userError(
      'ERR_FILE_MISSING',
      `'${path}' must be a readable file of events, it is not: ${messageOf(error)}.`,
      { path },
    );
  }
  return externalError(
    'ERR_FILE_READ',
    `'${path}' cannot be read to its end: ${messageOf(error)}.`,
    {
      retryable: false,
      cause: error,
    },
  );
}
