import type { Horizon } from './horizon.ts';
import type { IntakeLane } from './intake-lane.ts';

/**
 * The ticks that partitions have asked for and that wait for the horizon. What a partition asks for
 * takes the place of what it asked for before: while the horizon stands still, asking again and
 * again leaves nothing behind.
 */
export class IntakeTicks {
  readonly #horizon: Horizon;
  readonly #add: (lane: IntakeLane, atMs: number) => void;

  /** @param add adds a tick to a lane, now */
  constructor(horizon: Horizon, add: (lane: IntakeLane, atMs: number) => void) {
    this.#horizon = horizon;
    this.#add = add;
  }

  request(lane: IntakeLane, atMs: number): void {
    lane.tickAskedMs = atMs;
    if (lane.tickWaitsMs > atMs) this.#wait(lane, atMs);
  }

  #wait(lane: IntakeLane, atMs: number): void {
    lane.tickWaitsMs = atMs;
    this.#horizon.wait(atMs, () => {
      if (lane.tickWaitsMs === atMs) lane.tickWaitsMs = Infinity;
      const { tickAskedMs } = lane;
      if (tickAskedMs === undefined) return;
      if (tickAskedMs > atMs) {
        // Asked for anew, and later, meanwhile.
        if (lane.tickWaitsMs > tickAskedMs) this.#wait(lane, tickAskedMs);
        return;
      }
      this.#tick(lane, tickAskedMs);
    });
  }

  /** The lane holds less than before. */
  released(lane: IntakeLane): void {
    const { tickAskedMs, tickWaitsMs } = lane;
    if (tickAskedMs !== undefined && tickWaitsMs === Infinity) this.#wait(lane, tickAskedMs);
  }

  #tick(lane: IntakeLane, atMs: number): void {
    const lastAtMs = lane.lastReceivedAtMs;
    // What is held was received before the tick or at its very instant, and belongs before it.
    if (Math.max(atMs, lastAtMs) >= lane.limitMs) return;
    if (lastAtMs > atMs && lastAtMs >= this.#horizon.atMs) {
      // More of that very instant may come, and belongs before a tick that is raised to it. Under
      // load it may be put off again and again, and records bring time.
      lane.tickAskedMs = lastAtMs;
      if (lane.tickWaitsMs > lastAtMs) this.#wait(lane, lastAtMs);
      return;
    }
    lane.tickAskedMs = undefined;
    this.#add(lane, atMs);
  }
}
