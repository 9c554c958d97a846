import { expect, test } from 'vitest';
import { campaignOf, inactionOf, PartitionHarness } from '../../support/partition-harness.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const WITHIN_MS = 10_000;
const AHEAD_MS = 20_000;

/** Ms after the start at which windows have fired, each repeat sent after a recovery or not. */
function firedAfter(ahead: 'first' | 'second', isRecovered: boolean): number[] {
  const harness = new PartitionHarness();
  harness.define([campaignOf('c', inactionOf({ withinMs: WITHIN_MS }))], START_MS);
  const now = () => harness.send({ eventAtMs: START_MS + 1 }, START_MS + 1);
  // From a device whose clock is ahead by more than the window is long.
  const later = () => harness.send({ eventAtMs: START_MS + AHEAD_MS }, START_MS + 1);
  if (ahead === 'second') now();
  later();
  if (ahead === 'first') now();
  if (isRecovered) {
    harness.restore(({ state, pipeline, offset }) => {
      const frozen = structuredClone({ state: state.freeze(), pipeline: pipeline.freeze() });
      return { ...frozen, offset };
    });
  }
  harness.send({ eventAtMs: START_MS + 1_000 }, START_MS + 1_000);
  harness.tick(START_MS + 10 * AHEAD_MS);
  return harness.qualifications.map(({ atMs }) => atMs - START_MS);
}

test.each([false, true])('of two windows a repeat restarts the earlier, recovered: %s', (is) => {
  expect(firedAfter('second', is)).toEqual([1_000 + WITHIN_MS, AHEAD_MS + WITHIN_MS]);
});

test.each([false, true])('one ahead of its time keeps those before it, recovered: %s', (is) => {
  expect(firedAfter('first', is)).toEqual([AHEAD_MS + WITHIN_MS]);
});
