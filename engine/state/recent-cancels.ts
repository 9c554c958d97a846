/**
 * The cancelling events of the last seconds, so that one that overtook its opener still cancels
 * it (E3). A ring, about in order of receipt, with two chains through it: of a user and a rule, by
 * which an opener finds its entries whatever else the user has, and of a user, for one who leaves.
 * Users and match values are fingerprints under the log's secret: nobody can choose equal ones.
 */
import { type Hash64, mix32 } from './hash.ts';

const START = 256;
export const CANCEL_FIELDS = 6;
/** Above this the oldest is forgotten before its time, and counted. */
const ENTRIES_MAX = 262_144;

export interface RecentCancelsSnapshot {
  /** Six numbers an entry: fingerprint of the user (two words), rule, match, event time, receipt. */
  readonly entries: Float64Array;
}

/** A number's place is the number modulo how many there is room for. */
interface Columns {
  readonly lo: Uint32Array;
  readonly hi: Uint32Array;
  readonly rule: Uint16Array;
  readonly match: Float64Array;
  readonly eventAtMs: Float64Array;
  readonly receivedAtMs: Float64Array;
  /** Number of the entry before in the chain of user and rule; below `#oldest` it is gone. */
  readonly before: Float64Array;
  readonly beforeOfUser: Float64Array;
  /** Numbers of the newest entries by hash. */
  readonly heads: Float64Array;
  readonly headsOfUsers: Float64Array;
}

export class RecentCancels {
  readonly #windowMs: number;
  #capacity = START;
  #columns = columnsOf(START);
  /** Entries of each rule. */
  readonly #ofRule = new Map<number, number>();
  #oldest = 0;
  #end = 0;
  evictedEarly = 0;
  /** Entries looked at since the start, for tests of how the cost grows. */
  steps = 0;

  /** @param windowMs how long after its receipt an event still cancels, by partition time */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  get count(): number {
    return this.#end - this.#oldest;
  }

  /**
   * @param user the user's fingerprint
   * @param match fingerprint of the match value, 0 when the rule has none
   * @param receivedAtMs may be older than that of the one before, or ahead of partition time
   * @param timeMs partition time: what is too old by then is forgotten
   */
  add(
    { lo, hi }: Hash64,
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
        this.#forgetOldest();
        this.evictedEarly++;
      } else this.#grow();
    }
    const columns = this.#columns;
    const number = this.#end++;
    const at = number % this.#capacity;
    const head = hashOf(lo, rule) % this.#capacity;
    const headOfUser = lo % this.#capacity;
    columns.lo[at] = lo;
    columns.hi[at] = hi;
    columns.rule[at] = rule;
    columns.match[at] = match;
    columns.eventAtMs[at] = eventAtMs;
    columns.receivedAtMs[at] = receivedAtMs;
    columns.before[at] = columns.heads[head]!;
    columns.heads[head] = number;
    columns.beforeOfUser[at] = columns.headsOfUsers[headOfUser]!;
    columns.headsOfUsers[headOfUser] = number;
    this.#ofRule.set(rule, (this.#ofRule.get(rule) ?? 0) + 1);
  }

  /**
   * True when a cancelling event of this user and rule with `afterMs < its time ≤ untilMs` came
   * at most the window before `nowMs`, which may be ahead of partition time.
   */
  has(
    { lo, hi }: Hash64,
    rule: number,
    match: number,
    afterMs: number,
    untilMs: number,
    nowMs: number,
  ): boolean {
    if (this.count === 0) return false;
    const oldestMs = nowMs - this.#windowMs;
    const columns = this.#columns;
    let number = columns.heads[hashOf(lo, rule) % this.#capacity]!;
    while (number >= this.#oldest) {
      this.steps++;
      const at = number % this.#capacity;
      if (
        columns.lo[at] === lo &&
        columns.hi[at] === hi &&
        columns.rule[at] === rule &&
        columns.match[at] === match &&
        columns.receivedAtMs[at]! >= oldestMs &&
        columns.eventAtMs[at]! > afterMs &&
        columns.eventAtMs[at]! <= untilMs
      ) {
        return true;
      }
      number = columns.before[at]!;
    }
    return false;
  }

  /** Gives the entries of a user that still cancel, the newest first. */
  forEach(
    { lo, hi }: Hash64,
    nowMs: number,
    each: (rule: number, match: number, eventAtMs: number, receivedAtMs: number) => void,
  ): void {
    const oldestMs = nowMs - this.#windowMs;
    const columns = this.#columns;
    let number = columns.headsOfUsers[lo % this.#capacity]!;
    for (; number >= this.#oldest; number = columns.beforeOfUser[number % this.#capacity]!) {
      this.steps++;
      const at = number % this.#capacity;
      if (columns.lo[at] !== lo || columns.hi[at] !== hi) continue;
      const receivedAtMs = columns.receivedAtMs[at]!;
      if (receivedAtMs < oldestMs) continue;
      each(columns.rule[at]!, columns.match[at]!, columns.eventAtMs[at]!, receivedAtMs);
    }
  }

  /** Whether there is an entry of the rule. @param timeMs partition time */
  remembers(rule: number, timeMs: number): boolean {
    this.#expire(timeMs);
    return this.#ofRule.has(rule);
  }

  #expire(timeMs: number): void {
    const limit = timeMs - this.#windowMs;
    const { receivedAtMs } = this.#columns;
    while (this.count > 0 && receivedAtMs[this.#oldest % this.#capacity]! < limit) {
      this.#forgetOldest();
    }
  }

  #forgetOldest(): void {
    const rule = this.#columns.rule[this.#oldest++ % this.#capacity]!;
    const left = this.#ofRule.get(rule)! - 1;
    if (left === 0) this.#ofRule.delete(rule);
    else this.#ofRule.set(rule, left);
  }

  #grow(): void {
    const { entries } = this.freeze();
    this.#allocate(this.#capacity * 2);
    for (let at = 0; at < entries.length; at += CANCEL_FIELDS) this.#push(entries, at);
  }

  #allocate(capacity: number): void {
    this.#capacity = capacity;
    this.#columns = columnsOf(capacity);
    this.#ofRule.clear();
    this.#oldest = 0;
    this.#end = 0;
  }

  #push(entries: Float64Array, at: number): void {
    const [lo, hi, rule, match, eventAtMs, receivedAtMs] = entries.subarray(at, at + CANCEL_FIELDS);
    this.add({ lo: lo!, hi: hi! }, rule!, match!, eventAtMs!, receivedAtMs!, -Infinity);
  }

  freeze(): RecentCancelsSnapshot {
    const entries = new Float64Array(this.count * CANCEL_FIELDS);
    const columns = this.#columns;
    let to = 0;
    for (let number = this.#oldest; number < this.#end; number++) {
      const at = number % this.#capacity;
      entries[to++] = columns.lo[at]!;
      entries[to++] = columns.hi[at]!;
      entries[to++] = columns.rule[at]!;
      entries[to++] = columns.match[at]!;
      entries[to++] = columns.eventAtMs[at]!;
      entries[to++] = columns.receivedAtMs[at]!;
    }
    return { entries };
  }

  restore({ entries }: RecentCancelsSnapshot): void {
    this.#allocate(START);
    for (let at = 0; at < entries.length; at += CANCEL_FIELDS) this.#push(entries, at);
  }
}

function columnsOf(capacity: number): Columns {
  return {
    lo: new Uint32Array(capacity),
    hi: new Uint32Array(capacity),
    rule: new Uint16Array(capacity),
    match: new Float64Array(capacity),
    eventAtMs: new Float64Array(capacity),
    receivedAtMs: new Float64Array(capacity),
    before: new Float64Array(capacity),
    beforeOfUser: new Float64Array(capacity),
    heads: new Float64Array(capacity).fill(-1),
    headsOfUsers: new Float64Array(capacity).fill(-1),
  };
}

function hashOf(lo: number, rule: number): number {
  return mix32(lo ^ Math.imul(rule + 1, 0x9e3779b1));
}
