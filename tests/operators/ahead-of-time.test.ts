/** A user's own time, where something on its way holds that of his partition (decision 0005). */
import { describe, expect, test } from 'vitest';
import { RecordFlag, RecordKind } from '../../engine/envelope/records.ts';
import { campaignOf, inactionOf, PartitionHarness } from '../support/partition-harness.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const WITHIN_MS = 600_000;
const { ahead } = RecordFlag;

function aPartition(publishedAtMs = START_MS): PartitionHarness {
  const harness = new PartitionHarness();
  harness.define([campaignOf('c', inactionOf({ withinMs: WITHIN_MS }))], publishedAtMs);
  return harness;
}

/** When, since the start, and with which plan in the profile. */
function fired({ deliveries }: PartitionHarness): unknown[] {
  return deliveries.map(({ userId, qualifiedAtMs, body }) => {
    const { ProfileData } = JSON.parse(body) as { ProfileData?: { plan: string } };
    return [userId, qualifiedAtMs - START_MS, ProfileData?.plan];
  });
}

describe('an event ahead of its partition', () => {
  test('comes behind what was due of its user before it, and before what was not', () => {
    const harness = aPartition();
    harness.send({ userId: 'u' }, START_MS);
    harness.send({ userId: 'other' }, START_MS);
    const plan = (name: string, atMs: number) =>
      harness.send(
        { kind: RecordKind.identify, name: '', properties: { plan: name }, flags: ahead },
        START_MS + atMs,
      );
    plan('at the deadline', WITHIN_MS);
    expect(fired(harness)).toEqual([]);
    plan('too late', WITHIN_MS + 1);
    expect(fired(harness)).toEqual([['u', WITHIN_MS, 'at the deadline']]);
    expect(harness.partition.state.timeMs).toBe(START_MS);
    harness.tick(START_MS + WITHIN_MS);
    expect(fired(harness)[1]).toEqual(['other', WITHIN_MS, undefined]);
  });

  test.each([
    [0, []],
    [1, [['u', 10, undefined]]],
  ])('of a backlog cancels what it would have, %d ms after its did', (laterMs, outcome) => {
    const longAgoMs = START_MS - 2 * WITHIN_MS;
    const harness = aPartition(longAgoMs);
    const late = (name: string, eventAtMs: number, receivedAtMs: number) =>
      harness.send({ name, eventAtMs, flags: ahead }, START_MS + receivedAtMs);
    harness.tick(START_MS);
    late('did', longAgoMs, 10);
    // Others go on meanwhile, and what was over when it opened does not fire with them.
    harness.send({ userId: 'other', name: 'without' }, START_MS + 5);
    late('without', longAgoMs + 1, 10 + laterMs);
    harness.tick(START_MS + 20);
    expect(fired(harness)).toEqual(outcome);
  });

  test('of an action qualifies at the time of its receipt', () => {
    const harness = new PartitionHarness();
    harness.define([campaignOf('c', { kind: 'action', on: { event: 'did' } })], START_MS);
    harness.send({ flags: ahead }, START_MS + 7);
    expect(fired(harness)).toEqual([['u', 7, undefined]]);
    expect(harness.partition.state.timeMs).toBe(START_MS);
  });
});
