/** From lines of a file to events that can be imported twice without harm. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { withoutLoneSurrogates } from '../../../connectors/events/utf8.ts';
import { messageOf, userError } from '../../../engine/errors/errors.ts';

const HASH_CHARS = 16;

/**
 * Names a file by what is in it, so that the same file gives the same ids, wherever it lies.
 * @throws LapseError `ERR_FILE_MISSING`
 */
export async function fileName(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (error) {
    throw userError(
      'ERR_FILE_MISSING',
      `'${path}' must be a readable file of events, it is not: ${messageOf(error)}.`,
      { path },
    );
  }
  return hash.digest('hex').slice(0, HASH_CHARS);
}

export type ParsedLine =
  | { readonly text: string; readonly user: string }
  | { readonly code: string; readonly message: string };

/**
 * One line as an element of a batch. Bytes are kept as they are; only a `messageId` is put in
 * where there is none. What is JSON but no event is left for Lapse to refuse.
 * @param newId of an event without one
 */
export function parseLine(bytes: Uint8Array, newId: () => string): ParsedLine {
  const sound = withoutLoneSurrogates(bytes);
  if (sound === undefined) {
    // Decoding would put other characters for them, and could make one user of two.
    return { code: 'ERR_EVENT_JSON', message: 'An event must be UTF-8, it has other bytes.' };
  }
  // Lapse puts U+FFFD for those that are escaped, and counts them.
  const text = Buffer.from(sound.bytes).toString('utf8').trim();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = `An event must be JSON, it is not: ${messageOf(error)}.`;
    return { code: 'ERR_EVENT_JSON', message };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { text, user: '' };
  const { userId, anonymousId, messageId } = value as Record<string, unknown>;
  const id = userId ?? anonymousId;
  // Anything else is refused by Lapse, and may be such that it cannot become a text.
  const user = typeof id === 'string' || typeof id === 'number' ? String(id) : '';
  if (messageId !== undefined && messageId !== null) return { text, user };
  const addition = `"messageId":${JSON.stringify(newId())}`;
  // Appended, so that it also stands in for one that is null.
  const body = text.slice(0, -1).trimEnd();
  return { text: `${body}${body === '{' ? '' : ','}${addition}}`, user };
}

/** The id of an event of standard input, which cannot be read twice: what the line says. */
export function lineName(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, HASH_CHARS);
}
