import { expect, test } from 'vitest';
import { Standstill, type Watched } from '../../../engine/worker/standstill.ts';

const START_MS = 1_000_000;

function partition(partition: number) {
  return {
    partition,
    timeMs: START_MS,
    firedDueAtMs: 0,
    openWindows: 10,
    isCaughtUp: true as boolean,
    dueAtMs: Infinity,
    core: { recordsProcessed: 0 },
    lanes: { appended: 0 },
    nextTurnAtMs(): number {
      return this.dueAtMs;
    },
  } satisfies Watched & { dueAtMs: number };
}

test('standstill: a partition without anything to do stands still for no time', () => {
  const standstill = new Standstill();
  const runner = partition(0);
  for (const ms of [0, 5_000, 90_000]) {
    expect(standstill.longestMs([runner], START_MS + ms)).toBe(0);
  }
});

test('standstill: a timer that is due and does not fire counts from when it was due', () => {
  const standstill = new Standstill();
  const runner = partition(0);
  standstill.longestMs([runner], START_MS);
  runner.dueAtMs = START_MS + 1_000;
  expect(standstill.longestMs([runner], START_MS + 999)).toBe(0);
  expect(standstill.longestMs([runner], START_MS + 5_999)).toBe(5_000);
  runner.firedDueAtMs = runner.dueAtMs;
  runner.dueAtMs = Infinity;
  expect(standstill.longestMs([runner], START_MS + 6_249)).toBe(0);
});

test('standstill: records unread and not read count, and those that are read do not', () => {
  const standstill = new Standstill();
  const [stuck, busy] = [partition(0), partition(1)];
  stuck.isCaughtUp = false;
  busy.isCaughtUp = false;
  for (let ms = 0; ms <= 7_000; ms += 250) {
    busy.core.recordsProcessed++;
    expect(standstill.longestMs([stuck, busy], START_MS + ms)).toBe(ms);
  }
});

test('standstill: a burst of windows that fire at one due time is progress', () => {
  const standstill = new Standstill();
  const runner = partition(0);
  runner.dueAtMs = START_MS;
  for (let ms = 0; ms <= 10_000; ms += 250) {
    runner.openWindows--;
    expect(standstill.longestMs([runner], START_MS + ms)).toBe(0);
  }
});
