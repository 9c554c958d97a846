import { userError } from '../../engine/errors/errors.ts';
import type { PartitionDefinitions } from '../../operators/partition-definitions.ts';

/** With the 256 KiB that an envelope may hold before, it fits a NATS message of 1 MiB. */
export const DEFINITIONS_BYTES_MAX = 640 * 1024;

/**
 * Definitions go into each partition as one record.
 * @throws LapseError `ERR_DEFINITIONS_TOO_LARGE` when that record would fit no message of the log
 */
export function checkDefinitionsSize(definitions: PartitionDefinitions): void {
  const bytes = Buffer.byteLength(JSON.stringify(definitions));
  if (bytes <= DEFINITIONS_BYTES_MAX) return;
  throw userError(
    'ERR_DEFINITIONS_TOO_LARGE',
    `The definitions must have at most ${DEFINITIONS_BYTES_MAX} bytes as one record of the log, ` +
      `got ${bytes}; remove campaigns that are not used.`,
    { bytes, bytesMax: DEFINITIONS_BYTES_MAX },
  );
}
