import type { HorizonDoor } from '../../../engine/intake/horizon.ts';
import type { Clock } from '../../../engine/time/clock.ts';

/** How far the server says that the consumer has to go. */
export interface Reach {
  /** Consumer sequence of the last message that stood in the stream when the server answered. */
  readonly consumerSequence: number;
}

export interface ReachProbeOptions {
  readonly clock: Clock;
  readonly door: HorizonDoor;
  /** Asks the server. A rejection means that it cannot tell now. */
  readonly ask: () => Promise<Reach>;
}

/** Questions are at least this far apart: a busy second of deadlines must not be one of questions. */
const GAP_MS = 5;
const RETRY_MS = 250;
/** A target that is not reached for this long may have been deleted from the stream. */
const STALE_MS = 1_000;
/** A backlog younger than this counts as caught up: it is what a busy stream looks like. */
const LAG_MS_MAX = 500;

/**
 * Finds out how far the door is. That a message was stored at T says only that all before T were
 * given to us; in an idle stream nothing says that nothing is on its way. So when somebody waits,
 * the server is asked what the last message is, and once that one has been added, everything stored
 * before the question was asked has been.
 */
export class ReachProbe {
  readonly #clock: Clock;
  readonly #door: HorizonDoor;
  readonly #ask: () => Promise<Reach>;
  #takenSequence = 0;
  #target: { readonly consumerSequence: number; readonly askedAtMs: number } | undefined;
  #isAsking = false;
  /** A question asked of an earlier consumer says nothing about this one. */
  #generation = 0;
  #isWanted = false;
  #lastAskedAtMs = Number.NEGATIVE_INFINITY;
  #cancelTimer: (() => void) | undefined;
  #isClosed = false;

  constructor(options: ReachProbeOptions) {
    this.#clock = options.clock;
    this.#door = options.door;
    this.#ask = options.ask;
  }

  /** Somebody waits for the door, or the door itself wants to know. Cheap; may be called often. */
  want(): void {
    this.#isWanted = true;
    if (this.#isClosed || this.#isAsking || this.#cancelTimer !== undefined) return;
    const nowMs = this.#clock.now();
    const waitMs = this.#target === undefined ? GAP_MS : STALE_MS;
    const askAtMs = this.#lastAskedAtMs + waitMs;
    if (nowMs >= askAtMs) this.#start(nowMs);
    else this.#askAt(askAtMs);
  }

  /** All messages up to this one have been added to the intake. */
  taken(consumerSequence: number): void {
    this.#takenSequence = consumerSequence;
    if (this.#target !== undefined) this.#settle();
  }

  /** The consumer is another one, and its sequences start again. */
  restart(): void {
    this.forget();
    this.#door.isBehind = true;
    this.want();
  }

  /** What was taken and asked says nothing any more: it comes again, from another consumer. */
  forget(): void {
    this.#generation++;
    // Asked while the server was away, the old question may stay without an answer for seconds.
    this.#isAsking = false;
    this.#takenSequence = 0;
    this.#target = undefined;
  }

  /** Contact was lost, or the door fell back. */
  fellBehind(): void {
    this.#door.isBehind = true;
    this.want();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
  }

  #askAt(atMs: number): void {
    this.#cancelTimer = this.#clock.at(atMs, () => {
      this.#cancelTimer = undefined;
      if (!this.#isClosed && this.#isWanted) this.#start(this.#clock.now());
    });
  }

  #start(nowMs: number): void {
    this.#isAsking = true;
    this.#isWanted = false;
    this.#lastAskedAtMs = nowMs;
    const generation = this.#generation;
    this.#ask().then(
      ({ consumerSequence }) => {
        if (generation !== this.#generation) return;
        this.#isAsking = false;
        if (this.#isClosed) return;
        this.#target = { consumerSequence, askedAtMs: nowMs };
        this.#settle();
        // A target that is never reached was lost on its way, and only the next question tells.
        const isOpen = this.#target !== undefined;
        if (this.#isWanted || this.#door.isBehind || isOpen) this.want();
      },
      () => {
        if (generation !== this.#generation) return;
        this.#isAsking = false;
        this.#isWanted = true;
        if (!this.#isClosed) this.#askAt(this.#clock.now() + RETRY_MS);
      },
    );
  }

  #settle(): void {
    const target = this.#target;
    if (target === undefined || this.#takenSequence < target.consumerSequence) return;
    this.#target = undefined;
    if (this.#clock.now() - target.askedAtMs <= LAG_MS_MAX) this.#door.isBehind = false;
    this.#door.passed(target.askedAtMs);
    if (this.#door.isBehind) this.want();
  }
}
