import { userError } from '../../engine/errors/errors.ts';
import type { PartitionDefinitions } from '../../operators/partition-definitions.ts';

/** With the 256 KiB that an envelope may hold before, it fits a NATS message of 1 MiB. */
export const DEFINITION_BYTES_MAX = 640 * 1024;

/**
 * A definition goes into each partition in one record.
 * @throws LapseError `ERR_DEFINITION_TOO_LARGE` when that would fit no message of the log
 */
export function checkDefinitionSizes({ segments, campaigns }: PartitionDefinitions): void {
  for (const [kind, list] of [
    ['segments', segments],
    ['campaigns', campaigns],
  ] as const) {
    for (const one of list) {
      const bytes = Buffer.byteLength(JSON.stringify(one));
      if (bytes <= DEFINITION_BYTES_MAX) continue;
      const path = `${kind}.${one.id}`;
      throw userError(
        'ERR_DEFINITION_TOO_LARGE',
        `${path} must have at most ${DEFINITION_BYTES_MAX} bytes as a record of the log, ` +
          `got ${bytes}; its filters are too long.`,
        { path, bytes, bytesMax: DEFINITION_BYTES_MAX },
      );
    }
  }
}
