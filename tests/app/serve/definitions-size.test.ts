import { expect, test } from 'vitest';
import { checkDefinitionSizes, DEFINITION_BYTES_MAX } from '../../../app/serve/definitions-size.ts';
import { NO_DEFINITIONS } from '../../../operators/definitions.ts';
import type { PartitionDefinitions } from '../../../operators/partition-definitions.ts';
import { campaignOf } from '../../operators/delivery/lane-bench.ts';

/** Definitions whose one campaign has exactly so many bytes. */
function definitionsOf(bytes: number): PartitionDefinitions {
  const withName = (name: string) => campaignOf('c', { name });
  const name = 'n'.repeat(bytes - JSON.stringify(withName('')).length);
  return { ...NO_DEFINITIONS, campaigns: [withName(name)] };
}

test('definitions: the largest one is taken, one byte more is refused with a sentence', () => {
  checkDefinitionSizes(definitionsOf(DEFINITION_BYTES_MAX));
  expect(() => checkDefinitionSizes(definitionsOf(DEFINITION_BYTES_MAX + 1))).toThrow(
    `campaigns.c must have at most ${DEFINITION_BYTES_MAX} bytes as a record of the log, ` +
      `got ${DEFINITION_BYTES_MAX + 1}; its filters are too long.`,
  );
});
