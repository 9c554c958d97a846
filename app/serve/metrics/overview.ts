/** Counts of all threads at a glance, for the terminal and /metrics. */
import type { Intake } from '../../../engine/intake/intake.ts';
import { Histogram } from '../../../engine/metrics/histogram.ts';
import type { PartitionStats } from '../../../engine/worker/protocol.ts';
import type { PartitionThreads, SenderThread } from '../threads.ts';

/** What the engine's own counts are taken from. */
export interface EngineCounts {
  readonly intake: Pick<Intake, 'recordsAppended'>;
  readonly partitions: Pick<PartitionThreads, 'stats'>;
  readonly sender: Pick<SenderThread, 'stats'>;
}

export interface Overview {
  readonly events: number;
  readonly windowsOpen: number;
  readonly qualifications: number;
  readonly delivered: number;
  readonly failed: number;
  readonly pending: number;
  readonly lagRecords: number;
  readonly lagMs: number;
}

export function sumOf(
  stats: readonly (PartitionStats | undefined)[],
  of: (one: PartitionStats) => number,
): number {
  return stats.reduce((total, one) => total + (one === undefined ? 0 : of(one)), 0);
}

export function overviewOf({ intake, partitions, sender }: EngineCounts): Overview {
  const { stats } = partitions;
  const lanes = sender.stats?.lanes ?? [];
  const outcomes = lanes.flatMap((lane) => lane.outcomes);
  const count = (outcome: string) =>
    outcomes.reduce((total, one) => total + (one.outcome === outcome ? one.count : 0), 0);
  return {
    events: sumOf(stats, ({ counters }) => counters.events ?? 0),
    windowsOpen: sumOf(stats, ({ openWindows }) => openWindows),
    qualifications: sumOf(stats, ({ counters }) => counters.qualifications ?? 0),
    delivered: count('delivered'),
    failed: count('failed'),
    pending: lanes.reduce((total, { pending }) => total + pending, 0),
    lagRecords: Math.max(
      0,
      intake.recordsAppended - sumOf(stats, ({ recordsProcessed }) => recordsProcessed),
    ),
    lagMs: stats.reduce((largest, one) => Math.max(largest, one?.lagMs ?? 0), 0),
  };
}

export interface TriggerLatency {
  readonly campaignId: string;
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export function triggerLatencyOf({ sender }: Pick<EngineCounts, 'sender'>): TriggerLatency[] {
  return (sender.stats?.triggerLatency ?? []).map(([campaignId, counts]) => {
    const histogram = new Histogram();
    histogram.merge(counts);
    return {
      campaignId,
      count: histogram.count,
      p50Ms: histogram.quantileMs(0.5),
      p99Ms: histogram.quantileMs(0.99),
    };
  });
}
