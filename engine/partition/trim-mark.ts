import { LapseError } from '../errors/errors.ts';
import { describeValue } from '../errors/wording.ts';
import { BEGINNING, type Log, type Offset } from '../log/log.ts';
import { readLast } from '../log/read-last.ts';

/*
 * Before a partition's log is trimmed, how far is written to `trim.<partition>`. Without a
 * checkpoint that reaches as far, the state could not be built again: better to be told than to
 * start without it.
 */

function topicOf(partition: number): string {
  return `trim.${partition}`;
}

/** How far the partition's log may have been trimmed; `BEGINNING` when never. */
export async function readTrimMark(log: Log, partition: number): Promise<Offset> {
  const last = await readLast(log, topicOf(partition));
  if (last === undefined) return BEGINNING;
  return decodeTrimMark(last.bytes);
}

/** @throws LapseError `ERR_TRIM_MARK_CORRUPT` */
export function decodeTrimMark(bytes: Uint8Array): Offset {
  const text = new TextDecoder().decode(bytes);
  let upTo: unknown;
  try {
    upTo = (JSON.parse(text) as { upTo?: unknown } | null)?.upTo;
  } catch {
    upTo = undefined;
  }
  if (Number.isSafeInteger(upTo) && (upTo as Offset) >= 0) return upTo as Offset;
  const got = describeValue(text);
  throw new LapseError('ERR_TRIM_MARK_CORRUPT', `A trim mark must hold an offset, got ${got}`, {
    domain: 'external',
  });
}

export async function trimBehindMark(log: Log, partition: number, upTo: Offset): Promise<void> {
  const topic = topicOf(partition);
  const mark = await log.append(topic, new TextEncoder().encode(JSON.stringify({ upTo })));
  await log.trim(`in.${partition}`, upTo);
  if (mark !== undefined && mark > 1) await log.trim(topic, mark - 1);
}
