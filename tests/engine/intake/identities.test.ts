import { describe, expect, test } from 'vitest';
import { type IncomingEvent, RecordKind } from '../../../engine/envelope/records.ts';
import { Identities, type Join } from '../../../engine/intake/identities.ts';
import type { UserId } from '../../../engine/state/alias-table.ts';
import { Prng } from '../../support/prng.ts';
import { anEvent } from './intake-records.ts';

const NOW_MS = Date.parse('2026-01-05T09:00:00Z');
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const anon = (id: string): UserId => ({ id, isAnonymous: true });
const known = (id: string): UserId => ({ id, isAnonymous: false });

function identify(to: UserId, ...joins: UserId[]): IncomingEvent {
  return anEvent({
    kind: RecordKind.identify,
    userId: to.id,
    isAnonymous: to.isAnonymous,
    joins,
  });
}

/** Who an event by an id belongs to, when it is too new to have been seen before a join. */
function ownerOf(identities: Identities, id: UserId, atMs = NOW_MS): UserId {
  const eventAtMs = atMs + 2 * DAY_MS;
  const event = anEvent({ userId: id.id, isAnonymous: id.isAnonymous, eventAtMs });
  expect(identities.settle(event, eventAtMs - 1)).toBeUndefined();
  return { id: event.userId, isAnonymous: event.isAnonymous };
}

describe('who is who', () => {
  test('a join is told once, and later events of the id are the one user’s', () => {
    const identities = new Identities();
    const event = identify(known('ann'), anon('a1'));
    const join = { from: anon('a1'), to: known('ann'), joinedAtMs: NOW_MS };
    expect(identities.join(event, NOW_MS)).toEqual([join]);
    expect(identities.join(event, NOW_MS + 1)).toEqual([]);
    expect(ownerOf(identities, anon('a1'))).toEqual(known('ann'));
    expect(ownerOf(identities, known('a1'))).toEqual(known('a1'));
    expect(identities.count).toBe(1);
  });

  test('an id that joins itself joins nothing', () => {
    const identities = new Identities();
    expect(identities.join(identify(known('ann'), known('ann')), NOW_MS)).toEqual([]);
    identities.join(identify(known('ann'), known('old')), NOW_MS);
    expect(identities.join(identify(known('old'), known('ann')), NOW_MS)).toEqual([]);
    expect(ownerOf(identities, known('ann'))).toEqual(known('ann'));
  });

  test('a join to an id that is another’s by now goes to that one', () => {
    const identities = new Identities();
    identities.join(identify(known('new'), known('old')), NOW_MS);
    expect(identities.join(identify(known('old'), anon('a1')), NOW_MS)).toEqual([
      { from: anon('a1'), to: known('new'), joinedAtMs: NOW_MS },
    ]);
  });

  test('an alias of a known user takes along what had joined it', () => {
    const identities = new Identities();
    identities.join(identify(known('b'), anon('a1')), NOW_MS);
    identities.join(identify(known('c'), known('b')), NOW_MS);
    for (const id of [anon('a1'), known('b'), known('c')]) {
      expect(ownerOf(identities, id)).toEqual(known('c'));
    }
  });

  test('a shared device goes to whom identified last', () => {
    const identities = new Identities();
    identities.join(identify(known('ann'), anon('tablet')), NOW_MS);
    const before = { to: known('ann'), joinedAtMs: NOW_MS };
    const join = { from: anon('tablet'), to: known('bob'), joinedAtMs: NOW_MS + 5, before };
    expect(identities.join(identify(known('bob'), anon('tablet')), NOW_MS + 5)).toEqual([join]);
    expect(ownerOf(identities, anon('tablet'))).toEqual(known('bob'));
    expect(ownerOf(identities, known('ann'))).toEqual(known('ann'));
  });

  test('what an id’s partition may have seen before goes by way of it', () => {
    const joinedAtMs = NOW_MS;
    const goesByWayOf = (eventAtMs: number, receivedAtMs: number) => {
      const identities = new Identities();
      identities.join(identify(known('ann'), anon('a1')), joinedAtMs);
      const event = anEvent({ userId: 'a1', isAnonymous: true, eventAtMs });
      const relay = identities.settle(event, receivedAtMs);
      if (relay !== undefined) {
        expect(relay).toEqual({
          join: { from: anon('a1'), to: known('ann'), joinedAtMs },
          isChain: false,
        });
      }
      // One that goes by way of its old id says so still.
      expect(event.userId).toBe(relay === undefined ? 'ann' : 'a1');
      return relay !== undefined;
    };
    const later = joinedAtMs + MINUTE_MS;
    expect(goesByWayOf(joinedAtMs - 1, later)).toBe(true);
    // An event's time may lie 5 min ahead of its receipt.
    expect(goesByWayOf(joinedAtMs + 5 * MINUTE_MS, later)).toBe(true);
    expect(goesByWayOf(joinedAtMs + 5 * MINUTE_MS + 1, later)).toBe(false);
    // No time of its own.
    expect(goesByWayOf(joinedAtMs + DAY_MS - 1, joinedAtMs + DAY_MS - 1)).toBe(true);
    // After a day its message id is forgotten there too.
    expect(goesByWayOf(joinedAtMs - 1, joinedAtMs + DAY_MS)).toBe(false);
  });

  test('an event that comes by way of a chain is told the end of it, once', () => {
    const identities = new Identities();
    identities.join(identify(known('b'), anon('a1')), NOW_MS);
    identities.join(identify(known('c'), known('b')), NOW_MS + 1);
    const settle = () =>
      identities.settle(
        anEvent({ userId: 'a1', isAnonymous: true, eventAtMs: NOW_MS }),
        NOW_MS + 2,
      );
    const join = { from: anon('a1'), to: known('c'), joinedAtMs: NOW_MS + 1 };
    const before = { to: known('b'), joinedAtMs: NOW_MS };
    expect([settle(), settle()]).toEqual([
      { join: { ...join, before }, isChain: true },
      { join, isChain: false },
    ]);
  });

  test('what an event joins that is joined already can be asked for', () => {
    const identities = new Identities();
    const event = identify(known('ann'), anon('a1'), known('ann'));
    expect(identities.known(event)).toEqual([
      { from: anon('a1'), to: known('ann'), joinedAtMs: 0 },
    ]);
    identities.join(event, NOW_MS);
    expect(identities.known(event)).toEqual([
      { from: anon('a1'), to: known('ann'), joinedAtMs: NOW_MS },
    ]);
  });

  test('what is taken back, from the newest on, is as if it had not been learned', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const prng = new Prng(seed);
      const identities = new Identities();
      const ids = [...'abcde'].flatMap((id) => [anon(id), known(id)]);
      const owners = () => [identities.count, ...ids.map((id) => ownerOf(identities, id))];
      const steps: { readonly before: unknown; readonly learned: readonly Join[] }[] = [];
      for (let step = 0; step < 30; step++) {
        const before = owners();
        if (prng.chance(0.5)) {
          const event = identify(prng.pick(ids), prng.pick(ids));
          steps.push({ before, learned: identities.join(event, NOW_MS) });
          continue;
        }
        const { id: userId, isAnonymous } = prng.pick(ids);
        const relay = identities.settle(anEvent({ userId, isAnonymous, eventAtMs: 0 }), NOW_MS);
        steps.push({ before, learned: relay?.isChain === true ? [relay.join] : [] });
      }
      for (const { before, learned } of steps.toReversed()) {
        for (const join of learned.toReversed()) identities.takeBack(join);
        expect(owners(), `seed ${seed}`).toEqual(before);
      }
    }
  });

  test('every id leads to one owner and no chain is a ring, whatever joins what', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const prng = new Prng(seed);
      const identities = new Identities();
      const ids = [...'abcde'].flatMap((id) => [anon(id), known(id)]);
      const learned = new Identities();
      for (let step = 0; step < 30; step++) {
        const count = 1 + prng.below(2);
        const event = identify(
          prng.pick(ids.filter(({ isAnonymous }) => !isAnonymous || prng.chance(0.1))),
          ...Array.from({ length: count }, () => prng.pick(ids)),
        );
        const owner = ownerOf(identities, { id: event.userId, isAnonymous: event.isAnonymous });
        for (const join of identities.join(event, NOW_MS)) learned.learn(join);
        for (const id of event.joins!) expect(ownerOf(identities, id)).toEqual(owner);
        for (const id of ids) {
          const last = ownerOf(identities, id);
          expect(ownerOf(identities, last), `seed ${seed} step ${step}`).toEqual(last);
          expect(ownerOf(learned, id)).toEqual(last);
        }
      }
    }
  });
});
