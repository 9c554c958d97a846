/**
 * A log-linear histogram of durations in ms: plain counts, nothing allocated for a sample. 16
 * steps a power of two, so a quantile is within about 6 % of the truth; from 1 µs to 36 h.
 */
const STEPS = 16;
const LOWEST_MS = 0.001;
const POWERS = 37;
const BUCKETS = POWERS * STEPS;

export class Histogram {
  readonly counts: Float64Array;
  count = 0;
  sumMs = 0;
  maxMs = 0;

  constructor(counts: Float64Array = new Float64Array(BUCKETS)) {
    this.counts = counts;
  }

  record(ms: number): void {
    this.count++;
    this.sumMs += ms;
    if (ms > this.maxMs) this.maxMs = ms;
    const units = Math.max(ms / LOWEST_MS, 1);
    const power = Math.min(POWERS - 1, Math.floor(Math.log2(units)));
    const step = Math.min(STEPS - 1, Math.floor((units / 2 ** power - 1) * STEPS));
    this.counts[power * STEPS + step]!++;
  }

  /** @param share 0–1. The upper end of the bucket in which the quantile falls; 0 when empty. */
  quantileMs(share: number): number {
    const wanted = Math.ceil(share * this.count);
    let seen = 0;
    for (let i = 0; i < BUCKETS; i++) {
      seen += this.counts[i]!;
      if (seen >= wanted && seen > 0) {
        const upper = LOWEST_MS * 2 ** Math.floor(i / STEPS) * (1 + ((i % STEPS) + 1) / STEPS);
        return Math.min(upper, this.maxMs);
      }
    }
    return 0;
  }

  /** Adds what another one (of another thread) has counted. */
  merge(other: HistogramCounts): void {
    for (let i = 0; i < BUCKETS; i++) this.counts[i]! += other.counts[i]!;
    this.count += other.count;
    this.sumMs += other.sumMs;
    this.maxMs = Math.max(this.maxMs, other.maxMs);
  }

  toCounts(): HistogramCounts {
    return { counts: this.counts.slice(), count: this.count, sumMs: this.sumMs, maxMs: this.maxMs };
  }
}

/** A histogram as it crosses a thread. */
export interface HistogramCounts {
  readonly counts: Float64Array;
  readonly count: number;
  readonly sumMs: number;
  readonly maxMs: number;
}
