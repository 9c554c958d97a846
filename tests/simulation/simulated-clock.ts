import type { Clock } from '../../engine/time/clock.ts';
import type { Life, Scheduler } from './scheduler.ts';

/** A wall clock that may be set: the machine's, shared by every process on it. */
export class WallClock {
  readonly #scheduler: Scheduler;
  #offsetMs = 0;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  now(): number {
    return Math.floor(this.#scheduler.nowMs + this.#offsetMs);
  }

  /** Somebody sets the clock; timers that run already are not moved. */
  jump(byMs: number): void {
    this.#offsetMs += byMs;
  }

  get offsetMs(): number {
    return this.#offsetMs;
  }
}

/** The clock of one life: like the system's, timers count on and look at the wall when they fire. */
export function clockOf(scheduler: Scheduler, wall: WallClock, life: Life): Clock {
  return {
    now: () => wall.now(),
    at(atMs, callback) {
      let cancel = () => {};
      const arm = () => {
        const waitMs = Math.max(0, atMs - wall.now());
        cancel = scheduler.after(waitMs + scheduler.timerDelayMs(), life, () => {
          if (wall.now() < atMs) arm();
          else callback();
        });
      };
      arm();
      return () => cancel();
    },
  };
}
