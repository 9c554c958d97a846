/**
 * When the log was created, noted in it by the first process that opened it. It tells one log from
 * another: a state belongs to the log that it was made of.
 */

import { LapseError } from '../errors/errors.ts';
import { describeValue } from '../errors/wording.ts';
import type { Clock } from '../time/clock.ts';
import type { Log } from './log.ts';
import { readLast } from './read-last.ts';

const TOPIC = 'owner.created';
/** One position, so that of several processes that write it one is stored. */
const ONCE = { writer: 0, position: { epoch: 1, offset: 1, ordinal: 0 } };

/**
 * @returns Unix ms; the same whoever asks, and whenever
 * @throws LapseError `ERR_LOG_CREATION` when the note is none; what the log answers
 */
export async function logCreatedAtMs(log: Log, clock: Clock): Promise<number> {
  const note = new TextEncoder().encode(JSON.stringify({ createdAtMs: clock.now() }));
  await log.append(TOPIC, note, ONCE);
  const stored = await readLast(log, TOPIC);
  return decodeCreation(stored?.bytes ?? new Uint8Array());
}

/** @throws LapseError `ERR_LOG_CREATION` */
function decodeCreation(bytes: Uint8Array): number {
  const text = new TextDecoder().decode(bytes);
  let createdAtMs: unknown;
  try {
    createdAtMs = (JSON.parse(text) as { createdAtMs?: unknown } | null)?.createdAtMs;
  } catch {
    createdAtMs = undefined;
  }
  if (typeof createdAtMs === 'number' && Number.isFinite(createdAtMs)) return createdAtMs;
  throw new LapseError(
    'ERR_LOG_CREATION',
    `The log must note when it was created, it notes ${describeValue(text)}.`,
    { domain: 'external' },
  );
}
