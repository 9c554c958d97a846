import { request } from 'undici';
import { externalError, LapseError, messageOf, userError } from '../../engine/errors/errors.ts';
import { writeJson } from '../../engine/json/write-json.ts';

export interface Question {
  /** @default 'GET' */
  readonly method?: 'GET' | 'POST';
  /** Sent as JSON. */
  readonly body?: unknown;
}

/**
 * Asks the control API of a running Lapse.
 * @throws LapseError `ERR_UNREACHABLE`, `ERR_NOT_LAPSE`, or the code of the problem that it answers
 */
export async function ask<T>(
  url: string,
  path: string,
  { method = 'GET', body: sent }: Question = {},
): Promise<T> {
  let answer: { statusCode: number; text: string };
  try {
    const { statusCode, body } = await request(`${url}${path}`, {
      method,
      ...(sent === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: writeJson(sent) }),
    });
    answer = { statusCode, text: await body.text() };
  } catch (error) {
    throw externalError('ERR_UNREACHABLE', `No Lapse answers at ${url}: ${messageOf(error)}.`);
  }
  const value = parsed(answer.text);
  if (answer.statusCode === 200 && value !== undefined) return value as T;
  const { code, detail } = (value ?? {}) as { code?: string; detail?: string };
  if (typeof code === 'string' && typeof detail === 'string') throw userError(code, detail);
  throw externalError(
    'ERR_NOT_LAPSE',
    `${url} must be a running Lapse, it answered ${answer.statusCode}.`,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof LapseError) throw error;
    return undefined;
  }
}
