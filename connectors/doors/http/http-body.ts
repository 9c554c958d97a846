import type { Readable } from 'node:stream';
import { messageOf } from '../../../engine/errors/errors.ts';
import { parseJson } from '../../../engine/json/parse-json.ts';
import { bomLength } from '../../events/decode-payload.ts';
import type { Repairs } from '../../events/repairs.ts';
import { withoutLoneSurrogates } from '../../events/utf8.ts';
import { type CutReason, type HeldBody, PACE_BYTES, PACE_SECONDS } from './body-room.ts';
import { HttpProblemError } from './http-problem.ts';
import type { Inflater } from './inflater.ts';

const TOO_LARGE = 'ERR_REQUEST_TOO_LARGE';
const SLOW_BODY = 'ERR_BODY_SLOW';
export const CROWDED = 'ERR_DOOR_CROWDED';
const GZIP_MARK = [0x1f, 0x8b] as const;
const GZIP_NAMES = new Set(['gzip', 'x-gzip', 'identity', '']);
/** Seconds after which a client that was turned away may try again. */
export const RETRY_AFTER_SECONDS = 1;

/**
 * Reads a body whole, into one buffer that grows with what has come: a client that announces much
 * and sends little costs little. A sender may give each byte in a chunk of its own: kept as they
 * come, they would take 200 times the memory that is counted for the request.
 * @param declaredBytes what `content-length` says, NaN without one
 * @throws HttpProblemError when it is longer than `bytesMax`, too slow or there is no room for it;
 *   what broke the connection
 */
export function readBody(
  stream: Readable,
  declaredBytes: number,
  bytesMax: number,
  held: HeldBody,
): Promise<Buffer> {
  if (declaredBytes > bytesMax) return Promise.reject(tooLarge(bytesMax));
  const largest = Number.isNaN(declaredBytes) ? bytesMax : declaredBytes;
  let body: Buffer = Buffer.alloc(0);
  let length = 0;
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      stream.off('data', take);
      settle();
    };
    const fail = (problem: HttpProblemError) => end(() => reject(problem));
    const take = (chunk: Buffer) => {
      const needed = length + chunk.length;
      if (needed > bytesMax) return fail(tooLarge(bytesMax));
      held.came(chunk.length);
      if (needed > body.length) {
        const capacity = Math.min(largest, needed < largest ? 2 * needed : needed);
        if (!held.resize(capacity)) return fail(cutOff('crowded'));
        const larger = Buffer.allocUnsafe(capacity);
        body.copy(larger, 0, 0, length);
        body = larger;
      }
      length += chunk.copy(body, length);
    };
    held.onCut = (reason) => fail(cutOff(reason));
    stream.on('data', take);
    stream.once('end', () => {
      held.finished();
      end(() => resolve(body.subarray(0, length)));
    });
    stream.once('error', (error) => end(() => reject(error)));
    stream.once('close', () => end(() => reject(new Error('The connection was closed.'))));
  });
}

/** Of a body that does not come in time, or that others have no room beside. */
function cutOff(reason: CutReason): HttpProblemError {
  if (reason === 'slow') {
    return new HttpProblemError({
      status: 408,
      code: SLOW_BODY,
      detail: `A body must bring ${PACE_BYTES} bytes or end within ${PACE_SECONDS} s, got less.`,
      endsConnection: true,
    });
  }
  return new HttpProblemError({
    status: 429,
    code: CROWDED,
    detail: 'The bodies of this client address or of all fill the room there is; send again later.',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    endsConnection: true,
  });
}

export interface DecodeBodyOptions {
  readonly bytesMax: number;
  readonly held: HeldBody;
  readonly inflater: Inflater;
}

/**
 * The bytes of a request as they were before `content-encoding`. Never inflates to more than
 * `bytesMax`, however small the request is.
 * @throws HttpProblemError
 */
export async function decodeBody(
  body: Buffer,
  encoding: string | undefined,
  { bytesMax, held, inflater }: DecodeBodyOptions,
): Promise<Buffer> {
  const name = encoding?.trim().toLowerCase() ?? 'identity';
  // Some clients pack and say so in the type only; no JSON begins with these bytes.
  const isPacked = body[0] === GZIP_MARK[0] && body[1] === GZIP_MARK[1];
  if ((name === 'identity' || name === '') && !isPacked) return body;
  if (!GZIP_NAMES.has(name)) {
    throw new HttpProblemError({
      status: 415,
      code: 'ERR_BODY_ENCODING',
      detail: `content-encoding must be gzip or identity, got ${JSON.stringify(encoding)}.`,
    });
  }
  let inflated: Buffer;
  try {
    inflated = await inflater.run(body, bytesMax);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(bytesMax);
    throw new HttpProblemError({
      status: 400,
      code: 'ERR_BODY_GZIP',
      detail: `A body with content-encoding gzip must be gzip, it is not: ${messageOf(error)}.`,
    });
  }
  if (!held.resize(inflated.length)) throw cutOff('crowded');
  return inflated;
}

function tooLarge(bytesMax: number): HttpProblemError {
  return new HttpProblemError({
    status: 413,
    code: TOO_LARGE,
    detail: `A request must have at most ${bytesMax} bytes (requestBytesMax), got more.`,
    endsConnection: true,
  });
}

/**
 * @param repairs is added to
 * @throws HttpProblemError when the body is not JSON in UTF-8
 */
export function parseBody(body: Buffer, repairs: Repairs): unknown {
  const sound = withoutLoneSurrogates(body);
  if (sound !== undefined) {
    const { buffer, byteOffset, length } = sound.bytes;
    const text = Buffer.from(buffer, byteOffset, length).toString('utf8', bomLength(body));
    try {
      const value = parseJson(text, repairs);
      repairs.surrogates += sound.count;
      return value;
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
