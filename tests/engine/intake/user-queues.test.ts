import { expect, test, vi } from 'vitest';
import { UserQueues } from '../../../engine/intake/user-queues.ts';
import { Prng } from '../../support/prng.ts';

const SEEDS = Array.from({ length: 100 }, (_, i) => i + 1);
const USERS = ['ann', 'bob', 'cid', 'dan', 'eve'];

interface Work {
  readonly users: readonly string[];
  isStarted: boolean;
  isDone: boolean;
  done: () => void;
}

test.each(SEEDS)('work starts once all earlier work of its users is done, seed %i', (seed) => {
  const prng = new Prng(seed);
  const queues = new UserQueues();
  const works: Work[] = [];
  const check = () => {
    works.forEach((work, i) => {
      const earlier = works.slice(0, i).filter(({ users }) => shares(users, work.users));
      expect(work.isStarted).toBe(earlier.every(({ isDone }) => isDone));
    });
    for (const user of USERS) {
      expect(queues.isBusy(user)).toBe(
        works.some(({ users, isDone }) => !isDone && users.includes(user)),
      );
    }
    expect(queues.isIdle).toBe(works.every(({ isDone }) => isDone));
  };
  const add = () => {
    const users = [prng.pick(USERS), prng.pick(USERS)].slice(0, 1 + prng.below(2));
    const isQuick = prng.chance(0.4);
    const work: Work = { users, isStarted: false, isDone: false, done: () => undefined };
    works.push(work);
    queues.run(users, (done) => {
      work.isStarted = true;
      work.done = () => {
        work.isDone = true;
        done();
      };
      if (isQuick) work.done();
    });
  };
  for (let step = 0; step < 60; step++) {
    const running = works.filter(({ isStarted, isDone }) => isStarted && !isDone);
    if (running.length > 0 && prng.chance(0.5)) prng.pick(running).done();
    else add();
    check();
  }
  for (;;) {
    const running = works.filter(({ isStarted, isDone }) => isStarted && !isDone);
    if (running.length === 0) break;
    prng.pick(running).done();
    check();
  }
  expect(queues.isIdle).toBe(true);
});

test('a hundred thousand that wait for one user do not use up the stack', () => {
  const queues = new UserQueues();
  let letGo = () => {};
  queues.run(['ann'], (done) => {
    letGo = done;
  });
  let started = 0;
  const waiting = 100_000;
  for (let i = 0; i < waiting; i++) {
    queues.run(['ann'], (done) => {
      started++;
      done();
    });
  }
  expect(started).toBe(0);
  letGo();
  expect([started, queues.isIdle]).toEqual([waiting, true]);
});

test('one more that waits costs the same, whether few wait or many', () => {
  // What `shift` costs: it moves all that stands behind.
  let moved = 0;
  const { shift } = Array.prototype;
  const spy = vi.spyOn(Array.prototype, 'shift').mockImplementation(function (this: unknown[]) {
    moved += this.length;
    return shift.call(this);
  });
  const waiting = 2_000;
  const queues = new UserQueues();
  let letGo = () => {};
  queues.run(['ann'], (done) => {
    letGo = done;
  });
  for (let i = 0; i < waiting; i++) queues.run(['ann', `${i}`], (done) => done());
  letGo();
  spy.mockRestore();
  expect([queues.isIdle, moved <= waiting]).toEqual([true, true]);
});

test('what was forgotten never starts, and its end disturbs nothing', () => {
  const queues = new UserQueues();
  const started: string[] = [];
  let end = () => {};
  queues.run(['ann'], (done) => {
    end = done;
  });
  queues.run(['ann'], () => started.push('forgotten'));
  queues.clear();
  queues.run(['ann'], () => started.push('later'));
  end();
  expect([started, queues.isBusy('ann')]).toEqual([['later'], true]);
});

function shares(left: readonly string[], right: readonly string[]): boolean {
  return left.some((user) => right.includes(user));
}
