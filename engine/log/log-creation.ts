/**
 * What the first process that opened the log noted in it for good: when that was, which tells one
 * log from another, for a state belongs to the log that it was made of; and the secret under which
 * what stands for ids in that state is hashed (see `Fingerprints`).
 */

import { LapseError } from '../errors/errors.ts';
import { type FingerprintKey, fingerprintKeyFrom } from '../state/fingerprints.ts';
import type { Log } from './log.ts';
import { readLast } from './read-last.ts';

const TOPIC = 'owner.created';
/** One position, so that of several processes that write it one is stored. */
const ONCE = { writer: 0, position: { epoch: 1, offset: 1, ordinal: 0 } };

export interface LogIdentity {
  /** Unix ms. */
  readonly createdAtMs: number;
  readonly fingerprintKey: FingerprintKey;
}

/**
 * @param proposal what is noted if nothing is yet: Unix ms, and 16 random hexadecimal digits
 * @returns the same whoever asks, and whenever
 * @throws LapseError `ERR_LOG_CREATION` when the note is none; what the log answers
 */
export async function logIdentity(
  log: Log,
  proposal: { readonly createdAtMs: number; readonly fingerprintKey: string },
): Promise<LogIdentity> {
  const { createdAtMs, fingerprintKey } = proposal;
  const note = new TextEncoder().encode(JSON.stringify({ createdAtMs, fingerprintKey }));
  await log.append(TOPIC, note, ONCE);
  const stored = await readLast(log, TOPIC);
  return decodeIdentity(stored?.bytes ?? new Uint8Array());
}

/** @throws LapseError `ERR_LOG_CREATION` */
function decodeIdentity(bytes: Uint8Array): LogIdentity {
  let note: unknown;
  try {
    note = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // What was written right is JSON.
  }
  const { createdAtMs, fingerprintKey } = (note ?? {}) as Readonly<Record<string, unknown>>;
  const key = typeof fingerprintKey === 'string' ? fingerprintKeyFrom(fingerprintKey) : undefined;
  if (typeof createdAtMs === 'number' && Number.isFinite(createdAtMs) && key !== undefined) {
    return { createdAtMs, fingerprintKey: key };
  }
  // The note is not shown: it may hold the secret.
  throw new LapseError(
    'ERR_LOG_CREATION',
    "The log's note of its creation must hold a time and a fingerprint key: " +
      'it is damaged, or another version of Lapse wrote it.',
    { domain: 'external' },
  );
}
