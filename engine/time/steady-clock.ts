import type { Clock } from './clock.ts';

/** What a steady clock is made of: the system's clocks, or a test's. */
export interface ClockSources {
  /** Unix ms by the clock that people and programs may set. */
  wallMs(): number;
  /** Ms that never go back; of one origin for all threads that share an offset. */
  monotonicMs(): number;
  /**
   * @param waitMs at most `TIMER_MS_MAX`
   * @param keepsProcess whether the process waits for it at its end
   */
  startTimer(waitMs: number, callback: () => void, keepsProcess: boolean): () => void;
}

/** The system's clock was set, or this clock was taken to the time of a log. */
export interface ClockStep {
  /** By how much the system's clock was set, ms; 0 when it was not. */
  readonly byMs: number;
  /** How far this clock is ahead of the system's now, ms. */
  readonly aheadMs: number;
}

/** Longest wait that `setTimeout` keeps; above 2³¹ − 1 ms it would fire at once. */
export const TIMER_MS_MAX = 2 ** 30;
/** How soon a step is noticed. Nothing is late by more than this after one. */
const CHECK_MS = 250;
/** A smaller change between two checks is drift, not somebody who sets the clock. */
const STEP_MS = 500;
/** So much slower it runs while it is ahead: an hour is made up for in six weeks. */
const SLOWER_BY = 0.001;
/** The system shows whole ms: so far ahead is not ahead. */
const ROUNDING_MS = 2;

interface Alarm {
  readonly atMs: number;
  readonly callback: () => void;
  cancel: () => void;
}

/**
 * A clock that advances with the monotonic one and shows the system's time. Follows the system's
 * clock forwards within `CHECK_MS`, wakes what is due by then, and never goes back: when the
 * system's clock is set back it goes on from where it is, a thousandth slower until both agree.
 * So a step delays nothing that waits for it, and time in the log never goes back.
 *
 * Known limit: while it is ahead by D, what carries another machine's time (an event's timestamp)
 * seems older by D, so its timers may fire D early, never late.
 */
export class SteadyClock implements Clock {
  readonly #sources: ClockSources;
  /** From the monotonic clock to this one, ms; perhaps shared with other threads. */
  readonly #offset: Float64Array<ArrayBufferLike>;
  readonly #isOwner: boolean;
  readonly #alarms = new Set<Alarm>();
  #lastMs = Number.NEGATIVE_INFINITY;
  #listener: ((step: ClockStep) => void) | undefined;
  #cancelCheck: (() => void) | undefined;
  #checkedAtMs: number;
  #seenOffsetMs: number;
  /** From the monotonic clock to the system's at the last check. */
  #wallOffsetMs: number;
  #aheadMs = 0;

  /**
   * @param offset one element, which other threads may share
   * @param isOwner whether this one sets the offset first, and slows it down; one thread does
   */
  constructor(
    sources: ClockSources,
    offset: Float64Array<ArrayBufferLike> = new Float64Array(1),
    isOwner = true,
  ) {
    this.#sources = sources;
    this.#offset = offset;
    this.#isOwner = isOwner;
    const monotonicMs = sources.monotonicMs();
    this.#wallOffsetMs = sources.wallMs() - monotonicMs;
    if (isOwner) offset[0] = this.#wallOffsetMs;
    this.#seenOffsetMs = offset[0]!;
    this.#checkedAtMs = monotonicMs;
  }

  now(): number {
    const ms = Math.floor(this.#sources.monotonicMs() + this.#offset[0]!);
    if (ms > this.#lastMs) this.#lastMs = ms;
    return this.#lastMs;
  }

  wall(): number {
    return this.#sources.wallMs();
  }

  at(atMs: number, callback: () => void): () => void {
    const alarm: Alarm = { atMs, callback, cancel: () => {} };
    this.#alarms.add(alarm);
    this.#arm(alarm);
    this.#watch();
    return () => {
      this.#alarms.delete(alarm);
      alarm.cancel();
    };
  }

  after(waitMs: number, callback: () => void): () => void {
    return this.#sources.startTimer(Math.min(waitMs, TIMER_MS_MAX), callback, true);
  }

  /** Goes on from `atMs` if it is behind that: a log's time, from before the system's clock was set. */
  atLeast(atMs: number): void {
    const missingMs = atMs - (this.#sources.monotonicMs() + this.#offset[0]!);
    if (missingMs > 0) this.#offset[0]! += missingMs;
  }

  /** Called once a step, in whichever thread it was noticed. One listener. */
  onStep(listener: (step: ClockStep) => void): void {
    this.#listener = listener;
    this.#watch();
  }

  #arm(alarm: Alarm): void {
    const waitMs = Math.max(0, alarm.atMs - this.now());
    alarm.cancel = this.#sources.startTimer(
      Math.min(waitMs, TIMER_MS_MAX),
      () => {
        // A timer may fire a fraction of a millisecond early.
        if (this.now() < alarm.atMs) return this.#arm(alarm);
        this.#alarms.delete(alarm);
        alarm.callback();
      },
      true,
    );
  }

  /** Looks at the system's clock while somebody waits. */
  #watch(): void {
    if (this.#cancelCheck !== undefined) return;
    if (this.#alarms.size === 0 && this.#listener === undefined) return;
    const check = () => {
      this.#cancelCheck = undefined;
      this.#check();
      this.#watch();
    };
    this.#cancelCheck = this.#sources.startTimer(CHECK_MS, check, false);
  }

  #check(): void {
    const { wallMs, monotonicMs } = this.#sources;
    const beforeMs = monotonicMs();
    const systemMs = wallMs();
    const nowMs = monotonicMs();
    // The process stood still between the two: what they say does not belong together.
    if (nowMs - beforeMs > CHECK_MS) return;
    const aheadMs = beforeMs + this.#offset[0]! - systemMs;
    if (aheadMs < 0) this.#offset[0]! -= aheadMs;
    else if (aheadMs > ROUNDING_MS && this.#isOwner) {
      this.#offset[0]! -= Math.min(aheadMs, (nowMs - this.#checkedAtMs) * SLOWER_BY);
    }
    this.#checkedAtMs = nowMs;
    // Perhaps another thread has moved it on.
    const movedMs = this.#offset[0]! - this.#seenOffsetMs;
    this.#seenOffsetMs = this.#offset[0]!;
    if (movedMs > ROUNDING_MS) this.#armAll();
    this.#report(systemMs - beforeMs, Math.max(0, aheadMs));
  }

  #armAll(): void {
    for (const alarm of this.#alarms) {
      alarm.cancel();
      this.#arm(alarm);
    }
  }

  #report(wallOffsetMs: number, aheadMs: number): void {
    const byMs = wallOffsetMs - this.#wallOffsetMs;
    const raisedMs = aheadMs - this.#aheadMs;
    this.#wallOffsetMs = wallOffsetMs;
    this.#aheadMs = aheadMs;
    if (Math.abs(byMs) >= STEP_MS) this.#listener?.({ byMs, aheadMs });
    else if (raisedMs >= STEP_MS) this.#listener?.({ byMs: 0, aheadMs });
  }
}
