import { expect, test } from 'vitest';
import { type DeliveryOutcome, outcomeFrom } from '../../../engine/envelope/outcomes.ts';
import { campaignOf, inactionOf, PartitionHarness } from '../../support/partition-harness.ts';

const BASE_MS = Date.parse('2026-01-05T09:00:00.000Z');
const WITHIN_MS = 600_000;

const OUTCOME: DeliveryOutcome = {
  deliveryId: 'msg_a',
  campaignId: 'c',
  userId: 'u',
  isAnonymous: true,
  kind: 'failed',
  reason: 'http-400',
  atMs: BASE_MS + 2 * WITHIN_MS,
};

/** A partition with one open window of the user whom the outcome is about. */
function harnessWithWindow(): PartitionHarness {
  const harness = new PartitionHarness();
  harness.define([campaignOf('c', inactionOf({ withinMs: WITHIN_MS }))], BASE_MS);
  harness.send({ name: 'did' }, BASE_MS + 1);
  return harness;
}

test('partition: an outcome from behind a deadline neither brings time nor fires the timer', () => {
  const harness = harnessWithWindow();
  harness.outcome(OUTCOME, OUTCOME.atMs);
  expect(harness.partition.state.timeMs).toBe(BASE_MS + 1);
  expect(harness.qualifications).toEqual([]);
  harness.send({ name: 'without' }, BASE_MS + WITHIN_MS);
  harness.tick(BASE_MS + 3 * WITHIN_MS);
  expect(harness.qualifications).toEqual([]);
});

test('partition: hands an outcome to the pipeline, with the time at which it came', () => {
  const harness = harnessWithWindow();
  const heard: unknown[] = [];
  harness.partition.pipeline.onOutcome = (outcome, atMs) => heard.push([outcome, atMs]);
  harness.outcome(OUTCOME, OUTCOME.atMs + 5);
  harness.tick(OUTCOME.atMs + 10);
  harness.outcome(OUTCOME, OUTCOME.atMs + 5);
  expect(heard).toEqual([
    [OUTCOME, OUTCOME.atMs + 5],
    [OUTCOME, OUTCOME.atMs + 10],
  ]);
});

test('partition: counts records of the intake, and no outcomes', () => {
  const harness = harnessWithWindow();
  const before = harness.partition.recordsProcessed;
  harness.outcome(OUTCOME, OUTCOME.atMs);
  expect(harness.partition.recordsProcessed).toBe(before);
});

test.each([
  null,
  [],
  ['msg_a', 'c', 'u', true, 'lost', '', 1],
  ['msg_a', 'c', 'u', true, 'sent', '', null],
])('outcome: the body %j is refused', (body) => {
  expect(() => outcomeFrom(body)).toThrow('A record of an outcome must say of which delivery');
});
