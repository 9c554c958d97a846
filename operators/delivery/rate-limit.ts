/**
 * The rate of a webhook, by the generic cell rate algorithm (ATM Forum, I.371): one number, the
 * theoretical arrival time, instead of a bucket. Requests are spread evenly, `burst` of them may
 * go at once after a pause; in any span of S ms at most `burst + S / interval` start.
 */
export interface Rate {
  readonly limit: number;
  readonly perMs: number;
  readonly burst: number;
}

export class RateLimit {
  #intervalMs = 0;
  #toleranceMs = 0;
  /**
   * The arrival time is `base + taken × interval`: added up one by one, fractions would drift,
   * since a double of today's Unix ms has only 12 bits behind the point.
   */
  #baseAtMs = 0;
  #taken = 0;

  constructor(rate: Rate | undefined) {
    this.configure(rate);
  }

  /** A changed rate holds from the next request on; what was used up stays used up. */
  configure(rate: Rate | undefined): void {
    this.restore(this.arrivalAtMs);
    this.#intervalMs = rate === undefined ? 0 : rate.perMs / rate.limit;
    this.#toleranceMs = rate === undefined ? 0 : this.#intervalMs * (rate.burst - 1);
  }

  /**
   * When a request may start, Unix ms, if `ahead` others take their turn first; 0 without a rate.
   * May lie in the past.
   */
  freeAtMs(ahead: number, nowMs: number): number {
    if (this.#intervalMs === 0) return 0;
    const from = Math.max(this.arrivalAtMs, ahead > 0 ? nowMs : 0);
    // Rounded down: `take` goes on from the exact time, so fractions are neither lost nor gained.
    return Math.floor(from + ahead * this.#intervalMs - this.#toleranceMs);
  }

  /** Uses up one request. */
  take(nowMs: number): void {
    if (this.#intervalMs === 0) return;
    if (nowMs >= this.arrivalAtMs) this.restore(nowMs);
    this.#taken++;
  }

  /** The theoretical arrival time, for a snapshot. */
  get arrivalAtMs(): number {
    return this.#baseAtMs + this.#taken * this.#intervalMs;
  }

  restore(arrivalAtMs: number): void {
    this.#baseAtMs = arrivalAtMs;
    this.#taken = 0;
  }

  /**
   * A snapshot may be of the time before the clock was set back: what was used up then is at most
   * a whole burst, and nobody waits for longer than for that.
   */
  clamp(nowMs: number): void {
    this.restore(Math.min(this.arrivalAtMs, this.#fullAtMs(nowMs)));
  }

  #fullAtMs(nowMs: number): number {
    return nowMs + this.#toleranceMs + this.#intervalMs;
  }

  /**
   * After a crash nobody knows which requests went out last: as if the whole burst had gone at
   * this instant, so that a restart never breaks the rate.
   */
  exhaust(nowMs: number): void {
    if (this.#intervalMs > 0) this.restore(this.#fullAtMs(nowMs));
  }
}
