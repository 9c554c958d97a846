import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import { type ClockSources, SteadyClock } from './steady-clock.ts';

/** The clock and the timers that edges are given; the simulated one lives with the tests and `simulate`. */
export interface Clock {
  /** Unix ms; never goes back. */
  now(): number;
  /** Calls back once, not before `atMs`. Returns what cancels it. */
  at(atMs: number, callback: () => void): () => void;
  /**
   * Calls back once after so long, even if the system's clock is set meanwhile: for time-outs, up
   * to 12 days. Returns what cancels it. @default by `now` and `at`
   */
  after?(waitMs: number, callback: () => void): () => void;
  /**
   * Unix ms as the system's clock shows it, for other machines to read. May go back.
   * @default `now`
   */
  wall?(): number;
}

/** See `Clock.after`. */
export function after(clock: Clock, waitMs: number, callback: () => void): () => void {
  return clock.after?.(waitMs, callback) ?? clock.at(clock.now() + waitMs, callback);
}

/** The monotonic clock has its zero at the start of each thread; this is the machine's own. */
function machineMonotonic(): () => number {
  const [seconds, nanoseconds] = process.hrtime();
  const originMs = seconds * 1_000 + nanoseconds / 1e6 - performance.now();
  return () => originMs + performance.now();
}

const sources: ClockSources = {
  wallMs: () => Date.now(),
  monotonicMs: machineMonotonic(),
  startTimer(waitMs, callback, keepsProcess) {
    const timer = setTimeout(callback, waitMs);
    if (!keepsProcess) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Threads that are started later find the offset here: all of a process agree on the time. */
const OFFSET_KEY = 'lapse.clock-offset';

function sharedClock(): SteadyClock {
  const known = getEnvironmentData(OFFSET_KEY);
  if (known instanceof SharedArrayBuffer) {
    return new SteadyClock(sources, new Float64Array(known), false);
  }
  const memory = new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT);
  setEnvironmentData(OFFSET_KEY, memory);
  return new SteadyClock(sources, new Float64Array(memory), true);
}

export const systemClock: SteadyClock = sharedClock();
