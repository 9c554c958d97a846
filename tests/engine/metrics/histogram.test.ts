import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countsUpTo, Histogram } from '../../../engine/metrics/histogram.ts';

/** The longest step, compared with its beginning. */
const ERROR_SHARE = 1 / 20;
const LOWEST_MS = 0.001;
const durationMs = fc.double({ min: 0, max: 36 * 3_600_000, noNaN: true });

function histogramOf(samples: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const ms of samples) histogram.record(ms);
  return histogram;
}

describe('histogram', () => {
  test('quantiles are not below the truth and at most a twentieth above it', () => {
    fc.assert(
      fc.property(
        fc.array(durationMs, { minLength: 1 }),
        fc.double({ min: 0.001, max: 1, noNaN: true }),
        (samples, share) => {
          const sorted = [...samples].sort((a, b) => a - b);
          const truth = sorted[Math.ceil(share * sorted.length) - 1]!;
          const got = histogramOf(samples).quantileMs(share);
          const upper = Math.max(truth, LOWEST_MS) * (1 + ERROR_SHARE) * (1 + 1e-9);
          expect(got).toBeGreaterThanOrEqual(truth * (1 - 1e-9));
          expect(got).toBeLessThanOrEqual(upper);
        },
      ),
    );
  });

  test('merged histograms count as one of all samples', () => {
    fc.assert(
      fc.property(fc.array(durationMs), fc.array(durationMs), (left, right) => {
        const merged = histogramOf(left);
        merged.merge(structuredClone(histogramOf(right).toCounts()));
        const both = histogramOf([...left, ...right]);
        expect(merged.counts).toEqual(both.counts);
        expect([merged.count, merged.maxMs]).toEqual([both.count, both.maxMs]);
        expect(merged.sumMs).toBeCloseTo(both.sumMs, 3);
      }),
    );
  });

  test('holds what lies outside of its range in its first and last steps', () => {
    const histogram = histogramOf([-5, 0, 1e15]);
    expect(histogram.count).toBe(3);
    expect(histogram.counts[0]).toBe(2);
    expect(histogram.counts.at(-1)).toBe(1);
  });

  test('counts what is at most as long as a bound exactly, for bounds that people name', () => {
    const boundsMs = [0.5, 1, 2.5, 5, 10, 50, 250, 1_000, 30_000, 60_000, 1_800_000, 3_600_000];
    for (const boundMs of boundsMs) {
      const histogram = histogramOf([boundMs * 0.999, boundMs, boundMs * 1.001]);
      expect(countsUpTo(histogram, [boundMs])).toEqual([2]);
    }
    const { length } = boundsMs;
    const all = histogramOf(boundsMs).toCounts();
    expect(countsUpTo(all, boundsMs)).toEqual(Array.from({ length }, (_, i) => i + 1));
  });

  test('is 0 when empty', () => {
    expect(new Histogram().quantileMs(0.5)).toBe(0);
  });
});
