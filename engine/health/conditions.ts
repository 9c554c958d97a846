/**
 * What is wrong at the moment. A condition begins and is over; it is told once when it begins and
 * once when it is over, however often somebody runs into it meanwhile. `/readyz`, `/metrics` and
 * the log all read from here, so they never disagree.
 */
import type { Clock } from '../time/clock.ts';
import { type Cause, factsOf } from './causes.ts';

/** Says what is wrong, from one place. Repeating oneself is cheap and changes nothing. */
export interface ConditionReporter {
  /**
   * @param where names what is affected among its like, `webhook crm`; empty when there is one
   * @param message a sentence: what is wrong, and what to do about it
   */
  begin(cause: Cause, where: string, message: string): void;
  over(cause: Cause, where: string): void;
}

/** A condition as it crosses a thread; without a message it is over. */
export interface ConditionReport {
  readonly cause: Cause;
  readonly where: string;
  readonly message?: string;
}

export interface Condition {
  readonly cause: Cause;
  readonly where: string;
  readonly message: string;
  /** Unix ms. */
  readonly sinceMs: number;
  /** It keeps Lapse from being ready. */
  readonly blocks: boolean;
}

export interface ConditionListener {
  /** Called once a condition. */
  began(condition: Condition): void;
  /** Called once for each that was told. @param ms how long it lasted */
  over(condition: Condition, ms: number): void;
}

interface Entry extends Condition {
  message: string;
  /** Who says so; it is over when none does any more. */
  readonly sources: Set<string>;
  /** Not told in the log before, Unix ms. */
  quietUntilMs: number;
  isTold: boolean;
}

/** What followed from something else is told when it outlives it by so long. */
const AFTERWARDS_MS = 2_000;

export class Conditions {
  readonly #clock: Clock;
  readonly #listener: ConditionListener;
  readonly #entries = new Map<string, Entry>();
  readonly #begun = new Map<Cause, number>();

  constructor(clock: Clock, listener: ConditionListener) {
    this.#clock = clock;
    this.#listener = listener;
  }

  /** @param source a thread or a part of one; several may say the same */
  from(source: string): ConditionReporter {
    return {
      begin: (cause, where, message) => this.#begin(source, cause, where, message),
      over: (cause, where) => this.#over(source, cause, where),
    };
  }

  /** Those that are open, oldest first, without those that only follow from another one. */
  open(): readonly Condition[] {
    return [...this.#entries.values()].filter((entry) => entry.isTold || !this.#follows(entry));
  }

  /** Those for which Lapse is not ready. */
  blocking(): readonly Condition[] {
    return this.open().filter(({ blocks }) => blocks);
  }

  isOpen(cause: Cause): boolean {
    return this.open().some((condition) => condition.cause === cause);
  }

  /** Whether this source says so. */
  isSaidBy(source: string, cause: Cause): boolean {
    for (const entry of this.#entries.values()) {
      if (entry.cause === cause && entry.sources.has(source)) return true;
    }
    return false;
  }

  /** How often a condition of this cause has begun. */
  begunCount(cause: Cause): number {
    return this.#begun.get(cause) ?? 0;
  }

  #begin(source: string, cause: Cause, where: string, message: string): void {
    const known = this.#entries.get(keyOf(cause, where));
    if (known !== undefined) {
      // The newest sentence of the one who said it first: of several, any is right.
      if (known.sources.values().next().value === source) known.message = message;
      known.sources.add(source);
      return;
    }
    const { blocks, quietMs = 0 } = factsOf(cause);
    const sinceMs = this.#clock.now();
    const sources = new Set([source]);
    const quietUntilMs = sinceMs + quietMs;
    const entry = { cause, where, message, sinceMs, blocks, sources, quietUntilMs, isTold: false };
    this.#entries.set(keyOf(cause, where), entry);
    this.#begun.set(cause, this.begunCount(cause) + 1);
    this.#tell(entry);
  }

  #over(source: string, cause: Cause, where: string): void {
    const entry = this.#entries.get(keyOf(cause, where));
    if (entry === undefined || !entry.sources.delete(source) || entry.sources.size > 0) return;
    this.#entries.delete(keyOf(cause, where));
    if (entry.isTold) this.#listener.over(entry, this.#clock.now() - entry.sinceMs);
    // What followed from it may go on without it; mostly it is over in a moment as well.
    const afterwardsMs = this.#clock.now() + AFTERWARDS_MS;
    for (const other of this.#entries.values()) {
      if (other.isTold || !factsOf(other.cause).followsFrom?.includes(cause)) continue;
      other.quietUntilMs = Math.max(other.quietUntilMs, afterwardsMs);
      this.#tell(other);
    }
  }

  /** Tells that it has begun, unless it is told, over, too young, or follows from another one. */
  #tell(entry: Entry): void {
    if (entry.isTold || this.#entries.get(keyOf(entry.cause, entry.where)) !== entry) return;
    if (this.#follows(entry)) return;
    const { quietUntilMs } = entry;
    if (this.#clock.now() < quietUntilMs) {
      if (quietUntilMs < Infinity) this.#clock.at(quietUntilMs, () => this.#tell(entry));
      return;
    }
    entry.isTold = true;
    this.#listener.began(entry);
  }

  #follows({ cause }: Entry): boolean {
    const { followsFrom = [] } = factsOf(cause);
    for (const entry of this.#entries.values()) {
      if (entry.cause !== cause && followsFrom.includes(entry.cause)) return true;
    }
    return false;
  }
}

/** Takes over what a thread has reported. */
export function applyReport(
  reporter: ConditionReporter,
  { cause, where, message }: ConditionReport,
): void {
  if (message === undefined) reporter.over(cause, where);
  else reporter.begin(cause, where, message);
}

/** For a thread: reports changes only, so that what repeats itself does not cross over. */
export function reportingTo(post: (report: ConditionReport) => void): ConditionReporter {
  const open = new Map<string, string>();
  return {
    begin(cause, where, message) {
      const key = keyOf(cause, where);
      if (open.get(key) === message) return;
      open.set(key, message);
      post({ cause, where, message });
    },
    over(cause, where) {
      if (open.delete(keyOf(cause, where))) post({ cause, where });
    },
  };
}

/** For those whom nobody asks. */
export const silentReporter: ConditionReporter = { begin() {}, over() {} };

function keyOf(cause: Cause, where: string): string {
  return `${cause} ${where}`;
}
