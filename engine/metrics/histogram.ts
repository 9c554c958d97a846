/**
 * A histogram of durations in ms: plain counts, nothing allocated for a sample. Its steps are
 * decimal (1.00, 1.05 … 2.0, 2.1 … 5.00, 5.25 … 10), so that a bound that people name, such as
 * 50 ms or 2.5 s, is the end of a step, and what lies below it is counted exactly. A quantile is
 * within 5 % of the truth; from 1 µs to 11 days.
 */
const DECADES = 12;
const LOWEST_MS = 0.001;
/** Ends of the steps in ms, ascending. A step holds what is above the end before it. */
const ENDS_MS = endsMs();
const STEPS = ENDS_MS.length;

function endsMs(): Float64Array {
  const hundredths: number[] = [];
  for (let at = 100; at < 1_000; at += at < 200 ? 5 : at < 500 ? 10 : 25) hundredths.push(at);
  return Float64Array.from({ length: DECADES * hundredths.length }, (_, i) => {
    const decade = Math.floor(i / hundredths.length);
    // One division of whole numbers: the result is the number that its decimal form means.
    return (hundredths[i % hundredths.length]! * 10 ** decade) / (100 / LOWEST_MS);
  });
}

export class Histogram {
  readonly counts = new Float64Array(STEPS);
  count = 0;
  sumMs = 0;
  maxMs = 0;

  record(ms: number): void {
    this.count++;
    this.sumMs += ms;
    if (ms > this.maxMs) this.maxMs = ms;
    this.counts[Math.min(STEPS - 1, stepsEndingBefore(ms))]!++;
  }

  /** @param share 0–1. The end of the step in which the quantile falls; 0 when empty. */
  quantileMs(share: number): number {
    const wanted = Math.ceil(share * this.count);
    let seen = 0;
    for (let i = 0; i < STEPS; i++) {
      seen += this.counts[i]!;
      if (seen >= wanted && seen > 0) return Math.min(ENDS_MS[i]!, this.maxMs);
    }
    return 0;
  }

  /** Adds what another one (of another thread) has counted. */
  merge(other: HistogramCounts): void {
    for (let i = 0; i < STEPS; i++) this.counts[i]! += other.counts[i]!;
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

/**
 * How many samples are at most as long as each of some bounds.
 * @param boundsMs ascending; exact where a bound is the end of a step
 */
export function countsUpTo({ counts }: HistogramCounts, boundsMs: readonly number[]): number[] {
  let step = 0;
  let seen = 0;
  return boundsMs.map((boundMs) => {
    while (step < STEPS && ENDS_MS[step]! <= boundMs) seen += counts[step++]!;
    return seen;
  });
}

/** How many steps end before a duration, which is the number of the step that holds it. */
function stepsEndingBefore(ms: number): number {
  let low = 0;
  let high = STEPS;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ENDS_MS[middle]! < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}
