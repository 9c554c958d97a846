import { isUtf8 } from 'node:buffer';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { messageOf } from '../../../engine/errors.ts';
import { bomLength } from '../../../engine/event-check/decode-payload.ts';
import { HttpProblemError } from './http-problem.ts';

const inflate = promisify(gunzip);

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
    code: 'ERR_REQUEST_TOO_LARGE',
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
