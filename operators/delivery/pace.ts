import type { TransportResult } from '../../engine/sender/transport.ts';
import { Breaker } from './breaker.ts';
import { type Rate, RateLimit } from './rate-limit.ts';
import { holdUntilMsOf, RETRY_AFTER_MS_MAX } from './retry.ts';

/** So long before its expiry a message that waits for a hold alone gets its attempt. */
const HOLD_MARGIN_MS = 1_000;
/**
 * A receiver that asks for a hold gets one of this length, whatever expires meanwhile: with a queue
 * of which something is always about to expire, the hold would never begin.
 */
const HOLD_MS_MIN = 1_000;

/** When a lane may send: its rate, its breaker, and how long its receiver has asked it to wait. */
export class Pace {
  readonly #rate: RateLimit;
  readonly #breaker = new Breaker();
  #holdUntilMs = 0;

  constructor(rate: Rate | undefined) {
    this.#rate = new RateLimit(rate);
  }

  configure(rate: Rate | undefined): void {
    this.#rate.configure(rate);
  }

  /** When a request may start, Unix ms, if `ahead` others take their turn first; may be past. */
  freeAtMs(ahead: number, nowMs: number): number {
    const { openUntilMs } = this.#breaker;
    return Math.max(this.#holdUntilMs, openUntilMs, this.#rate.freeAtMs(ahead, nowMs));
  }

  /** How many requests may be under way at a time, of so many that the webhook allows. */
  flightsMax(maxInFlight: number): number {
    return this.#breaker.isClosed ? maxInFlight : 1;
  }

  /** An answer has come, whatever it is. */
  heard(result: TransportResult, startedAtMs: number, nowMs: number): void {
    this.#breaker.answered(result, startedAtMs, nowMs);
  }

  /** A request starts. */
  take(nowMs: number): void {
    this.#rate.take(nowMs);
  }

  /**
   * Takes in an answer that is not the last one.
   * @param expiresAtMs when the first of the lane's messages expires
   * @returns until when it holds the lane, Unix ms; 0 when it does not ask for that
   */
  answered(result: TransportResult, nowMs: number, expiresAtMs: number): number {
    const askedMs = holdUntilMsOf(result, nowMs);
    if (askedMs === 0) return 0;
    const endMs = Math.max(nowMs + HOLD_MS_MIN, expiresAtMs - HOLD_MARGIN_MS);
    this.#holdUntilMs = Math.min(Math.max(this.#holdUntilMs, askedMs), endMs);
    return this.#holdUntilMs;
  }

  /** A hold ends early enough for a message that comes during it and would expire by it alone. */
  expiring(expiresAtMs: number, nowMs: number): void {
    const endMs = Math.max(nowMs, expiresAtMs - HOLD_MARGIN_MS);
    this.#holdUntilMs = Math.min(this.#holdUntilMs, endMs);
  }

  /** For a snapshot. */
  get rateArrivalAtMs(): number {
    return this.#rate.arrivalAtMs;
  }

  get holdUntilMs(): number {
    return this.#holdUntilMs;
  }

  /**
   * After the records of an earlier run. What they say may be of a clock that was set back since:
   * nobody waits for longer than the longest that an answer can ask for.
   * @param isClean whether it is known of every request that went out
   */
  recovered(
    stored: { readonly rateArrivalAtMs: number; readonly holdUntilMs: number },
    isClean: boolean,
    nowMs: number,
  ): void {
    this.#rate.restore(stored.rateArrivalAtMs);
    this.#holdUntilMs = Math.min(stored.holdUntilMs, nowMs + RETRY_AFTER_MS_MAX);
    if (isClean) this.#rate.clamp(nowMs);
    else this.#rate.exhaust(nowMs);
  }
}
