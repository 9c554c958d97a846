import { describe, expect, test } from 'vitest';
import type { Campaign } from '../../operators/definitions.ts';
import { campaignOf, inactionOf, PartitionHarness } from '../support/partition-harness.ts';

/*
 * What a rule leaves out is counted, each with a reason of its own. An event that a rule takes
 * stands beside each one, so that a counter that counts everything fails as well.
 */
const START_MS = Date.parse('2026-01-05T09:00:00Z');
const DAY_MS = 86_400_000;

type Properties = Readonly<Record<string, unknown>>;
type Sent = readonly [name: string, properties: Properties, lateMs?: number];

const matched = inactionOf({ match: { did: 'cart', without: 'cart' } });
const sum: Campaign['rule'] = {
  kind: 'count',
  on: { event: 'did' },
  sum: { property: 'total', gte: 1_000 },
  withinMs: DAY_MS,
};
const date = {
  kind: 'date',
  on: { event: 'did' },
  property: 'at',
  offset: { days: 0, ms: 0 },
  yearly: false,
} as Campaign['rule'];

const cases: readonly [counter: string, rule: Campaign['rule'], taken: Sent[], leftOut: Sent[]][] =
  [
    ['windowsUnmatched', matched, [['did', { cart: 1 }]], [['did', {}]]],
    ['cancelsUnmatched', matched, [['without', { cart: 1 }]], [['without', {}]]],
    [
      'windowsOvertaken',
      inactionOf(),
      [['did', {}]],
      [
        ['without', {}],
        ['did', {}, 1_000],
      ],
    ],
    ['amountsUnread', sum, [['did', { total: 7 }]], [['did', { total: '7' }]]],
    ['datesUnread', date, [['did', { at: '2027-01-01' }]], [['did', { at: 'soon' }]]],
    ['datesPast', date, [['did', { at: '2027-01-01' }]], [['did', { at: '2025-01-01' }]]],
  ];

describe('what is left out is counted', () => {
  test.each(cases)('%s', (counter, rule, taken, leftOut) => {
    const harness = new PartitionHarness();
    harness.define([campaignOf('c', rule)], START_MS);
    const send = (sent: readonly Sent[], user: string, atMs: number) => {
      for (const [name, properties, lateMs = 0] of sent) {
        harness.send({ userId: user, name, properties, eventAtMs: atMs - lateMs }, atMs);
      }
    };
    const count = () => (harness.counters as unknown as Record<string, number>)[counter];
    send(taken, 'ann', START_MS + 10_000);
    expect(count()).toBe(0);
    send(leftOut, 'bob', START_MS + 20_000);
    expect(count()).toBe(1);
  });
});
