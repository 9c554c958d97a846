import type { HistogramSource, MetricSource } from '../../../connectors/metrics/metrics.ts';
import { Histogram } from '../../../engine/metrics/histogram.ts';
import type { PartitionStats } from '../../../engine/worker/protocol.ts';
import { type EngineCounts, overviewOf, sumOf } from './overview.ts';

const MS = 1_000;

/** How the partitions keep up, and what they hold. */
export function partitionMetrics(counts: EngineCounts): MetricSource[] {
  const { stats } = counts.partitions;
  const single = (value: () => number) => () => [{ labels: {}, value: value() }];
  const sum = (of: (one: PartitionStats) => number) => single(() => sumOf(stats, of));
  return [
    {
      name: 'lapse_windows_open',
      help: 'Open windows.',
      kind: 'gauge',
      samples: sum(({ openWindows }) => openWindows),
    },
    {
      name: 'lapse_lag_records',
      help: 'Records in the log that the partitions have not processed yet.',
      kind: 'gauge',
      samples: single(() => overviewOf(counts).lagRecords),
    },
    {
      name: 'lapse_lag_seconds',
      help: 'How far the time of the slowest partition is behind, while it has something unread.',
      kind: 'gauge',
      samples: single(() => overviewOf(counts).lagMs / MS),
    },
    {
      name: 'lapse_outputs_waiting',
      help: 'Deliveries that are not yet in their lanes.',
      kind: 'gauge',
      samples: sum(({ outputsWaiting }) => outputsWaiting),
    },
    {
      name: 'lapse_worker_busy_seconds_total',
      help: 'Time that a worker spent in turns.',
      kind: 'counter',
      labels: ['worker'],
      samples: () =>
        stats.map((one, i) => ({ labels: { worker: String(i) }, value: (one?.busyMs ?? 0) / MS })),
    },
    {
      name: 'lapse_message_ids',
      help: 'Message ids remembered to tell repeated events, at most engine.messageIdsMax.',
      kind: 'gauge',
      samples: sum(({ messageIds }) => messageIds),
    },
    {
      name: 'lapse_message_id_bytes',
      help: 'Memory that the remembered message ids take.',
      kind: 'gauge',
      samples: sum(({ messageIdBytes }) => messageIdBytes),
    },
    {
      name: 'lapse_message_ids_forgotten_total',
      help: 'Message ids forgotten before their 24 h, as engine.messageIdsMax was reached.',
      kind: 'counter',
      samples: sum(({ dedupeEvictedEarly }) => dedupeEvictedEarly),
    },
    {
      name: 'lapse_cancels_forgotten_total',
      help: 'Cancelling events forgotten before what they may have overtaken could come.',
      kind: 'counter',
      samples: sum(({ cancelsEvictedEarly }) => cancelsEvictedEarly),
    },
    ...checkpointMetrics(counts),
  ];
}

function checkpointMetrics({ partitions: { stats } }: EngineCounts): MetricSource[] {
  const known = () => stats.filter((one) => one !== undefined);
  return [
    {
      name: 'lapse_checkpoint_bytes',
      help: 'Size of the newest checkpoints of all partitions.',
      kind: 'gauge',
      samples: () => [{ labels: {}, value: sumOf(stats, (one) => one.checkpointBytes) }],
    },
    {
      name: 'lapse_checkpoint_age_seconds',
      help: 'Age of the newest checkpoint of the partition that has waited longest to write one.',
      kind: 'gauge',
      samples: () => [
        { labels: {}, value: Math.max(0, ...known().map((one) => one.checkpointAgeMs)) / MS },
      ],
    },
    {
      name: 'lapse_checkpoint_failures_total',
      help: 'Checkpoints that could not be written; the log keeps what they would hold.',
      kind: 'counter',
      samples: () => [{ labels: {}, value: sumOf(stats, (one) => one.checkpointFailures) }],
    },
  ];
}

export function partitionHistograms({ partitions }: EngineCounts): HistogramSource[] {
  return [
    {
      name: 'lapse_timer_delay_seconds',
      help: 'From a deadline to its firing.',
      histograms: () => {
        const merged = new Histogram();
        for (const one of partitions.stats) if (one !== undefined) merged.merge(one.timerDelay);
        return [{ labels: {}, counts: merged.toCounts() }];
      },
    },
  ];
}
