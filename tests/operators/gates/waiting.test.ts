import { describe, expect, test } from 'vitest';
import { RecordFlag, RecordKind } from '../../../engine/envelope/records.ts';
import type { Campaign } from '../../../operators/definitions.ts';
import { campaignOf, PartitionHarness } from '../../support/partition-harness.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const DELAY_MS = 10_000;
const delayed: Campaign = {
  ...campaignOf('c', { kind: 'action', on: { event: 'did' } }),
  delayMs: DELAY_MS,
};

function decisions({ reports }: PartitionHarness): string[] {
  return reports.flatMap((one) => (one.type === 'suppressed' ? [`suppressed ${one.reason}`] : []));
}

describe('candidates that wait', () => {
  test('the next gate is asked, when an edit has added one before it meanwhile', () => {
    const harness = new PartitionHarness();
    harness.define([delayed], START_MS);
    harness.send({}, START_MS + 1);
    // With a repeat limit and done-before-send the delay stands at another place of the list.
    const goal = { on: { event: 'bought' }, withinMs: 60_000 };
    harness.define([{ ...delayed, repeat: { kind: 'once' }, goal }], START_MS + 2);
    harness.send({ name: 'bought' }, START_MS + 3);
    harness.tick(START_MS + 1 + DELAY_MS);
    expect(decisions(harness)).toEqual(['suppressed done-before-send']);
    expect(harness.deliveries).toEqual([]);
  });

  test('what a repeat limit has reserved is given back, when the campaign has none any more', () => {
    const harness = new PartitionHarness();
    const once: Campaign = { ...delayed, repeat: { kind: 'once' } };
    const who: Campaign = { ...delayed, schedule: { endAtMs: START_MS + 5 } };
    harness.define([once], START_MS);
    harness.send({}, START_MS + 1);
    harness.define([who], START_MS + 2);
    harness.tick(START_MS + 1 + DELAY_MS);
    expect(decisions(harness)).toEqual(['suppressed campaign-ended']);
    harness.define([{ ...once, delayMs: 0 }], START_MS + 2 + DELAY_MS);
    harness.send({}, START_MS + 3 + DELAY_MS);
    expect(harness.deliveries).toHaveLength(1);
  });

  test('of messages that are due together, that of the first qualification goes first', () => {
    const sent = Array.from({ length: 20 }, (_, run) => {
      const harness = new PartitionHarness();
      const windows = [{ days: [1, 2, 3, 4, 5, 6, 7], fromMinute: 540, toMinute: 541 }];
      // biome-ignore lint/suspicious/noThenProperty: the word of the language; its value is a text.
      const quietHours = { windows, timezone: 'UTC', then: 'defer' as const };
      harness.define([{ ...delayed, delayMs: 0, quietHours }], START_MS);
      for (const nth of [1, 2, 3]) {
        harness.send({ messageId: `m${run}-${nth}`, properties: { nth } }, START_MS + nth);
      }
      harness.tick(START_MS + 60_000);
      return harness.deliveries.map(({ qualifiedAtMs }) => qualifiedAtMs - START_MS);
    });
    expect(new Set(sent.map(String))).toEqual(new Set(['1,2,3']));
  });

  test('a campaign that becomes a draft gives up what waits', () => {
    const harness = new PartitionHarness();
    harness.define([delayed], START_MS);
    harness.send({}, START_MS + 1);
    harness.define([{ ...delayed, state: 'draft' }], START_MS + 2);
    expect(decisions(harness)).toEqual(['suppressed not-running']);
  });

  test('a timer that another one sets fires before a record ahead of its partition', () => {
    const harness = new PartitionHarness();
    const FOR_MS = 1_000;
    const rule = { kind: 'quiet', on: { event: 'did' }, forMs: FOR_MS } as const;
    harness.define([{ ...campaignOf('c', rule), delayMs: DELAY_MS }], START_MS);
    harness.send({}, START_MS + 1);
    const dueAtMs = START_MS + 1 + FOR_MS + DELAY_MS;
    harness.send({ flags: RecordFlag.ahead, kind: RecordKind.track }, dueAtMs + 1);
    expect(harness.deliveries.map((one) => one.dueAtMs)).toEqual([dueAtMs]);
  });
});
