import { compareKeys, emptyKey } from '../state/key.ts';
import type { PartitionState } from './partition-state.ts';

/**
 * One timer that is due, as a number: the slot of a window, or of a cell of keyed state. Numbers
 * and not objects, because a single tick may find a million of them.
 */
export type TimerRef = number;

export function isCell(ref: TimerRef): boolean {
  return ref % 2 === 1;
}

export function slotOf(ref: TimerRef): number {
  return Math.floor(ref / 2);
}

/** Order of two timers of one user that are due together. */
export type TimerOrder = (a: TimerRef, b: TimerRef) => number;

/**
 * The timers of a partition, from all its sources: what is due in one millisecond is taken from
 * each of them and sorted once, by user and then by `order`.
 */
export class DueTimers {
  readonly #state: PartitionState;
  readonly #order: TimerOrder;
  readonly #a = emptyKey();
  readonly #b = emptyKey();
  /** Taken by the last `take()`, in the order in which they fire. */
  taken: Float64Array = new Float64Array(0);
  /** When they were due, Unix ms. */
  dueAtMs = 0;

  constructor(state: PartitionState, order: TimerOrder) {
    this.#state = state;
    this.#order = order;
  }

  /** At or before the next due time; Infinity without a timer. Unix ms. */
  nextTurnAtMs(): number {
    const { windows, cells } = this.#state;
    return Math.min(windows.wheel.nextTurnAtMs(), cells.wheel.nextTurnAtMs());
  }

  /**
   * Takes what is due at the earliest millisecond up to `untilMs`.
   * @returns false when nothing is; all wheels stand at `untilMs` then
   */
  take(untilMs: number): boolean {
    const { windows, cells } = this.#state;
    for (;;) {
      const isQuiet = untilMs < windows.wheel.quietBeforeMs && untilMs < cells.wheel.quietBeforeMs;
      // A step goes no further than any wheel's next bucket: firing may set a timer before it.
      const stepMs = isQuiet ? untilMs : Math.min(untilMs, this.nextTurnAtMs());
      const windowCount = windows.wheel.take(stepMs);
      const cellCount = cells.wheel.take(stepMs);
      if (windowCount + cellCount > 0) {
        this.dueAtMs = windowCount > 0 ? windows.wheel.nowMs : cells.wheel.nowMs;
        this.#collect(windowCount, cellCount);
        return true;
      }
      if (isQuiet || (stepMs === untilMs && this.nextTurnAtMs() > untilMs)) return false;
    }
  }

  #collect(windowCount: number, cellCount: number): void {
    const { windows, cells } = this.#state;
    const taken = new Float64Array(windowCount + cellCount);
    for (let i = 0; i < windowCount; i++) taken[i] = windows.wheel.taken[i]! * 2;
    for (let i = 0; i < cellCount; i++) {
      const slot = cells.wheel.taken[i]!;
      cells.beginFiring(slot);
      taken[windowCount + i] = slot * 2 + 1;
    }
    // A wheel gives a bucket in no order, and in another one after a recovery.
    this.taken = taken.length === 1 ? taken : taken.sort((a, b) => this.#compare(a, b));
  }

  #compare(left: TimerRef, right: TimerRef): number {
    this.#pointTo(left, this.#a);
    this.#pointTo(right, this.#b);
    return compareKeys(this.#a, this.#b) || this.#order(left, right);
  }

  #pointTo(ref: TimerRef, key: ReturnType<typeof emptyKey>): void {
    const { windows, cells } = this.#state;
    if (isCell(ref)) cells.keyOf(slotOf(ref), key);
    else windows.keyOf(slotOf(ref), key);
  }
}
