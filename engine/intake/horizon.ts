import type { Clock } from '../time/clock.ts';
import { type Timed, TimeHeap } from './time-heap.ts';

interface Waiting extends Timed {
  readonly callback: () => void;
}

/**
 * How far time has come for certain: everything received before the horizon has been added to the
 * intake. It is now, unless a door with a clock of its own (NATS: events wait in a stream while
 * Lapse is down or slow) may still bring records of an earlier time of receipt. Ticks wait for it,
 * so that no timer overtakes an event that was there before its deadline.
 *
 * Known limit: times of receipt of such a door are its server's. As far as that clock is behind
 * ours, its latest events may come after a tick; they are then raised to the tick's time.
 */
export class Horizon {
  readonly #clock: Clock;
  readonly #doors = new Set<HorizonDoor>();
  /** In order of time; of equal times in order of asking. */
  readonly #waiting = new TimeHeap<Waiting>();
  #asked = 0;
  #wakeAtMs = Number.POSITIVE_INFINITY;
  #cancelWake: (() => void) | undefined;
  #isReleasing = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Unix ms: everything received before this instant has been added. */
  get atMs(): number {
    let atMs = this.#clock.now();
    for (const door of this.#doors) atMs = Math.min(atMs, door.passedMs);
    return atMs;
  }

  /**
   * True while a door works off what came before: newer records of other doors would carry
   * partition time over its backlog, so those doors have to ask their senders to come again.
   */
  get isCatchingUp(): boolean {
    for (const door of this.#doors) if (door.isBehind) return true;
    return false;
  }

  /**
   * Adds a door with a clock of its own, behind until it says otherwise.
   * @param want is called when somebody waits for the door to pass an instant that the clock has
   *   passed already; may be called often
   */
  join(want: () => void): HorizonDoor {
    const door = new HorizonDoor({ want, moved: () => this.#release() });
    this.#doors.add(door);
    return door;
  }

  /** Calls back once, as soon as `atMs` lies before the horizon; perhaps at once. */
  wait(atMs: number, callback: () => void): void {
    const one = { atMs, order: this.#asked++, callback };
    this.#waiting.add(one);
    if (this.#waiting.first === one) this.#release();
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Forgets who waits. */
  close(): void {
    this.#waiting.clear();
    this.#disarm();
  }

  #release(): void {
    if (this.#isReleasing || this.#waiting.length === 0) return;
    // A callback may wait again: the loop sees what it added.
    this.#isReleasing = true;
    try {
      const horizonMs = this.atMs;
      while ((this.#waiting.first?.atMs ?? Infinity) < horizonMs) {
        this.#waiting.shift()!.callback();
      }
    } finally {
      this.#isReleasing = false;
    }
    this.#arm();
  }

  #arm(): void {
    const first = this.#waiting.first;
    if (first === undefined) {
      this.#disarm();
      return;
    }
    const holding = [...this.#doors].filter(({ passedMs }) => passedMs <= first.atMs);
    if (this.#clock.now() > first.atMs && holding.length > 0) {
      this.#disarm();
      for (const door of holding) door.want();
      return;
    }
    // Also when the clock has passed it since the horizon was read: nobody else would look again.
    if (this.#wakeAtMs === first.atMs + 1) return;
    this.#disarm();
    this.#wakeAtMs = first.atMs + 1;
    this.#cancelWake = this.#clock.at(this.#wakeAtMs, () => {
      this.#wakeAtMs = Number.POSITIVE_INFINITY;
      this.#release();
    });
  }

  #disarm(): void {
    if (this.#wakeAtMs !== Number.POSITIVE_INFINITY) this.#cancelWake?.();
    this.#wakeAtMs = Number.POSITIVE_INFINITY;
  }
}

/** A door's part of the horizon. */
export class HorizonDoor {
  readonly #calls: { want: () => void; moved: () => void };
  #passedMs = Number.NEGATIVE_INFINITY;
  /** True while the door is working off a backlog, or cannot tell. */
  isBehind = true;

  constructor(calls: { want: () => void; moved: () => void }) {
    this.#calls = calls;
  }

  /** Unix ms: everything that the door received before has been added. */
  get passedMs(): number {
    return this.#passedMs;
  }

  /** Everything received before `atMs` has been added. Goes back only by `fallBack`. */
  passed(atMs: number): void {
    // Also when it says nothing new, as after the clock was set back: who waits has to ask again.
    this.#passedMs = Math.max(this.#passedMs, atMs);
    this.#calls.moved();
  }

  /** Of what was added, all that was received after `atMs` has failed and will be added again. */
  fallBack(atMs: number): void {
    this.#passedMs = Math.min(this.#passedMs, atMs);
    this.isBehind = true;
  }

  /** Asks the door to find out how far it is. */
  want(): void {
    this.#calls.want();
  }
}
