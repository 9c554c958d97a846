import { describe, expect, test } from 'vitest';
import { Arena } from '../../../engine/state/arena.ts';
import { keyOf } from '../../../engine/state/key.ts';
import { KeyedState, NO_TIMER } from '../../../engine/state/keyed-state.ts';
import { Prng } from '../../support/prng.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const SEEDS = 8;
const STEPS = 3_000;

interface ModelCell {
  readonly value: readonly unknown[];
  readonly dueAtMs: number;
}

/** A plain map by user, operator and match value. */
type Model = Map<string, ModelCell>;

function nameOf(user: string, operator: number, match: string): string {
  return JSON.stringify([user, operator, match]);
}

function contentOf(state: KeyedState, users: readonly string[]): Model {
  const model: Model = new Map();
  for (const user of users) {
    for (const slot of state.cellsOfUser(keyOf(user, false))) {
      const name = nameOf(user, state.operatorOf(slot), state.matchOf(slot));
      model.set(name, { value: state.valueOf(slot), dueAtMs: state.dueAtMs(slot) });
    }
  }
  return model;
}

/** Takes every timer that is due, as a partition does. */
function fired(state: KeyedState, untilMs: number): number[] {
  const slots: number[] = [];
  for (let count = state.wheel.take(untilMs); count > 0; count = state.wheel.take(untilMs)) {
    for (const slot of state.wheel.taken.subarray(0, count)) {
      state.beginFiring(slot);
      if (state.endFiring(slot)) slots.push(slot);
    }
  }
  return slots;
}

describe('keyed state', () => {
  test('holds what a map holds and fires each timer once, straight and through snapshots', () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const prng = new Prng(seed);
      const users = Array.from({ length: 40 }, (_, i) => `user-${i}-${'x'.repeat(prng.below(90))}`);
      let arena = new Arena();
      let state = new KeyedState(arena, START_MS);
      const model: Model = new Map();
      let nowMs = START_MS;
      for (let step = 0; step < STEPS; step++) {
        const user = prng.pick(users);
        const key = keyOf(user, false);
        const operator = prng.pick([0, 1, 65_535, 70_000]);
        const match = prng.pick(['', 'a', 'ä€']);
        const name = nameOf(user, operator, match);
        const chance = prng.next();
        if (chance < 0.6) {
          const dueAtMs = prng.chance(0.3) ? NO_TIMER : nowMs + 1 + prng.below(100_000);
          const value = [step, 'x'.repeat(prng.below(300)), { deep: [null, true, 1.5] }];
          state.put(key, operator, match, value, dueAtMs);
          model.set(name, { value, dueAtMs });
        } else if (chance < 0.8) {
          const slot = state.find(key, operator, match);
          expect(slot === -1, `seed ${seed} step ${step}`).toBe(!model.has(name));
          if (slot !== -1) state.remove(slot);
          model.delete(name);
        } else if (chance < 0.98) {
          nowMs += prng.below(2_000);
          const due = [...model].filter(([, cell]) => cell.dueAtMs <= nowMs);
          expect(fired(state, nowMs), `seed ${seed} step ${step}`).toHaveLength(due.length);
          for (const [one, cell] of due) model.set(one, { ...cell, dueAtMs: NO_TIMER });
        } else {
          // A snapshot holds what stood when it was taken, whatever is changed after it.
          const cells = state.freeze();
          const bytes = arena.freeze();
          state.put(key, operator, match, ['after'], NO_TIMER);
          const restoredArena = new Arena();
          restoredArena.restore({ ...bytes, chunks: bytes.chunks.map((chunk) => chunk.slice()) });
          const restored = new KeyedState(restoredArena, nowMs);
          restored.restore({ ...cells, slabs: cells.slabs.map((slab) => slab.slice(0)) }, nowMs);
          state.thaw();
          arena.thaw();
          state = restored;
          arena = restoredArena;
        }
        expect(state.count).toBe(model.size);
      }
      expect(contentOf(state, users), `seed ${seed}`).toEqual(model);
    }
  });

  test('refuses a value that is too large and keeps what stood there', () => {
    const state = new KeyedState(new Arena(), START_MS);
    const key = keyOf('u', false);
    state.put(key, 1, '', ['small'], NO_TIMER);
    expect(() => state.put(key, 1, '', ['x'.repeat(70_000)], NO_TIMER)).toThrowError(
      /^What an operator remembers of a user must have at most \d+ bytes, got \d+\.$/,
    );
    expect(state.valueOf(state.find(key, 1, ''))).toEqual(['small']);
  });

  test('a timer that is moved while it fires does not fire, and fires at its new time', () => {
    const state = new KeyedState(new Arena(), START_MS);
    const key = keyOf('u', false);
    const slot = state.put(key, 1, '', [1], START_MS + 10);
    expect(state.wheel.take(START_MS + 10)).toBe(1);
    state.beginFiring(slot);
    state.put(key, 1, '', [2], START_MS + 20);
    expect(state.endFiring(slot)).toBe(false);
    expect(fired(state, START_MS + 19)).toEqual([]);
    expect(fired(state, START_MS + 20)).toEqual([slot]);
  });

  test('known and anonymous users of one id have cells of their own', () => {
    const state = new KeyedState(new Arena(), START_MS);
    state.put(keyOf('u', false), 1, '', ['known'], NO_TIMER);
    state.put(keyOf('u', true), 1, '', ['anonymous'], NO_TIMER);
    const keptBy = (isAnonymous: boolean) =>
      state.valueOf(state.find(keyOf('u', isAnonymous), 1, ''))[0];
    expect([keptBy(false), keptBy(true)]).toEqual(['known', 'anonymous']);
  });
});
