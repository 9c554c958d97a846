/**
 * The cancelling events of the last seconds, so that one that overtook its opener still cancels
 * it (E3). A ring, about in order of receipt; few enough to be found through a small hash of chains.
 */
const BUCKETS = 1024;
const START = 256;
export const CANCEL_FIELDS = 6;
/** Above this the oldest is forgotten before its time, and counted. */
const ENTRIES_MAX = 262_144;

export interface RecentCancelsSnapshot {
  /** Six numbers an entry: key hash (two words), rule, match, event time, receipt. */
  readonly entries: Float64Array;
}

export class RecentCancels {
  readonly #windowMs: number;
  #capacity = START;
  #lo = new Uint32Array(START);
  #hi = new Uint32Array(START);
  #rule = new Uint16Array(START);
  #match = new Uint32Array(START);
  #eventAt = new Float64Array(START);
  #receivedAt = new Float64Array(START);
  /** Number (not place) of the entry before in the same chain; below `#oldest` it is gone. */
  #before = new Float64Array(START);
  readonly #heads = new Float64Array(BUCKETS).fill(-1);
  #oldest = 0;
  #end = 0;
  evictedEarly = 0;

  /** @param windowMs how long after its receipt an event still cancels, by partition time */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  get count(): number {
    return this.#end - this.#oldest;
  }

  /**
   * @param receivedAtMs may be older than that of the one before, or ahead of partition time
   * @param timeMs partition time: what is too old by then is forgotten
   */
  add(
    lo: number,
    hi: number,
    rule: number,
    match: number,
    eventAtMs: number,
    receivedAtMs: number,
    timeMs: number,
  ): void {
    if (this.#windowMs === 0) return;
    this.#expire(timeMs);
    if (this.count === this.#capacity) {
      if (this.#capacity === ENTRIES_MAX) {
        this.#oldest++;
        this.evictedEarly++;
      } else this.#grow();
    }
    const number = this.#end++;
    const at = number % this.#capacity;
    const bucket = (lo ^ hi) & (BUCKETS - 1);
    this.#lo[at] = lo;
    this.#hi[at] = hi;
    this.#rule[at] = rule;
    this.#match[at] = match;
    this.#eventAt[at] = eventAtMs;
    this.#receivedAt[at] = receivedAtMs;
    this.#before[at] = this.#heads[bucket]!;
    this.#heads[bucket] = number;
  }

  /**
   * True when a cancelling event of this user and rule with `afterMs < its time ≤ untilMs` came
   * at most the window before `nowMs`, which may be ahead of partition time.
   * @param match hash of the match value, 0 when the rule has none
   */
  has(
    lo: number,
    hi: number,
    rule: number,
    match: number,
    afterMs: number,
    untilMs: number,
    nowMs: number,
  ): boolean {
    if (this.count === 0) return false;
    const oldestMs = nowMs - this.#windowMs;
    let number = this.#heads[(lo ^ hi) & (BUCKETS - 1)]!;
    while (number >= this.#oldest) {
      const at = number % this.#capacity;
      if (
        this.#lo[at] === lo &&
        this.#hi[at] === hi &&
        this.#rule[at] === rule &&
        this.#match[at] === match &&
        this.#receivedAt[at]! >= oldestMs &&
        this.#eventAt[at]! > afterMs &&
        this.#eventAt[at]! <= untilMs
      ) {
        return true;
      }
      number = this.#before[at]!;
    }
    return false;
  }

  /** Gives the entries of a user that still cancel, the newest first. */
  forEach(
    lo: number,
    hi: number,
    nowMs: number,
    each: (rule: number, match: number, eventAtMs: number, receivedAtMs: number) => void,
  ): void {
    const oldestMs = nowMs - this.#windowMs;
    let number = this.#heads[(lo ^ hi) & (BUCKETS - 1)]!;
    for (; number >= this.#oldest; number = this.#before[number % this.#capacity]!) {
      const at = number % this.#capacity;
      if (this.#lo[at] !== lo || this.#hi[at] !== hi) continue;
      const receivedAtMs = this.#receivedAt[at]!;
      if (receivedAtMs < oldestMs) continue;
      each(this.#rule[at]!, this.#match[at]!, this.#eventAt[at]!, receivedAtMs);
    }
  }

  /** Numbers of the rules that an entry still cancels for. */
  rulesAt(nowMs: number): ReadonlySet<number> {
    const rules = new Set<number>();
    for (let number = this.#oldest; number < this.#end; number++) {
      const at = number % this.#capacity;
      if (this.#receivedAt[at]! >= nowMs - this.#windowMs) rules.add(this.#rule[at]!);
    }
    return rules;
  }

  #expire(timeMs: number): void {
    const limit = timeMs - this.#windowMs;
    while (this.#oldest < this.#end && this.#receivedAt[this.#oldest % this.#capacity]! < limit) {
      this.#oldest++;
    }
  }

  #grow(): void {
    const { entries } = this.freeze();
    this.#allocate(this.#capacity * 2);
    for (let at = 0; at < entries.length; at += CANCEL_FIELDS) this.#push(entries, at);
  }

  #allocate(capacity: number): void {
    this.#capacity = capacity;
    this.#lo = new Uint32Array(capacity);
    this.#hi = new Uint32Array(capacity);
    this.#rule = new Uint16Array(capacity);
    this.#match = new Uint32Array(capacity);
    this.#eventAt = new Float64Array(capacity);
    this.#receivedAt = new Float64Array(capacity);
    this.#before = new Float64Array(capacity);
    this.#heads.fill(-1);
    this.#oldest = 0;
    this.#end = 0;
  }

  #push(entries: Float64Array, at: number): void {
    const [lo, hi, rule, match, eventAtMs, receivedAtMs] = entries.subarray(at, at + CANCEL_FIELDS);
    this.add(lo!, hi!, rule!, match!, eventAtMs!, receivedAtMs!, -Infinity);
  }

  freeze(): RecentCancelsSnapshot {
    const entries = new Float64Array(this.count * CANCEL_FIELDS);
    let to = 0;
    for (let number = this.#oldest; number < this.#end; number++) {
      const at = number % this.#capacity;
      entries[to++] = this.#lo[at]!;
      entries[to++] = this.#hi[at]!;
      entries[to++] = this.#rule[at]!;
      entries[to++] = this.#match[at]!;
      entries[to++] = this.#eventAt[at]!;
      entries[to++] = this.#receivedAt[at]!;
    }
    return { entries };
  }

  restore({ entries }: RecentCancelsSnapshot): void {
    this.#allocate(START);
    for (let at = 0; at < entries.length; at += CANCEL_FIELDS) this.#push(entries, at);
  }
}
