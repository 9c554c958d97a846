import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { after, systemClock } from '../../../engine/time/clock.ts';
import {
  type ClockSources,
  type ClockStep,
  SteadyClock,
} from '../../../engine/time/steady-clock.ts';

const START_MS = Date.parse('2026-01-05T09:00:00Z');
const HOUR_MS = 3_600_000;
/** What SPEC 7 allows a step to delay anything by. */
const DELAY_MS_MAX = 1_000;

/** The clocks and timers of a machine whose system clock anybody may set. */
class Machine implements ClockSources {
  #monotonicMs = 77;
  #wallOffsetMs = START_MS - 77;
  readonly #timers = new Set<{ atMs: number; callback: () => void }>();

  readonly wallMs = () => Math.floor(this.#monotonicMs + this.#wallOffsetMs);
  readonly monotonicMs = () => this.#monotonicMs;

  startTimer(waitMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#monotonicMs + waitMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  setClock(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Lets time go by; timers fire when they are due. */
  run(ms: number): void {
    const endMs = this.#monotonicMs + ms;
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > endMs) break;
      this.#timers.delete(next);
      this.#monotonicMs = Math.max(this.#monotonicMs, next.atMs);
      next.callback();
    }
    this.#monotonicMs = endMs;
  }
}

function stage() {
  const machine = new Machine();
  const clock = new SteadyClock(machine);
  const steps: ClockStep[] = [];
  clock.onStep((step) => steps.push(step));
  return { machine, clock, steps };
}

describe('the system clock is set back by an hour', () => {
  test('the clock goes on and never goes back', () => {
    const { machine, clock } = stage();
    const before = clock.now();
    machine.setClock(-HOUR_MS);
    let last = before;
    for (let seconds = 0; seconds < 60; seconds++) {
      machine.run(1_000);
      expect(clock.now()).toBeGreaterThan(last);
      last = clock.now();
    }
    expect(last - before).toBeGreaterThanOrEqual(60_000 - DELAY_MS_MAX);
    expect(last - before).toBeLessThanOrEqual(60_000);
  });

  test('what was to happen in ten minutes happens then, at most a second late', () => {
    const { machine, clock } = stage();
    let firedAfterMs: number | undefined;
    const startMs = machine.monotonicMs();
    clock.at(clock.now() + 600_000, () => {
      firedAfterMs = machine.monotonicMs() - startMs;
    });
    machine.run(1_000);
    machine.setClock(-HOUR_MS);
    machine.run(600_000);
    expect(firedAfterMs).toBeGreaterThanOrEqual(600_000);
    expect(firedAfterMs).toBeLessThanOrEqual(600_000 + DELAY_MS_MAX);
  });

  test('other machines are told the time of the system clock', () => {
    const { machine, clock } = stage();
    machine.setClock(-HOUR_MS);
    expect(clock.wall()).toBe(START_MS - HOUR_MS);
  });

  test('the two clocks agree again in the end, and time never stood still', () => {
    const { machine, clock } = stage();
    machine.setClock(-60_000);
    let last = clock.now();
    for (let hours = 0; hours < 17; hours++) {
      machine.run(HOUR_MS);
      expect(clock.now() - last).toBeGreaterThanOrEqual(HOUR_MS * 0.998);
      last = clock.now();
    }
    expect(clock.now() - clock.wall()).toBeLessThanOrEqual(2);
  });

  test('the step is told once, and once more when it is taken back', () => {
    const { machine, steps } = stage();
    machine.run(10_000);
    machine.setClock(-HOUR_MS);
    machine.run(60_000);
    expect(steps).toHaveLength(1);
    expect(Math.round(steps[0]!.byMs / 1_000)).toBe(-3_600);
    expect(Math.round(steps[0]!.aheadMs / 1_000)).toBe(3_600);
    machine.setClock(HOUR_MS);
    machine.run(60_000);
    expect(steps).toHaveLength(2);
    expect(Math.round(steps[1]!.byMs / 1_000)).toBe(3_600);
    expect(steps[1]!.aheadMs).toBe(0);
  });
});

describe('the system clock is set forward by an hour', () => {
  test('what is due by then happens within a second', () => {
    const { machine, clock, steps } = stage();
    let fired = 0;
    for (const minutes of [10, 30, 59]) clock.at(clock.now() + minutes * 60_000, () => fired++);
    clock.at(clock.now() + 2 * HOUR_MS, () => fired++);
    machine.run(1_000);
    machine.setClock(HOUR_MS);
    machine.run(DELAY_MS_MAX);
    expect(fired).toBe(3);
    expect(Math.abs(clock.now() - clock.wall())).toBeLessThanOrEqual(1);
    expect(steps).toHaveLength(1);
  });

  test('a time-out of five seconds still lasts five seconds', () => {
    const { machine, clock } = stage();
    let isOver = false;
    after(clock, 5_000, () => {
      isOver = true;
    });
    machine.setClock(HOUR_MS);
    machine.run(4_999);
    expect(isOver).toBe(false);
    machine.run(1);
    expect(isOver).toBe(true);
  });
});

test('a system clock that is never set is followed, and nothing is told', () => {
  const { machine, clock, steps } = stage();
  for (let minutes = 0; minutes < 60; minutes++) {
    // As a clock does that is kept right: half a millisecond a minute, one way or the other.
    machine.setClock(minutes % 3 === 0 ? 0.5 : -0.5);
    machine.run(60_000);
    expect(Math.abs(clock.now() - clock.wall())).toBeLessThanOrEqual(3);
  }
  expect(steps).toEqual([]);
});

test('a log of a later time takes the clock along, and that is told once', () => {
  const { machine, clock, steps } = stage();
  clock.atLeast(START_MS + HOUR_MS);
  expect(clock.now()).toBeGreaterThanOrEqual(START_MS + HOUR_MS);
  clock.atLeast(START_MS);
  machine.run(10_000);
  expect(steps).toHaveLength(1);
  expect(steps[0]!.byMs).toBe(0);
  expect(Math.round(steps[0]!.aheadMs / 1_000)).toBe(3_600);
});

test('clocks that share an offset agree after a step, whichever notices it', () => {
  const machine = new Machine();
  const offset = new Float64Array(1);
  const first = new SteadyClock(machine, offset);
  machine.setClock(-HOUR_MS);
  // Of a thread that starts after the step.
  const second = new SteadyClock(machine, offset, false);
  expect(second.now()).toBe(first.now());
  let fired = 0;
  first.at(first.now() + 2 * HOUR_MS, () => fired++);
  second.atLeast(second.now() + 2 * HOUR_MS);
  machine.run(DELAY_MS_MAX);
  expect(fired).toBe(1);
  expect(second.now()).toBe(first.now());
});

test('the system clock is looked at only while somebody waits', () => {
  const machine = new Machine();
  let started = 0;
  const clock = new SteadyClock({
    wallMs: machine.wallMs,
    monotonicMs: machine.monotonicMs,
    startTimer: (waitMs, callback) => {
      started++;
      return machine.startTimer(waitMs, callback);
    },
  });
  clock.at(clock.now() + 1, () => {});
  machine.run(60_000);
  const startedSoFar = started;
  machine.run(60_000);
  expect(started).toBe(startedSoFar);
});

test('the system clock of another thread shows the same time', async () => {
  const url = new URL('../../../dist/engine/time/clock.js', import.meta.url).href;
  const code = `
    const { parentPort } = require('node:worker_threads');
    import(${JSON.stringify(url)}).then(({ systemClock }) => parentPort.postMessage(systemClock.now()));
  `;
  systemClock.atLeast(systemClock.now() + 5_000);
  const worker = new Worker(code, { eval: true });
  const shown = await new Promise<number>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  expect(shown).toBeGreaterThan(systemClock.wall() + 4_000);
  expect(shown).toBeLessThanOrEqual(systemClock.now());
  await worker.terminate();
});
