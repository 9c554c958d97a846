import type { TransportResult } from '../../engine/sender/transport.ts';

/** Answers of so long are counted, */
const WINDOW_MS = 60_000;
const BUCKETS = 6;
const BUCKET_MS = WINDOW_MS / BUCKETS;
/** and with so many of them, */
const ANSWERS_MIN = 10;
/** of which this share failed, it opens; */
const FAILED_SHARE = 0.7;
/** for so long at first, twice as long after each probe that fails, */
const OPEN_MS_MIN = 15_000;
/** and never for longer. */
const OPEN_MS_MAX = 300_000;

/**
 * The circuit breaker of a webhook. A receiver that is down costs every message an attempt, and
 * when it comes up, all of them at once would bring it down again. So after many failures nothing
 * is sent for a while, then one request alone, and its answer decides.
 *
 *   closed ──(≥ 10 answers in a minute, ≥ 70 % failed)──▶ open ──(time)──▶ half open
 *     ▲                                                     ▲                  │
 *     └───────────────── the probe succeeds ────────────────┼──────────────────┤
 *                                                           └── it fails ──────┘
 *
 * Changed by answers alone, so a replay of them decides alike. Known limit: it is closed after a
 * restart, and opens again after ten failures.
 */
export class Breaker {
  /** A ring; of those that are too old nothing counts. */
  readonly #total = new Array<number>(BUCKETS).fill(0);
  readonly #failed = new Array<number>(BUCKETS).fill(0);
  #bucket = 0;
  /** 0: closed. */
  #openMs = 0;
  #openUntilMs = 0;

  /** Nothing may be sent before this, Unix ms. */
  get openUntilMs(): number {
    return this.#openUntilMs;
  }

  /** While it is not, one request goes at a time, once time has come: its answer decides. */
  get isClosed(): boolean {
    return this.#openMs === 0;
  }

  /** @param startedAtMs when the request of the answer was sent */
  answered(result: TransportResult, startedAtMs: number, nowMs: number): void {
    const hasFailed = isFailure(result);
    if (!this.isClosed) {
      // Sent before it opened: it says nothing of how things are now.
      if (startedAtMs < this.#openUntilMs) return;
      if (hasFailed) this.#open(nowMs, Math.min(this.#openMs * 2, OPEN_MS_MAX));
      else this.#close();
      return;
    }
    this.#turnTo(Math.floor(nowMs / BUCKET_MS));
    const at = this.#bucket % BUCKETS;
    this.#total[at]!++;
    if (!hasFailed) return;
    this.#failed[at]!++;
    const total = sumOf(this.#total);
    if (total >= ANSWERS_MIN && sumOf(this.#failed) >= total * FAILED_SHARE) {
      this.#open(nowMs, OPEN_MS_MIN);
    }
  }

  #open(nowMs: number, openMs: number): void {
    this.#openMs = openMs;
    this.#openUntilMs = nowMs + openMs;
  }

  #close(): void {
    this.#openMs = 0;
    this.#openUntilMs = 0;
    this.#total.fill(0);
    this.#failed.fill(0);
  }

  #turnTo(bucket: number): void {
    const steps = Math.min(BUCKETS, Math.max(0, bucket - this.#bucket));
    for (let i = 1; i <= steps; i++) {
      const at = (bucket - steps + i) % BUCKETS;
      this.#total[at] = 0;
      this.#failed[at] = 0;
    }
    this.#bucket = Math.max(this.#bucket, bucket);
  }
}

/** A receiver that refuses a message is alive, and so is one that asks for a while. */
function isFailure(result: TransportResult): boolean {
  if ('error' in result) return result.error !== 'invalid-request' && result.error !== 'cancelled';
  if (result.retryAfter !== undefined) return false;
  return result.status === 408 || result.status >= 500;
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
