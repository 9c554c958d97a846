import { Counter, Gauge, Registry } from 'prom-client';
import { Histogram, type HistogramCounts } from '../../engine/metrics/histogram.ts';

/** One value with its labels. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What a metric is; the samples are asked for when somebody scrapes. */
export interface MetricSource {
  readonly name: string;
  readonly help: string;
  readonly kind: 'counter' | 'gauge';
  readonly labels?: readonly string[];
  readonly samples: () => readonly Sample[];
}

/** Quantiles of a duration by label, as gauges: they are worked out from all threads' counts. */
export interface QuantileSource {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  readonly histograms: () => readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly counts: HistogramCounts;
  }[];
}

const QUANTILES = [0.5, 0.95, 0.99, 0.999] as const;

/** `/metrics` in the Prometheus text format. */
export class Metrics {
  readonly #registry = new Registry();

  constructor(sources: readonly MetricSource[], quantiles: readonly QuantileSource[]) {
    for (const source of sources) this.#add(source);
    for (const source of quantiles) {
      const labels = [...(source.labels ?? []), 'quantile'];
      const { name, help } = source;
      this.#add({ name, help, kind: 'gauge', labels, samples: () => quantileSamples(source) });
      this.#add({
        name: `${source.name}_count`,
        help: `How many of ${source.name} there were.`,
        kind: 'counter',
        ...(source.labels === undefined ? {} : { labels: source.labels }),
        samples: () =>
          source
            .histograms()
            .map(({ labels: own, counts }) => ({ labels: own, value: counts.count })),
      });
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #add({ name, help, kind, labels = [], samples }: MetricSource): void {
    const common = { name, help, labelNames: [...labels], registers: [this.#registry] };
    if (kind === 'gauge') {
      new Gauge({
        ...common,
        collect() {
          this.reset();
          for (const { labels: own, value } of samples()) this.set({ ...own }, value);
        },
      });
      return;
    }
    new Counter({
      ...common,
      collect() {
        this.reset();
        for (const { labels: own, value } of samples()) this.inc({ ...own }, value);
      },
    });
  }
}

function quantileSamples({ histograms }: QuantileSource): Sample[] {
  return histograms().flatMap(({ labels, counts }) => {
    const histogram = new Histogram();
    histogram.merge(counts);
    return QUANTILES.map((share) => ({
      labels: { ...labels, quantile: String(share) },
      value: histogram.quantileMs(share),
    }));
  });
}
