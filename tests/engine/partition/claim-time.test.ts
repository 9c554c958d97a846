import { expect, test } from 'vitest';
import { campaignOf, inactionOf, PartitionHarness } from '../../support/partition-harness.ts';

const WITHIN_MS = 1_000;
const PUBLISHED_AT_MS = 1_700_000_000_000;
const OPENED_AT_MS = PUBLISHED_AT_MS + 1;
const BOUGHT_AT_MS = OPENED_AT_MS + WITHIN_MS;
/** The process was down over the deadline. */
const CLAIMED_AT_MS = BOUGHT_AT_MS + 60_000;

function event(name: string, atMs: number) {
  return { user: 'u', name, messageId: name, eventAtMs: atMs, receivedAtMs: atMs };
}

test('a claim: brings no time, so what waited at a door since before it still cancels', () => {
  const harness = new PartitionHarness();
  harness.define([campaignOf('c', inactionOf({ withinMs: WITHIN_MS }))], PUBLISHED_AT_MS);
  harness.event(event('did', OPENED_AT_MS));
  harness.claim(CLAIMED_AT_MS);
  expect(harness.partition.state.timeMs).toBe(OPENED_AT_MS);
  harness.event(event('without', BOUGHT_AT_MS));
  harness.tick(CLAIMED_AT_MS);
  expect(harness.qualifications).toEqual([]);
});
