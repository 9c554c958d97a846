import { expect, test } from 'vitest';
import {
  checkDefinitionsSize,
  DEFINITIONS_BYTES_MAX,
} from '../../../app/serve/definitions-size.ts';
import type { Definitions } from '../../../operators/definitions.ts';
import { campaignOf } from '../../operators/delivery/lane-bench.ts';

/** Definitions of exactly so many bytes. */
function definitionsOf(bytes: number): Definitions {
  const withName = (name: string) =>
    ({ webhooks: [], campaigns: [campaignOf('c', { name })] }) as unknown as Definitions;
  return withName('n'.repeat(bytes - JSON.stringify(withName('')).length));
}

test('definitions: the largest record is taken, one byte more is refused with a sentence', () => {
  checkDefinitionsSize(definitionsOf(DEFINITIONS_BYTES_MAX));
  expect(() => checkDefinitionsSize(definitionsOf(DEFINITIONS_BYTES_MAX + 1))).toThrow(
    `The definitions must have at most ${DEFINITIONS_BYTES_MAX} bytes as one record of the log, ` +
      `got ${DEFINITIONS_BYTES_MAX + 1}; remove campaigns that are not used.`,
  );
});
