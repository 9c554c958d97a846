/**
 * Who owns the log. A process takes an epoch of its own before it claims anything, and claims every
 * partition and every lane with it. Of several that start at once the newest wins each of them, in
 * whatever order they come to it: never one this and another that, which would end them all.
 */

import { EnvelopeWriter } from '../envelope/envelope-writer.ts';
import { RecordKind } from '../envelope/records.ts';
import { LapseError } from '../errors/errors.ts';
import type { Clock } from '../time/clock.ts';
import { BEGINNING, type Log, type Offset } from './log.ts';

/** Of the epochs taken so far; only the last one counts. */
const TOPIC = 'owner';
const WRITER = 0;
/** Each means that another process took an epoch meanwhile; more, and something is wrong. */
const LOSSES_MAX = 100;

/**
 * Takes the next epoch, above all that were claimed. It takes nothing from anybody yet.
 * @throws LapseError `ERR_EPOCH_TAKEN` when others kept taking it; what the log answers
 */
export async function takeEpoch(log: Log, clock: Clock): Promise<number> {
  const partitions = Array.from({ length: log.partitionCount }, (_, partition) => partition);
  for (let losses = 0; losses < LOSSES_MAX; losses++) {
    const last = await log.positionOf(TOPIC, WRITER);
    const claimed = await Promise.all(partitions.map((partition) => log.epochOf(partition)));
    const epoch = Math.max(last?.epoch ?? 0, ...claimed) + 1;
    const position = { epoch, offset: epoch, ordinal: 0 };
    const fence = { writer: WRITER, position, after: last ?? ('beginning' as const) };
    try {
      const offset = await log.append(TOPIC, claimOf(epoch, clock), fence);
      if (offset === undefined) continue;
      if (offset - 1 > BEGINNING) await log.trim(TOPIC, offset - 1);
      return epoch;
    } catch (error) {
      if (!isOvertaken(error)) throw error;
    }
  }
  throw new LapseError(
    'ERR_EPOCH_TAKEN',
    `The log must be taken by one process, others took it ${LOSSES_MAX} times meanwhile.`,
    { domain: 'external' },
  );
}

/**
 * Claims a partition: from then on what an older owner derives is refused.
 * @returns where the claim stands in its input
 * @throws LapseError `ERR_FENCED` when a process with a newer epoch has claimed it
 */
export async function claimPartition(
  log: Log,
  clock: Clock,
  { partition, epoch }: { readonly partition: number; readonly epoch: number },
): Promise<Offset> {
  try {
    return await log.claim(partition, epoch, claimOf(epoch, clock));
  } catch (error) {
    if (!(error instanceof LapseError) || error.code !== 'ERR_EPOCH_TAKEN') throw error;
    throw supersededError(`partition ${partition}`, epoch);
  }
}

export function supersededError(what: string, epoch: number): LapseError {
  return new LapseError(
    'ERR_FENCED',
    `The owner of ${what} must be the newest one, epoch ${epoch} is not: another process that ` +
      'started later has taken it.',
    { domain: 'external', facts: { epoch } },
  );
}

/** Whether somebody else wrote meanwhile. */
export function isOvertaken(error: unknown): boolean {
  if (!(error instanceof LapseError)) return false;
  return error.code === 'ERR_FENCED' || error.code === 'ERR_POSITION_MOVED';
}

function claimOf(epoch: number, clock: Clock): Uint8Array {
  const writer = new EnvelopeWriter();
  writer.addJson(RecordKind.claim, { epoch }, clock.now());
  return writer.finish();
}
