import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { messageOf } from '../../../engine/errors/errors.ts';
import { bomLength } from '../../events/decode-payload.ts';
import { HttpProblemError } from './http-problem.ts';

export const TOO_LARGE = 'ERR_REQUEST_TOO_LARGE';
/** First room for a body of unknown length. */
const UNDECLARED_BYTES = 4 * 1024;
const inflate = promisify(gunzip);

/**
 * Reads a body whole, into one buffer. A sender may give each byte in a chunk of its own: kept as
 * they come, they would take 200 times the memory that is counted for the request.
 * @param declaredBytes what `content-length` says, NaN without one
 * @throws HttpProblemError when it is longer than `bytesMax`; what broke the connection
 */
export function readBody(
  stream: Readable,
  declaredBytes: number,
  bytesMax: number,
): Promise<Buffer> {
  if (declaredBytes > bytesMax) return Promise.reject(tooLarge(bytesMax));
  let body = Buffer.allocUnsafe(Number.isNaN(declaredBytes) ? UNDECLARED_BYTES : declaredBytes);
  let length = 0;
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      stream.off('data', take);
      settle();
    };
    const take = (chunk: Buffer) => {
      const needed = length + chunk.length;
      if (needed > bytesMax) {
        end(() => reject(tooLarge(bytesMax)));
        return;
      }
      if (needed > body.length) {
        const larger = Buffer.allocUnsafe(Math.min(bytesMax, 2 * needed));
        body.copy(larger, 0, 0, length);
        body = larger;
      }
      length += chunk.copy(body, length);
    };
    stream.on('data', take);
    stream.once('end', () => end(() => resolve(body.subarray(0, length))));
    stream.once('error', (error) => end(() => reject(error)));
    stream.once('close', () => end(() => reject(new Error('The connection was closed.'))));
  });
}

/**
 * The bytes of a request as they were before `content-encoding`. Never inflates to more than
 * `bytesMax`, however small the request is.
 * @throws HttpProblemError
 */
export async function decodeBody(
  body: Buffer,
  encoding: string | undefined,
  bytesMax: number,
): Promise<Buffer> {
  const name = encoding?.trim().toLowerCase() ?? 'identity';
  if (name === 'identity' || name === '') return body;
  if (name !== 'gzip' && name !== 'x-gzip') {
    throw new HttpProblemError({
      status: 415,
      code: 'ERR_BODY_ENCODING',
      detail: `content-encoding must be gzip or identity, got ${JSON.stringify(encoding)}.`,
    });
  }
  try {
    return await inflate(body, { maxOutputLength: bytesMax });
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(bytesMax);
    throw new HttpProblemError({
      status: 400,
      code: 'ERR_BODY_GZIP',
      detail: `A body with content-encoding gzip must be gzip, it is not: ${messageOf(error)}.`,
    });
  }
}

export function tooLarge(bytesMax: number): HttpProblemError {
  return new HttpProblemError({
    status: 413,
    code: TOO_LARGE,
    detail: `A request must have at most ${bytesMax} bytes (requestBytesMax), got more.`,
  });
}

/** @throws HttpProblemError when the body is not JSON in UTF-8 */
export function parseBody(body: Buffer): unknown {
  if (isUtf8(body)) {
    try {
      return JSON.parse(body.toString('utf8', bomLength(body))) as unknown;
    } catch {
      // The sentence below says it better than the parser, whose words change with its version.
    }
  }
  throw new HttpProblemError({
    status: 400,
    code: 'ERR_BODY_JSON',
    detail: `A body must be JSON in UTF-8, got ${body.length} bytes that are not.`,
  });
}
