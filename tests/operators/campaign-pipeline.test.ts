import { describe, expect, test } from 'vitest';
import { EnvelopeReader } from '../../engine/envelope/envelope-reader.ts';
import { RecordFlag, RecordKind } from '../../engine/envelope/records.ts';
import type { Campaign, PayloadField } from '../../operators/definitions.ts';
import { OPEN_WINDOWS_MAX, RESTARTS_MAX } from '../../operators/rules/inaction/windows.ts';
import { campaignOf, inactionOf, PartitionHarness } from '../support/partition-harness.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const WITHIN_MS = 600_000;
const DAY_MS = 86_400_000;
const inaction = campaignOf('c', inactionOf({ withinMs: WITHIN_MS }));
const action = campaignOf('act', { kind: 'action', on: { event: 'did' } });

function defined(...campaigns: Campaign[]): PartitionHarness {
  const harness = new PartitionHarness();
  harness.define(campaigns, START_MS);
  return harness;
}

/** Brings time far enough for every window; who qualified, in order. */
function outcome(harness: PartitionHarness): string[] {
  harness.tick(Math.max(harness.partition.state.timeMs, START_MS) + DAY_MS);
  expect(harness.partition.state.windows.count).toBe(0);
  return harness.qualifications.map(
    ({ campaignId, userId, atMs }) => `${campaignId} ${userId} ${atMs - START_MS}`,
  );
}

/** A restart at this very point. */
function restart(harness: PartitionHarness): void {
  const { partition } = harness;
  const frozen = structuredClone({
    state: partition.state.freeze(),
    pipeline: JSON.parse(JSON.stringify(partition.pipeline.freeze())) as unknown,
    offset: partition.offset,
  });
  harness.restore(() => frozen);
}

describe('publication', () => {
  test('an event from before it does not trigger, a without from then on cancels (E16)', () => {
    const harness = defined(inaction, action);
    harness.send({ eventAtMs: START_MS - 1 }, START_MS + 1);
    expect(harness.counters.windowsOpened).toBe(0);
    harness.send({ eventAtMs: START_MS }, START_MS + 2);
    expect(harness.counters.windowsOpened).toBe(1);
    harness.send({ name: 'without', eventAtMs: START_MS + 1 }, START_MS + 3);
    expect(outcome(harness)).toEqual(['act u 2']);
  });

  test('a draft does nothing until it is published, and counts from then on', () => {
    const harness = defined({ ...inaction, state: 'draft' });
    harness.send({}, START_MS + 1);
    harness.publish('c', START_MS + 10);
    harness.send({ userId: 'late', eventAtMs: START_MS + 9 }, START_MS + 11);
    harness.send({ userId: 'v' }, START_MS + 12);
    harness.publish('unknown', START_MS + 13);
    expect(outcome(harness)).toEqual([`c v ${12 + WITHIN_MS}`]);
  });

  test('unchanged definitions, applied again, keep windows and the time of publication', () => {
    const harness = defined(inaction);
    harness.send({}, START_MS + 10);
    harness.define([{ ...inaction, name: 'another name' }, action], START_MS + 100);
    harness.send({ userId: 'v', eventAtMs: START_MS + 20 }, START_MS + 101);
    expect(outcome(harness)).toEqual([`c u ${10 + WITHIN_MS}`, `c v ${20 + WITHIN_MS}`]);
  });

  test('open windows of a changed rule run out by the old one, new ones open by the new', () => {
    const harness = defined(inaction);
    harness.send({ userId: 'old' }, START_MS + 10);
    harness.send({ userId: 'cancelled' }, START_MS + 10);
    const rule = inactionOf({ withinMs: 1_000, without: [{ event: 'other' }] });
    harness.define([campaignOf('c', rule)], START_MS + 100);
    restart(harness);
    harness.send({ userId: 'new' }, START_MS + 110);
    harness.send({ userId: 'gone' }, START_MS + 110);
    harness.send({ userId: 'gone', name: 'other' }, START_MS + 120);
    harness.send({ userId: 'cancelled', name: 'without' }, START_MS + 120);
    harness.send({ userId: 'old', name: 'other' }, START_MS + 120);
    expect(outcome(harness)).toEqual([`c new ${110 + 1_000}`, `c old ${10 + WITHIN_MS}`]);
  });

  test('windows of a removed campaign are dropped and counted', () => {
    const harness = defined(inaction);
    harness.send({}, START_MS + 10);
    harness.define([], START_MS + 100);
    expect(outcome(harness)).toEqual([]);
    expect(harness.counters).toMatchObject({ windowsDropped: 1, windowsFired: 0 });
  });

  test('they stay dropped when the campaign comes back: a without may have passed unseen', () => {
    const harness = defined(inaction);
    harness.send({}, START_MS + 10);
    harness.define([], START_MS + 100);
    harness.send({ name: 'without' }, START_MS + 200);
    restart(harness);
    harness.define([inaction], START_MS + 300);
    harness.send({ userId: 'v' }, START_MS + 310);
    expect(outcome(harness)).toEqual([`c v ${310 + WITHIN_MS}`]);
    expect(harness.counters.windowsDropped).toBe(1);
  });

  test('a campaign that is made a draft again sends nothing', () => {
    const harness = defined(inaction);
    harness.send({}, START_MS + 10);
    harness.define([{ ...inaction, state: 'draft' }], START_MS + 100);
    expect(outcome(harness)).toEqual([]);
    expect(harness.counters.windowsDropped).toBe(1);
  });

  test('a rule is not cancelled by what overtook the did of another that had its number', () => {
    const harness = defined(inaction);
    // Its clock is ahead.
    harness.send({ name: 'without', eventAtMs: START_MS + 3_000 }, START_MS + 1_000);
    harness.define([], START_MS + 1_100);
    harness.define([{ ...inaction, id: 'other' }], START_MS + 1_200);
    harness.send({}, START_MS + 1_300);
    expect(outcome(harness)).toEqual([`other u ${1_300 + WITHIN_MS}`]);
  });

  test('a restart forgets nothing and remembers no more than the run did', () => {
    const run = (restarts: boolean) => {
      const harness = defined(inaction);
      harness.send({}, START_MS + 10);
      harness.define(
        [campaignOf('c', inactionOf({ did: { event: 'new' }, without: [] }))],
        START_MS + 20,
      );
      harness.send({ name: 'without' }, START_MS + 30);
      if (restarts) restart(harness);
      harness.send({ name: 'without', messageId: 'again' }, START_MS + 40);
      harness.define(
        [campaignOf('w', { kind: 'action', on: { event: 'without' } })],
        START_MS + 50,
      );
      harness.send({ name: 'without', messageId: 'again' }, START_MS + 60);
      return [outcome(harness), harness.counters.duplicates];
    };
    expect(run(true)).toEqual(run(false));
  });
});

describe('events', () => {
  test('one that is history only cancels and does nothing else', () => {
    const harness = defined(inaction, action);
    harness.send({}, START_MS + 10);
    const flags = RecordFlag.historyOnly;
    harness.send({ userId: 'v', flags }, START_MS + 20);
    harness.send({ name: 'without', flags, eventAtMs: START_MS + 15 }, START_MS + 30);
    expect(outcome(harness)).toEqual(['act u 10']);
    expect(harness.counters.historyOnly).toBe(2);
  });

  test('a message id seen before for that user is counted and ignored, for others it is new', () => {
    const harness = defined(action);
    harness.send({ messageId: 'm' }, START_MS + 1);
    harness.send({ messageId: 'm' }, START_MS + 2);
    harness.send({ messageId: 'm', userId: 'v' }, START_MS + 3);
    harness.send({ messageId: 'm', isAnonymous: true }, START_MS + 4);
    harness.send({ messageId: 'm' }, START_MS + 3 * DAY_MS);
    expect(harness.qualifications).toHaveLength(4);
    expect(harness.counters.duplicates).toBe(1);
  });

  test('a message id that is the user id as well names an event of its own', () => {
    const harness = defined(action);
    // Of 32 bits only, so many fingerprints would fall together a dozen times.
    const users = 40_000;
    for (let i = 0; i < users; i++) {
      harness.send({ userId: `b-${i}`, messageId: `b-${i}` }, START_MS + 1);
    }
    expect(harness.counters.duplicates).toBe(0);
    expect(harness.qualifications).toHaveLength(users);
  });

  test('names compare without case and spaces (E74)', () => {
    const harness = defined(campaignOf('c', { kind: 'action', on: { event: 'Added To  Cart' } }));
    for (const name of ['addedtocart', 'ADDED TO CART', ' added\tto cart ', 'added-to-cart']) {
      harness.send({ name }, START_MS + 1);
    }
    expect(harness.qualifications).toHaveLength(3);
  });

  test('what nobody asks about, or only a name decides, is not unpacked', () => {
    const harness = defined(inaction);
    let decoded = 0;
    const { propertiesOf } = EnvelopeReader.prototype;
    EnvelopeReader.prototype.propertiesOf = function (i) {
      decoded++;
      return propertiesOf.call(this, i);
    };
    try {
      harness.send({ name: 'unasked' }, START_MS + 1);
      harness.send({ properties: { a: 1 } }, START_MS + 2);
      harness.send({ name: 'without' }, START_MS + 3);
      harness.send({ properties: { a: 2 } }, START_MS + 4);
      expect(outcome(harness)).toHaveLength(1);
    } finally {
      EnvelopeReader.prototype.propertiesOf = propertiesOf;
    }
    expect(decoded).toBe(0);
  });

  test('one that is both did and without cancels first and then opens', () => {
    const both = inactionOf({ withinMs: WITHIN_MS, without: [{ event: 'did' }] });
    const harness = defined(campaignOf('c', both));
    harness.send({}, START_MS + 1);
    harness.send({}, START_MS + 100);
    expect(outcome(harness)).toEqual([`c u ${100 + WITHIN_MS}`]);
    expect(harness.counters).toMatchObject({ windowsOpened: 2, windowsCancelled: 1 });
  });
});

describe('windows', () => {
  test(`a user has at most ${OPEN_WINDOWS_MAX} of a campaign, a further one is counted`, () => {
    const parallel = inactionOf({ withinMs: WITHIN_MS, onRepeat: 'parallel' });
    const harness = defined(campaignOf('c', parallel), campaignOf('d', parallel));
    for (let i = 1; i <= OPEN_WINDOWS_MAX + 1; i++) harness.send({}, START_MS + i);
    harness.send({ userId: 'v' }, START_MS + 50);
    expect(harness.counters.windowsRefused).toBe(2);
    expect(outcome(harness)).toHaveLength(2 * (OPEN_WINDOWS_MAX + 1));
    const ids = new Set(harness.deliveries.map(({ id }) => id));
    expect(ids.size).toBe(2 * (OPEN_WINDOWS_MAX + 1));
  });

  test(`after ${RESTARTS_MAX} restarts it is left to run out`, () => {
    const rule = inactionOf({ withinMs: WITHIN_MS, maxExtendMs: DAY_MS });
    const harness = defined(campaignOf('c', rule));
    const beyond = 5;
    for (let i = 0; i <= RESTARTS_MAX + beyond; i++) harness.send({}, START_MS + i);
    expect(harness.counters.restartsCapped).toBe(beyond);
    expect(outcome(harness)).toEqual([`c u ${RESTARTS_MAX + WITHIN_MS}`]);
  });

  test('restarts do not prolong it beyond maxExtend', () => {
    const rule = inactionOf({ withinMs: WITHIN_MS, maxExtendMs: 2 * WITHIN_MS });
    const harness = defined(campaignOf('c', rule));
    for (let i = 0; i < 4; i++) harness.send({}, START_MS + (i * WITHIN_MS) / 2);
    harness.tick(START_MS + 2 * WITHIN_MS);
    expect(harness.qualifications.map(({ atMs }) => atMs)).toEqual([START_MS + 2 * WITHIN_MS]);
  });

  test('grace delays the firing, and only lets a without count whose own time is within', () => {
    const graceMs = 60_000;
    const rule = inactionOf({ withinMs: WITHIN_MS, graceMs });
    const harness = defined(campaignOf('c', rule));
    for (const userId of ['early', 'late', 'none']) harness.send({ userId }, START_MS);
    const name = 'without';
    const receivedAtMs = START_MS + WITHIN_MS + graceMs;
    harness.send({ name, userId: 'early', eventAtMs: START_MS + WITHIN_MS }, receivedAtMs);
    harness.send({ name, userId: 'late', eventAtMs: START_MS + WITHIN_MS + 1 }, receivedAtMs);
    expect(outcome(harness)).toEqual([
      `c late ${WITHIN_MS + graceMs}`,
      `c none ${WITHIN_MS + graceMs}`,
    ]);
  });

  test('what is due together fires by user, then by campaign', () => {
    const rule = inactionOf({ withinMs: WITHIN_MS });
    const harness = defined(campaignOf('z', rule), campaignOf('a', rule), campaignOf('m', rule));
    for (const userId of ['v', 'ü', 'u', 'u10', 'u2', 'U']) harness.send({ userId }, START_MS);
    harness.send({ userId: 'aa' }, START_MS + 1);
    restart(harness);
    const users = ['U', 'u', 'u10', 'u2', 'v', 'ü'];
    expect(outcome(harness)).toEqual([
      ...users.flatMap((user) => ['a', 'm', 'z'].map((id) => `${id} ${user} ${WITHIN_MS}`)),
      ...['a', 'm', 'z'].map((id) => `${id} aa ${WITHIN_MS + 1}`),
    ]);
  });
});

describe('payload', () => {
  const fields: PayloadField[] = [
    'email',
    'identity',
    'objectId',
    'profileData',
    'eventProperties',
    'pushToken',
  ];
  const full = { ...inaction, content: { ...inaction.content, fields } };
  const bodyOf = (harness: PartitionHarness, i = 0) =>
    JSON.parse(harness.deliveries[i]!.body) as Record<string, unknown>;

  test('has the names of the sample, with the profile as it stands when the rule is met', () => {
    const harness = defined(full);
    harness.identify('u', { email: 'a@b.c', plan: 'free', city: 'Paris' }, START_MS);
    harness.send({ properties: { cart: 7, nested: { a: [1] } } }, START_MS + 10);
    const later = { plan: 'pro', city: null, pushToken: 'p', anonymousId: 'dev-1' };
    harness.identify('u', later, START_MS + 20);
    outcome(harness);
    harness.identify('u', { plan: 'gone' }, START_MS + 2 * DAY_MS);
    expect(bodyOf(harness)).toEqual({
      Email: 'a@b.c',
      Identity: 'u',
      ObjectId: 'dev-1',
      ProfileData: { plan: 'pro' },
      Event_properties: { cart: 7, nested: { a: [1] } },
      Push_token: 'p',
    });
    expect(Object.keys(bodyOf(harness))).toEqual([
      'Email',
      'Identity',
      'ObjectId',
      'ProfileData',
      'Event_properties',
      'Push_token',
    ]);
  });

  test('leaves out what the user has not; an anonymous one has an ObjectId only', () => {
    const harness = defined(full);
    harness.send({ userId: 'known' }, START_MS);
    harness.send({ userId: 'anon', isAnonymous: true }, START_MS + 1);
    outcome(harness);
    expect([bodyOf(harness, 0), bodyOf(harness, 1)]).toEqual([
      { Identity: 'known' },
      { ObjectId: 'anon' },
    ]);
  });

  test('a profile that is too large is refused and counted, and stops nothing', () => {
    const harness = defined(full);
    for (let i = 0; i < 4; i++) {
      harness.identify('u', { [`p${i}`]: 'x'.repeat(30_000) }, START_MS + i);
    }
    expect(harness.counters.profilesRefused).toBe(2);
    harness.send({}, START_MS + 10);
    expect(outcome(harness)).toHaveLength(1);
  });

  test('properties of more shapes than a partition numbers come out as they went in', () => {
    const harness = defined({ ...action, content: full.content }, full);
    const { shapes } = harness.partition.state;
    for (let i = 0; i < 60_000; i++) shapes.numberOf([`filler${i}`]);
    const properties = { b: { toJSON: 1, deep: [null, 'é'] }, ['__proto__']: 5, '7': -1.5, '': 0 };
    harness.send({ properties }, START_MS + 1);
    outcome(harness);
    const [direct, kept] = [bodyOf(harness, 0), bodyOf(harness, 1)];
    expect(JSON.stringify(kept)).toBe(JSON.stringify(direct));
    expect(JSON.stringify(kept.Event_properties)).toBe(JSON.stringify(properties));
  });

  test('an identify counts for no rule, a kind apart from track does by its name', () => {
    const harness = defined(action);
    harness.send({ kind: RecordKind.identify, name: '' }, START_MS + 1);
    expect(harness.qualifications).toHaveLength(0);
  });
});

describe('ids', () => {
  test('are equal in a replay and through a restart, and different for different windows', () => {
    const run = (restarts: boolean) => {
      const harness = defined(inaction, action);
      for (let i = 0; i < 30; i++) {
        harness.send({ userId: `u${i % 10}`, messageId: `m${i}` }, START_MS + i * 100_000);
        harness.send(
          { userId: `u${i % 10}`, isAnonymous: true, messageId: `m${i}` },
          START_MS + i * 100_000,
        );
        if (restarts && i % 7 === 0) restart(harness);
      }
      outcome(harness);
      return harness.deliveries.map(({ id }) => id);
    };
    const ids = run(false);
    expect(run(true)).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(60);
  });
});
