import { describe, expect, test } from 'vitest';
import type { CountRule, SequenceRule } from '../../../operators/definitions.ts';
import { campaignOf, PartitionHarness } from '../../support/partition-harness.ts';
import { Prng } from '../../support/prng.ts';

/*
 * Rules that look at several events, against models that look at all events anew each time: sorted
 * by event time, every chain and every window tried.
 */

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const REORDER_MS = 5_000;
const RUNS = 60;
const EVENTS = 80;

interface Sent {
  readonly name: string;
  readonly eventAtMs: number;
  readonly receivedAtMs: number;
  readonly amount: number;
  readonly order: number;
}

/** Events that overtake one another by less than the reorder window. */
function draw(seed: number, names: readonly string[], stepMaxMs: number): Sent[] {
  const prng = new Prng(seed);
  let atMs = START_MS;
  const events = Array.from({ length: EVENTS }, (_, order) => {
    atMs += prng.below(stepMaxMs);
    const name = names[prng.below(names.length)]!;
    const lateMs = prng.below(3) === 0 ? prng.below(REORDER_MS) : 0;
    const amount = prng.below(5);
    return { name, eventAtMs: atMs, receivedAtMs: atMs + lateMs, amount, order };
  });
  return events.sort((a, b) => a.receivedAtMs - b.receivedAtMs || a.order - b.order);
}

function inOrder(events: readonly Sent[]): Sent[] {
  return events
    .map((event, i) => [event, i] as const)
    .sort(([a, i], [b, j]) => a.eventAtMs - b.eventAtMs || i - j)
    .map(([event]) => event);
}

/** When the rule is met, by asking `metBy` of all events so far after each one. */
function expectedFires(sent: readonly Sent[], metBy: (events: readonly Sent[]) => number) {
  const at: number[] = [];
  let fired = 0;
  sent.forEach((event, i) => {
    const met = metBy(inOrder(sent.slice(0, i + 1)));
    if (met > fired) at.push(event.receivedAtMs);
    fired = Math.max(fired, met);
  });
  return at;
}

function firesOf(rule: SequenceRule | CountRule, sent: readonly Sent[]): number[] {
  const harness = new PartitionHarness();
  harness.define([campaignOf('c', rule)], START_MS - 1);
  for (const { name, eventAtMs, receivedAtMs, amount, order } of sent) {
    harness.send({ name, eventAtMs, messageId: `m${order}`, properties: { amount } }, receivedAtMs);
  }
  return harness.qualifications.map(({ atMs }) => atMs);
}

/** Every chain of one event a step, tried one after the other. */
function chainsMet(events: readonly Sent[], steps: readonly string[], withinMs: number): number {
  let met = 0;
  let from = 0;
  for (let last = 0; last < events.length; last++) {
    const endsHere = (step: number, at: number): boolean => {
      if (events[at]!.name !== steps[step]) return false;
      if (step === 0) return events[last]!.eventAtMs - events[at]!.eventAtMs <= withinMs;
      for (let before = from; before < at; before++) if (endsHere(step - 1, before)) return true;
      return false;
    };
    if (!endsHere(steps.length - 1, last)) continue;
    met++;
    from = last + 1;
  }
  return met;
}

/** Every window of enough events that are not used up. */
function windowsMet(events: readonly Sent[], rule: CountRule): number {
  let met = 0;
  let unused: Sent[] = [];
  for (const event of events) {
    unused.push(event);
    const inTime = unused.filter(({ eventAtMs }) => event.eventAtMs - eventAtMs <= rule.withinMs);
    const { atLeast, sum } = rule;
    const isMet =
      sum === undefined
        ? inTime.length >= atLeast!
        : inTime.reduce((total, { amount }) => total + amount, 0) >= sum.gte;
    if (!isMet) continue;
    met++;
    const used = new Set(sum === undefined ? inTime.slice(-atLeast!) : inTime);
    unused = unused.filter((one) => !used.has(one));
  }
  return met;
}

describe('rules over several events', () => {
  test('a sequence is met whenever a chain exists, in whatever order its events come', () => {
    for (let seed = 1; seed <= RUNS; seed++) {
      const steps = seed % 2 === 0 ? ['a', 'b'] : ['a', 'b', 'a', 'c'];
      const withinMs = 10_000 + (seed % 5) * 7_000;
      const sent = draw(seed, ['a', 'b', 'c', 'x'], 6_000);
      const rule: SequenceRule = {
        kind: 'sequence',
        steps: steps.map((event) => ({ event })),
        withinMs,
      };
      const wanted = expectedFires(sent, (events) => chainsMet(events, steps, withinMs));
      expect(firesOf(rule, sent), `seed ${seed}`).toEqual(wanted);
    }
  });

  test('a count is met by every N inside the window, and uses them up', () => {
    for (let seed = 1; seed <= RUNS; seed++) {
      const rule: CountRule = {
        kind: 'count',
        on: { event: 'a' },
        atLeast: 1 + (seed % 4),
        withinMs: 3_000 + (seed % 7) * 4_000,
      };
      const sent = draw(seed, ['a'], 5_000);
      const wanted = expectedFires(sent, (events) => windowsMet(events, rule));
      expect(firesOf(rule, sent), `seed ${seed}`).toEqual(wanted);
    }
  });

  test('a sum is met when the window holds enough, and uses all of it up', () => {
    for (let seed = 1; seed <= RUNS; seed++) {
      const rule: CountRule = {
        kind: 'count',
        on: { event: 'a' },
        sum: { property: 'amount', gte: 6 + (seed % 5) },
        withinMs: 5_000 + (seed % 7) * 4_000,
      };
      const sent = draw(seed, ['a'], 4_000);
      const wanted = expectedFires(sent, (events) => windowsMet(events, rule));
      expect(firesOf(rule, sent), `seed ${seed}`).toEqual(wanted);
    }
  });
});
