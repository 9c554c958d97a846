import { describe, expect, test } from 'vitest';
import type { Rule } from '../../../operators/definitions.ts';
import { campaignOf, PartitionHarness } from '../../support/partition-harness.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const HOUR_MS = 3_600_000;

function harnessOf(rule: Rule): PartitionHarness {
  const harness = new PartitionHarness();
  harness.define([campaignOf('c', rule)], START_MS);
  return harness;
}

describe('events that come late', () => {
  test('sequence: goes on with a step that a phone sends hours later', () => {
    const steps = [{ event: 'a' }, { event: 'b' }];
    const harness = harnessOf({ kind: 'sequence', steps, withinMs: 10_000 });
    harness.send({ name: 'a' }, START_MS + 1);
    harness.send({ name: 'b', eventAtMs: START_MS + 5_000 }, START_MS + 71 * HOUR_MS);
    expect(harness.qualifications).toHaveLength(1);
  });

  test('count: adds an event that a phone sends hours later', () => {
    const on = { event: 'a' };
    const harness = harnessOf({ kind: 'count', on, atLeast: 2, withinMs: 10_000 });
    harness.send({ name: 'a' }, START_MS + 1);
    harness.send({ name: 'a', eventAtMs: START_MS + 5_000 }, START_MS + 71 * HOUR_MS);
    expect(harness.qualifications).toHaveLength(1);
  });

  test('sequence: one event is one step, when it is both and comes late', () => {
    const steps = [{ event: 'a' }, { event: 'a' }];
    const harness = harnessOf({ kind: 'sequence', steps, withinMs: 1_000 });
    harness.send({ name: 'a' }, START_MS + 60_000);
    harness.send({ name: 'a', eventAtMs: START_MS + 1 }, START_MS + 60_001);
    expect(harness.qualifications).toEqual([]);
  });

  test('date: an older event brings no date back that a newer one has cleared', () => {
    const on = { event: 'booked' };
    const offset = { days: 0, ms: 0 };
    const rule: Rule = { kind: 'date', on, property: 'day', offset, yearly: false };
    const harness = harnessOf(rule);
    const day = new Date(START_MS + HOUR_MS).toISOString();
    harness.send({ name: 'booked', properties: { day } }, START_MS + 1);
    harness.send({ name: 'booked', eventAtMs: START_MS + 5_000 }, START_MS + 5_000);
    const properties = { day };
    harness.send({ name: 'booked', eventAtMs: START_MS + 4_000, properties }, START_MS + 6_000);
    harness.tick(START_MS + 2 * HOUR_MS);
    expect(harness.qualifications).toEqual([]);
  });

  test('date: what is due before the campaign starts is past when it is first seen', () => {
    const offset = { days: 0, ms: 0 };
    const rule: Rule = { kind: 'date', property: 'day', offset, yearly: false };
    const harness = new PartitionHarness();
    const schedule = { startAtMs: START_MS + 2 * HOUR_MS };
    harness.define([{ ...campaignOf('c', rule), schedule }], START_MS);
    harness.identify('u', { day: new Date(START_MS + HOUR_MS).toISOString() }, START_MS + 1);
    harness.tick(START_MS + 3 * HOUR_MS);
    expect(harness.qualifications).toEqual([]);
  });

  test('quiet: an activity while the campaign is paused ends the silence and begins none', () => {
    const harness = harnessOf({ kind: 'quiet', on: { event: 'a' }, forMs: 10_000 });
    harness.send({ name: 'a' }, START_MS + 1);
    harness.act('c', 'pause', START_MS + 2);
    harness.send({ name: 'a' }, START_MS + 5_000);
    harness.act('c', 'resume', START_MS + 6_000);
    harness.tick(START_MS + HOUR_MS);
    expect(harness.qualifications).toEqual([]);
  });
});
