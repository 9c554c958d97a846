import { LAPSE_VERSION } from '../../../config/definitions/version.ts';
import { type MetricSource, Metrics } from '../../../connectors/metrics/metrics.ts';
import type { ConnectionLimit } from '../http/connection-limit.ts';
import { connectionMetrics, type DoorCounts, doorMetrics } from './door-metrics.ts';
import { type HealthGauges, healthMetrics } from './health-metrics.ts';
import { operatorMetrics } from './operator-metrics.ts';
import type { EngineCounts } from './overview.ts';
import { partitionHistograms, partitionMetrics } from './partition-metrics.ts';
import { senderHistograms, senderMetrics } from './sender-metrics.ts';
import { type StorageSizes, storageMetrics } from './storage-metrics.ts';

/** What counts are taken from. */
export interface Gauges extends EngineCounts, DoorCounts, HealthGauges {
  readonly intake: DoorCounts['intake'];
  readonly connections: Pick<ConnectionLimit, 'open' | 'dropped'>;
  readonly storage: StorageSizes;
}

/** All metrics of `serve`. */
export function serveMetrics(gauges: Gauges): Metrics {
  return new Metrics(
    [
      buildInfo(),
      ...healthMetrics(gauges),
      ...doorMetrics(gauges),
      ...connectionMetrics(gauges.connections),
      ...operatorMetrics(gauges),
      ...partitionMetrics(gauges),
      ...senderMetrics(gauges),
      ...storageMetrics(gauges.storage),
    ],
    [...partitionHistograms(gauges), ...senderHistograms(gauges)],
  );
}

function buildInfo(): MetricSource {
  const labels = { version: LAPSE_VERSION, node: process.versions.node };
  return {
    name: 'lapse_build_info',
    help: 'The version of Lapse and of Node.js that runs; always 1.',
    kind: 'gauge',
    labels: Object.keys(labels),
    samples: () => [{ labels, value: 1 }],
  };
}
