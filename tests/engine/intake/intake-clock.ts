import type { Clock } from '../../../engine/time/clock.ts';

/** A clock that stands until it is moved; callbacks fire in order of time. */
export class ManualClock implements Clock {
  #nowMs: number;
  readonly #timers: { atMs: number; callback: () => void }[] = [];

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  at(atMs: number, callback: () => void): () => void {
    const timer = { atMs, callback };
    this.#timers.push(timer);
    this.#timers.sort((a, b) => a.atMs - b.atMs);
    return () => {
      const i = this.#timers.indexOf(timer);
      if (i >= 0) this.#timers.splice(i, 1);
    };
  }

  get timerCount(): number {
    return this.#timers.length;
  }

  advanceTo(atMs: number): void {
    while (this.#timers.length > 0 && this.#timers[0]!.atMs <= atMs) {
      const timer = this.#timers.shift()!;
      this.#nowMs = Math.max(this.#nowMs, timer.atMs);
      timer.callback();
    }
    this.#nowMs = atMs;
  }
}
