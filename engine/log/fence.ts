/**
 * What a fence decides, the same in every home of the log. The epoch keeps zombies out; the input
 * position, whatever the epoch, keeps replays out: a new owner derives again what an older owner
 * already wrote.
 */
import { LapseError } from '../errors/errors.ts';
import type { Fence, WriterPosition } from './log.ts';

/** True when `position` reaches no further into the input than `stored`. */
export function isReplay(stored: WriterPosition, position: WriterPosition): boolean {
  if (position.offset !== stored.offset) return position.offset < stored.offset;
  return position.ordinal <= stored.ordinal;
}

export type FenceVerdict = 'store' | 'replay' | 'fenced' | 'moved';

/** @param stored the writer's position in the topic, undefined when it never wrote there */
export function judgeFence(
  stored: WriterPosition | undefined,
  { position, after }: Pick<Fence, 'position' | 'after'>,
): FenceVerdict {
  if (stored === undefined) return 'store';
  if (position.epoch < stored.epoch) return 'fenced';
  if (isReplay(stored, position)) return 'replay';
  if (after === 'beginning') return 'moved';
  return after === undefined || isReplay(after, stored) ? 'store' : 'moved';
}

export function movedError(topic: string, { writer }: Fence): LapseError {
  return new LapseError(
    'ERR_POSITION_MOVED',
    `Writer ${writer} of '${topic}' must go on from where it stands, it has come further.`,
    { domain: 'external', facts: { topic, writer } },
  );
}

export function fencedError(topic: string, fence: Fence, storedEpoch: number): LapseError {
  const { epoch } = fence.position;
  return new LapseError(
    'ERR_FENCED',
    `Writer ${fence.writer} of '${topic}' must write with epoch ${storedEpoch} or newer, ` +
      `got epoch ${epoch}: another owner has taken over.`,
    { domain: 'external', facts: { topic, writer: fence.writer, epoch, storedEpoch } },
  );
}

export function epochTakenError(partition: number, epoch: number, latest: number): LapseError {
  return new LapseError(
    'ERR_EPOCH_TAKEN',
    `A claim of partition ${partition} must be of an epoch above ${latest}, got ${epoch}: ` +
      'another owner was first.',
    { domain: 'external', facts: { partition, epoch, latest } },
  );
}
