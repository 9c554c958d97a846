import { expect, test } from 'vitest';
import { RequestTurns } from '../../../connectors/doors/http/request-turns.ts';

const SMALL = 200;
const LARGE = 100_000;
const WAIT_MS_MAX = 500;
const TURN_MS = 4;

/** A thread whose time passes only by the work that is done in it. */
function stage() {
  let nowMs = 0;
  let deferred: (() => void) | undefined;
  const turns = new RequestTurns({
    monotonicMs: () => nowMs,
    defer: (turn) => {
      deferred = turn;
    },
    waitMsMax: WAIT_MS_MAX,
  });
  const done: string[] = [];
  const run = (name: string, bytes: number, takesMs: number) => {
    const work = () => {
      nowMs += takesMs;
      done.push(name);
      return Promise.resolve(name);
    };
    return turns.run(bytes, work);
  };
  const nextTurn = () => {
    const turn = deferred;
    deferred = undefined;
    turn?.();
  };
  return { turns, done, run, nextTurn, passTime: (ms: number) => (nowMs += ms) };
}

test('request turns: an idle door takes a request at once, and gives its result back', async () => {
  const { run, done } = stage();
  const result = run('one', SMALL, 1);
  expect(done).toEqual(['one']);
  expect(await result).toBe('one');
});

test('request turns: what throws fails its own request and no other', async () => {
  const { turns, run } = stage();
  const broken = turns.run(SMALL, () => {
    throw new Error('no JSON');
  });
  await expect(broken).rejects.toThrow('no JSON');
  expect(await run('next', SMALL, 1)).toBe('next');
});

test('request turns: a turn ends after its time, the rest waits for the next', () => {
  const { run, done, nextTurn, turns } = stage();
  const takesMs = 2;
  const perTurn = TURN_MS / takesMs;
  const count = 3 * perTurn;
  for (let i = 0; i < count; i++) void run(String(i), LARGE, takesMs);
  expect([done.length, turns.waitingCount]).toEqual([perTurn, count - perTurn]);
  nextTurn();
  expect(done.length).toBe(2 * perTurn);
  nextTurn();
  expect(done).toEqual(Array.from({ length: count }, (_, i) => String(i)));
});

test('request turns: a flood of large requests keeps small ones only for a moment', () => {
  const { run, done, nextTurn } = stage();
  const takesMs = TURN_MS;
  for (let i = 0; i < 100; i++) void run('large', LARGE, takesMs);
  void run('small', SMALL, 0.1);
  nextTurn();
  nextTurn();
  expect(done.indexOf('small')).toBeGreaterThan(0);
  expect(done.length).toBeLessThan(5);
});

test('request turns: a flood of small requests leaves half of the time to large ones', () => {
  const { run, done, nextTurn } = stage();
  const smallMs = 1;
  const largeMs = 4;
  for (let i = 0; i < 400; i++) void run('small', SMALL, smallMs);
  for (let i = 0; i < 100; i++) void run('large', LARGE, largeMs);
  while (done.length < 250) nextTurn();
  const small = done.filter((name) => name === 'small').length;
  const large = done.length - small;
  const share = (large * largeMs) / (large * largeMs + small * smallMs);
  expect(Math.abs(share - 0.5)).toBeLessThan(0.05);
});

test('request turns: newcomers are turned away once the first one has waited too long', () => {
  const { turns, run, nextTurn, passTime } = stage();
  void run('now', LARGE, TURN_MS);
  void run('waits', LARGE, TURN_MS);
  passTime(WAIT_MS_MAX + 1);
  expect(turns.hasTimeFor(LARGE)).toBe(false);
  expect(turns.hasTimeFor(SMALL)).toBe(true);
  nextTurn();
  expect(turns.hasTimeFor(LARGE)).toBe(true);
});
