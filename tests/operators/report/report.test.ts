import { describe, expect, test } from 'vitest';
import type { ReportPart } from '../../../operators/report/campaign-report.ts';
import { campaignReport } from '../../../operators/report/campaign-report.ts';
import { liftOf, wilsonInterval } from '../../../operators/report/lift.ts';
import { campaignOf, PartitionHarness } from '../../support/partition-harness.ts';

const HOUR_MS = 3_600_000;
const START_MS = Date.parse('2026-01-05T09:00:00Z');
const query = { type: 'report', campaign: 'c' };

/** Users who meet the campaign, one an hour. */
function counted(users: number): PartitionHarness {
  const harness = new PartitionHarness();
  harness.define(
    [{ ...campaignOf('c', { kind: 'action', on: { event: 'did' } }), repeat: { kind: 'once' } }],
    START_MS,
  );
  for (let i = 0; i < users; i++) {
    harness.send({ userId: `u${i}` }, START_MS + i * HOUR_MS);
    harness.send({ userId: `u${i}` }, START_MS + i * HOUR_MS + 1);
  }
  return harness;
}

function partOf(harness: PartitionHarness): ReportPart {
  return harness.partition.pipeline.describe(query) as ReportPart;
}

describe('report', () => {
  test('counts each qualification once, in its hour and in all', () => {
    const report = campaignReport('c', [partOf(counted(3))], {
      fromMs: 0,
      untilMs: Infinity,
      stepMs: HOUR_MS,
    });
    expect(report.total.qualified).toBe(6);
    expect(report.total.suppressed).toEqual({ 'repeat-limit': 3 });
    expect(report.total.queued).toBe(3);
    expect(report.steps.map(({ from, qualified }) => [from, qualified])).toEqual(
      [0, 1, 2].map((i) => [new Date(START_MS + i * HOUR_MS).toISOString(), 2]),
    );
  });

  test('a range leaves out what is before and after it', () => {
    const query = { fromMs: START_MS + HOUR_MS, untilMs: START_MS + 2 * HOUR_MS, stepMs: HOUR_MS };
    expect(campaignReport('c', [partOf(counted(3))], query).total.qualified).toBe(2);
  });

  test('partitions add up, and a campaign that nothing is known of has zeros', () => {
    const part = partOf(counted(2));
    expect(campaignReport('c', [part, part]).total.qualified).toBe(8);
    expect(campaignReport('x', []).total.qualified).toBe(0);
  });
});

describe('lift', () => {
  test('gives the intervals that are published for the method', () => {
    // Newcombe 1998, Statistics in Medicine 17:873, table II, method 10: 56/70 against 48/80.
    const lift = liftOf({ users: 70, conversions: 56 }, { users: 80, conversions: 48 })!;
    expect(lift.difference).toBeCloseTo(0.2, 10);
    expect(lift.differenceInterval.low).toBeCloseTo(0.0524, 4);
    expect(lift.differenceInterval.high).toBeCloseTo(0.3339, 4);
    // The same table: 9/10 against 3/10, and 0/10 against 0/10.
    const small = liftOf({ users: 10, conversions: 9 }, { users: 10, conversions: 3 })!;
    expect(small.differenceInterval.low).toBeCloseTo(0.1705, 4);
    expect(small.differenceInterval.high).toBeCloseTo(0.809, 3);
    const none = liftOf({ users: 10, conversions: 0 }, { users: 10, conversions: 0 })!;
    expect(none.differenceInterval.high).toBeCloseTo(0.2775, 4);
    expect(none.relative).toBeUndefined();
  });

  test('says nothing without a control group', () => {
    expect(liftOf({ users: 10, conversions: 1 }, { users: 0, conversions: 0 })).toBeUndefined();
    expect(wilsonInterval({ users: 0, conversions: 0 })).toEqual({ low: 0, high: 1 });
  });
});
