import { Histogram, type HistogramConfiguration, type MetricValueWithName } from 'prom-client';
import { countsUpTo, type HistogramCounts } from '../../engine/metrics/histogram.ts';

export interface LabelledCounts {
  readonly labels: Readonly<Record<string, string>>;
  readonly counts: HistogramCounts;
}

/**
 * From half a millisecond, below which nobody asks, to the hour after which a message expires by
 * default. Each is the end of a step of the engine's histograms, so the counts are exact.
 */
export const DURATION_BOUNDS_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
  1_800, 3_600,
] as const;

const MS = 1_000;
const BOUNDS_MS = DURATION_BOUNDS_SECONDS.map((seconds) => seconds * MS);

/** A Prometheus histogram whose samples the engine's threads have counted already. */
export class RecordedHistogram extends Histogram<string> {
  readonly #configuration: HistogramConfiguration<string>;
  readonly #recorded: () => readonly LabelledCounts[];

  constructor(
    configuration: HistogramConfiguration<string>,
    recorded: () => readonly LabelledCounts[],
  ) {
    super(configuration);
    this.#configuration = configuration;
    this.#recorded = recorded;
  }

  /** What the registry asks for; prom-client's types leave it out, though `get` is made of it. */
  async getForPromString(): Promise<object> {
    const { name, help } = this.#configuration;
    const values = this.#recorded().flatMap((one) => valuesOf(name, one));
    return { name, help, type: 'histogram', values };
  }
}

function valuesOf(name: string, { labels, counts }: LabelledCounts): MetricValueWithName<string>[] {
  const metricName = `${name}_bucket`;
  const buckets = countsUpTo(counts, BOUNDS_MS).map((value, i) => ({
    metricName,
    labels: { ...labels, le: DURATION_BOUNDS_SECONDS[i]! },
    value,
  }));
  return [
    ...buckets,
    { metricName, labels: { ...labels, le: '+Inf' }, value: counts.count },
    { metricName: `${name}_sum`, labels, value: counts.sumMs / MS },
    { metricName: `${name}_count`, labels, value: counts.count },
  ];
}
