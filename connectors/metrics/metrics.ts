import { Counter, Gauge, Registry } from 'prom-client';
import type { HistogramCounts } from '../../engine/metrics/histogram.ts';
import { DURATION_BOUNDS_SECONDS, type LabelledCounts, RecordedHistogram } from './histograms.ts';
import { collectProcessMetrics } from './process-metrics.ts';

type Labels = Readonly<Record<string, string>>;

/** One value with its labels. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/**
 * What a metric is; the samples are asked for when somebody scrapes. Names follow Prometheus:
 * `lapse_`, the thing in the plural, the base unit (`seconds`, `bytes`), and `total` for counters.
 */
export interface MetricSource {
  readonly name: string;
  readonly help: string;
  readonly kind: 'counter' | 'gauge';
  readonly labels?: readonly string[];
  /** Empty while nothing is known. */
  readonly samples: () => readonly Sample[];
}

/** A histogram of durations, from counts of all threads; its name ends in `_seconds`. */
export interface HistogramSource {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  readonly histograms: () => readonly LabelledCounts[];
}

export type { HistogramCounts };

/** `/metrics` in the Prometheus text format, those of the process and of Node.js included. */
export class Metrics {
  readonly #registry = new Registry();

  constructor(sources: readonly MetricSource[], histograms: readonly HistogramSource[]) {
    for (const source of sources) this.#add(source);
    for (const { name, help, labels = [], histograms: recorded } of histograms) {
      const metric = { name, help, labelNames: [...labels], registers: [this.#registry] };
      new RecordedHistogram({ ...metric, buckets: [...DURATION_BOUNDS_SECONDS] }, recorded);
    }
    collectProcessMetrics(this.#registry);
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
          // One without labels starts at 0, which would say what is not known.
          this.remove({});
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
