import { LapseError, messageOf } from '../../../engine/errors/errors.ts';

/** The log has no room: by its own limit, or because the disk is full. */
export function fullError(reason: string): LapseError {
  return new LapseError(
    'ERR_LOG_FULL',
    `The log must have room to append, it is full: ${reason}.`,
    {
      domain: 'external',
      retryable: true,
    },
  );
}

/** Whatever the system or LMDB calls it. */
export function isOutOfSpace(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  if (code === 'ENOSPC' || code === 'EFBIG' || code === 28 || code === -30792) return true;
  return /no space left|map full|MDB_MAP_FULL|disk quota|file too large/i.test(messageOf(error));
}
