import { describe, expect, test } from 'vitest';
import { ALL_CAUSES, type Cause, factsOf } from '../../../engine/health/causes.ts';
import {
  applyReport,
  type ConditionReport,
  Conditions,
  reportingTo,
} from '../../../engine/health/conditions.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';

const START_MS = 1_000;
const AFTERWARDS_MS = 2_000;

function stage() {
  const clock = new ManualClock(START_MS);
  const told: string[] = [];
  const conditions = new Conditions(clock, {
    began: ({ cause, where, message }) => told.push(`${cause} ${where}: ${message}`),
    over: ({ cause }, ms) => told.push(`${cause} over after ${ms}`),
  });
  return { clock, told, conditions, open: () => conditions.open().map(({ cause }) => cause) };
}

describe('a condition', () => {
  test('is told once when it begins and once when it is over, however often it is said', () => {
    const { clock, told, conditions } = stage();
    const reporter = conditions.from('a');
    for (let i = 0; i < 100; i++) reporter.begin('log-full', '', `The disk is full, try ${i}.`);
    expect(conditions.open()).toMatchObject([
      { cause: 'log-full', sinceMs: START_MS, message: 'The disk is full, try 99.' },
    ]);
    clock.advanceTo(START_MS + 700);
    for (let i = 0; i < 3; i++) reporter.over('log-full', '');
    expect(told).toEqual(['log-full : The disk is full, try 0.', 'log-full over after 700']);
    expect(conditions.open()).toEqual([]);
  });

  test('that several say is over when the last of them says so', () => {
    const { told, conditions, open } = stage();
    for (const source of ['a', 'b']) conditions.from(source).begin('nats-away', '', source);
    conditions.from('a').over('nats-away', '');
    conditions.from('c').over('nats-away', '');
    expect(open()).toEqual(['nats-away']);
    expect(conditions.isSaidBy('a', 'nats-away')).toBe(false);
    expect(conditions.isSaidBy('b', 'nats-away')).toBe(true);
    conditions.from('b').over('nats-away', '');
    expect(told).toEqual(['nats-away : a', 'nats-away over after 0']);
    expect(conditions.begunCount('nats-away')).toBe(1);
  });

  test('of two places is two', () => {
    const { conditions } = stage();
    const reporter = conditions.from('sender');
    reporter.begin('sender-stuck', 'webhook a', 'a');
    reporter.begin('sender-stuck', 'webhook b', 'b');
    reporter.over('sender-stuck', 'webhook a');
    expect(conditions.open().map(({ where }) => where)).toEqual(['webhook b']);
  });

  test('that follows from another is told only when it outlives it', () => {
    const { clock, told, conditions, open } = stage();
    const reporter = conditions.from('a');
    reporter.begin('nats-away', '', 'away');
    reporter.begin('log-unavailable', '', 'no answer');
    reporter.begin('timers-late', '', 'late');
    expect(open()).toEqual(['nats-away']);
    reporter.over('timers-late', '');
    reporter.over('nats-away', '');
    expect(open()).toEqual(['log-unavailable']);
    expect(told).toHaveLength(2);
    clock.advanceTo(START_MS + AFTERWARDS_MS);
    expect(told).toEqual([
      'nats-away : away',
      'nats-away over after 0',
      'log-unavailable : no answer',
    ]);
  });

  test('that followed from another and ends soon after it is not told', () => {
    const { clock, told, conditions } = stage();
    const reporter = conditions.from('a');
    reporter.begin('nats-away', '', 'away');
    reporter.begin('door-behind', '', 'behind');
    reporter.begin('timers-late', '', 'late');
    clock.advanceTo(START_MS + 60_000);
    reporter.over('nats-away', '');
    clock.advanceTo(START_MS + 60_000 + AFTERWARDS_MS - 1);
    reporter.over('door-behind', '');
    reporter.over('timers-late', '');
    clock.advanceTo(START_MS + 90_000);
    expect(told).toEqual(['nats-away : away', 'nats-away over after 60000']);
  });

  test('that was told before its cause stays', () => {
    const { conditions, open } = stage();
    const reporter = conditions.from('a');
    reporter.begin('log-unavailable', '', 'no answer');
    reporter.begin('nats-away', '', 'away');
    expect(open()).toEqual(['log-unavailable', 'nats-away']);
  });

  test('that is mostly short counts at once and is told when it lasts', () => {
    const { clock, told, conditions } = stage();
    const reporter = conditions.from('a');
    const quietMs = factsOf('door-behind').quietMs!;
    reporter.begin('door-behind', '', 'behind');
    expect(conditions.blocking()).toHaveLength(1);
    reporter.over('door-behind', '');
    clock.advanceTo(START_MS + quietMs);
    expect(told).toEqual([]);
    reporter.begin('door-behind', '', 'behind');
    clock.advanceTo(START_MS + 2 * quietMs);
    expect(told).toEqual(['door-behind : behind']);
  });

  test('that stops nothing does not block', () => {
    const { conditions } = stage();
    conditions.from('a').begin('checkpoints-failing', '', 'The disk is full.');
    expect(conditions.open()).toHaveLength(1);
    expect(conditions.blocking()).toEqual([]);
  });

  test('crosses a thread when it changes, and not when it is repeated', () => {
    const { conditions, open } = stage();
    const posted: ConditionReport[] = [];
    const reporter = reportingTo((report) => posted.push(report));
    reporter.over('log-full', '');
    for (let i = 0; i < 5; i++) reporter.begin('log-full', '', 'full');
    expect(posted).toEqual([{ cause: 'log-full', where: '', message: 'full' }]);
    reporter.over('log-full', '');
    for (const report of posted.slice(0, 1)) applyReport(conditions.from('worker'), report);
    expect(open()).toEqual(['log-full']);
    for (const report of posted.slice(1)) applyReport(conditions.from('worker'), report);
    expect(open()).toEqual([]);
  });
});

test('causes: no two follow from each other, so that one of them is always told', () => {
  const isAbove = (cause: Cause, other: string) =>
    (factsOf(cause).followsFrom ?? []).includes(other);
  const rings = ALL_CAUSES.flatMap((cause) =>
    ALL_CAUSES.filter((other) => isAbove(cause, other) && isAbove(other, cause)).map(
      (other) => `${cause} and ${other}`,
    ),
  );
  expect(rings).toEqual([]);
});
