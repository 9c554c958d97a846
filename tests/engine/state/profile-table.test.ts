import { describe, expect, test } from 'vitest';
import { Arena, BLOB_BYTES_MAX } from '../../../engine/state/arena.ts';
import { ProfileTable } from '../../../engine/state/profile-table.ts';
import { Prng } from '../../support/prng.ts';
import { keyOf, withHash } from '../../support/state-keys.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');

function aTable() {
  const arena = new Arena();
  return { arena, profiles: new ProfileTable(arena) };
}

/** What the table says of a user, as a plain object. */
function known(profiles: ProfileTable, id: string, isAnonymous = false): Record<string, unknown> {
  return { ...profiles.attributesOf(keyOf(id, isAnonymous)) };
}

describe('profile table', () => {
  test('the newest value by event time wins, in whatever order they come, restores included', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const prng = new Prng(seed);
      let { arena, profiles } = aTable();
      const model = new Map<string, { value: unknown; saidAtMs: number }>();
      const names = ['plan', 'age', 'constructor', '__proto__', ''];
      const users = ['u1', 'u2', 'ü3', 'u'.repeat(200)];
      for (let step = 0; step < 300; step++) {
        const user = prng.pick(users);
        const isAnonymous = prng.chance(0.3);
        const saidAtMs = START_MS + prng.below(50);
        const traits = Object.create(null) as Record<string, unknown>;
        for (const name of names) {
          if (prng.chance(0.4)) traits[name] = prng.chance(0.2) ? null : prng.below(1_000);
        }
        profiles.merge(keyOf(user, isAnonymous), traits, saidAtMs);
        for (const [name, value] of Object.entries(traits)) {
          const place = `${user} ${isAnonymous} ${name}`;
          if ((model.get(place)?.saidAtMs ?? 0) <= saidAtMs) model.set(place, { value, saidAtMs });
        }
        if (prng.chance(0.03)) {
          const copies = structuredClone([arena.freeze(), profiles.freeze()] as const);
          ({ arena, profiles } = aTable());
          arena.restore(copies[0]);
          profiles.restore(copies[1]);
        }
      }
      for (const user of users) {
        for (const isAnonymous of [true, false]) {
          const got = Object.entries(profiles.attributesOf(keyOf(user, isAnonymous)));
          const wanted = names
            .map((name) => [name, model.get(`${user} ${isAnonymous} ${name}`)?.value ?? null])
            .filter(([, value]) => value !== null);
          expect(new Map(got as [string, unknown][]), `seed ${seed}`).toEqual(
            new Map(wanted as [string, unknown][]),
          );
        }
      }
    }
  });

  test('null clears, a value that is older than the clearing does not come back', () => {
    const { profiles } = aTable();
    profiles.merge(keyOf('u1'), { plan: 'pro', city: 'Paris' }, START_MS);
    profiles.merge(keyOf('u1'), { plan: null }, START_MS + 20);
    profiles.merge(keyOf('u1'), { plan: 'late' }, START_MS + 10);
    expect(known(profiles, 'u1')).toEqual({ city: 'Paris' });
    profiles.merge(keyOf('u1'), { plan: 'team' }, START_MS + 30);
    expect(known(profiles, 'u1')).toEqual({ plan: 'team', city: 'Paris' });
  });

  test('a clearing that comes late does not remove a newer value', () => {
    const { profiles } = aTable();
    profiles.merge(keyOf('u1'), { plan: 'pro' }, START_MS + 10);
    profiles.merge(keyOf('u1'), { plan: null }, START_MS);
    expect(known(profiles, 'u1')).toEqual({ plan: 'pro' });
  });

  test('refuses a profile that is too large and harms nothing', () => {
    const { arena, profiles } = aTable();
    profiles.merge(keyOf('u1'), { plan: 'pro' }, START_MS);
    const { bytesUsed } = arena;
    const large = { bio: 'x'.repeat(BLOB_BYTES_MAX) };
    const refused = expect.objectContaining({ code: 'ERR_PROFILE_TOO_LARGE', domain: 'user' });
    expect(() => profiles.merge(keyOf('u1'), large, START_MS + 1)).toThrowError(refused);
    expect(() => profiles.merge(keyOf('u2'), large, START_MS + 1)).toThrowError(refused);
    expect(known(profiles, 'u1')).toEqual({ plan: 'pro' });
    expect(known(profiles, 'u2')).toEqual({});
    expect([profiles.count, arena.bytesUsed]).toEqual([1, bytesUsed]);
  });

  test('holds a profile of nearly the longest length as the very first', () => {
    const { profiles } = aTable();
    const traits = { bio: 'x'.repeat(BLOB_BYTES_MAX - 50) };
    profiles.merge(keyOf('u1'), traits, START_MS);
    expect(known(profiles, 'u1')).toEqual(traits);
  });

  test('takes any JSON for data, an attribute that holds "toJSON" included', () => {
    const { profiles } = aTable();
    const traits = { a: { toJSON: 1, list: [null, -1.5, { toJSON: 'x' }] }, toJSON: true };
    profiles.merge(keyOf('u1'), traits, START_MS);
    expect(known(profiles, 'u1')).toEqual(traits);
  });

  test('users do not meet, with equal hashes or as anonymous and known of one id', () => {
    const { profiles } = aTable();
    profiles.merge(withHash(keyOf('u1'), 1, 2), { who: 'u1' }, START_MS);
    profiles.merge(withHash(keyOf('u2'), 1, 2), { who: 'u2' }, START_MS);
    profiles.merge(withHash(keyOf('u1', true), 1, 2), { who: 'anonymous' }, START_MS);
    const whoIs = (id: string, isAnonymous: boolean) =>
      profiles.attributesOf(withHash(keyOf(id, isAnonymous), 1, 2)).who;
    expect([whoIs('u1', false), whoIs('u2', false), whoIs('u1', true)]).toEqual([
      'u1',
      'u2',
      'anonymous',
    ]);
  });

  test('a frozen copy does not change while profiles go on', () => {
    const { arena, profiles } = aTable();
    for (let i = 0; i < 5_000; i++) profiles.merge(keyOf(`u${i}`), { n: i }, START_MS);
    const frozen = [arena.freeze(), profiles.freeze()] as const;
    const copies = structuredClone(frozen);
    for (let i = 0; i < 6_000; i++) profiles.merge(keyOf(`u${i}`), { n: i + 0.5 }, START_MS + 1);
    const restored = aTable();
    restored.arena.restore(frozen[0]);
    restored.profiles.restore(frozen[1]);
    expect(frozen[1]).toEqual(copies[1]);
    expect(restored.profiles.count).toBe(5_000);
    for (const i of [0, 1, 4_095, 4_096, 4_999]) {
      expect(known(restored.profiles, `u${i}`)).toEqual({ n: i });
      expect(known(profiles, `u${i}`)).toEqual({ n: i + 0.5 });
    }
  });

  test('an attribute with members `constructor` and `toJSON` is data like any other', () => {
    const { profiles } = aTable();
    const plan = { constructor: 1, toJSON: 'gold' };
    profiles.merge(keyOf('u1', false), { plan }, START_MS);
    expect(known(profiles, 'u1')).toEqual({ plan });
  });
});
