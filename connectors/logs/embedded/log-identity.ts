/** Which log it is and whose: the one record of the table `identity`. */
import { randomUUID } from 'node:crypto';
import { userError } from '../../../engine/errors/errors.ts';
import { type AheadNeeded, LOG_FORMAT_VERSION, type LogTables } from './lmdb-schema.ts';
import type { StorageThreadData } from './storage-protocol.ts';

type Owner = Pick<StorageThreadData, 'partitionCount' | 'ownerToken' | 'directory'>;

/**
 * Says that the log is this owner's from now on, and makes a new one's identity.
 * @returns the id of the log
 * @throws LapseError `ERR_LOG_VERSION`, `ERR_PARTITION_COUNT`
 */
export function takeLog(tables: LogTables, owner: Owner): string {
  const { partitionCount, ownerToken, directory } = owner;
  const stored = tables.identity.get('log');
  if (stored !== undefined && stored.formatVersion !== LOG_FORMAT_VERSION) {
    throw userError(
      'ERR_LOG_VERSION',
      `The log in '${directory}' must be of format ${LOG_FORMAT_VERSION}, it is of format ` +
        `${stored.formatVersion}: another version of Lapse wrote it.`,
      { directory, formatVersion: stored.formatVersion },
    );
  }
  if (stored !== undefined && stored.partitionCount !== partitionCount) {
    throw userError(
      'ERR_PARTITION_COUNT',
      `The log in '${directory}' has ${stored.partitionCount} partitions for good, ` +
        `it cannot be opened with ${partitionCount}.`,
      { directory, stored: stored.partitionCount, wanted: partitionCount },
    );
  }
  const id = stored?.id ?? randomUUID();
  tables.identity.putSync('log', {
    formatVersion: LOG_FORMAT_VERSION,
    partitionCount,
    id,
    ownerToken,
    ahead: stored?.ahead,
  });
  return id;
}

export function aheadNeeded(tables: LogTables): AheadNeeded | undefined {
  return tables.identity.get('log')?.ahead;
}

/** Inside a transaction. */
export function noteAheadNeeded(tables: LogTables, ahead: AheadNeeded | undefined): void {
  tables.identity.putSync('log', { ...tables.identity.get('log')!, ahead });
}

/** @throws LapseError `ERR_DATA_IN_USE` when somebody has taken it since */
export function checkOwner(tables: LogTables, { ownerToken, directory }: Owner): void {
  if (tables.identity.get('log')?.ownerToken === ownerToken) return;
  throw userError(
    'ERR_DATA_IN_USE',
    `The data folder must belong to one process at a time, '${directory}' was taken over by ` +
      'another one.',
  );
}
