import type { DoorCounters } from '../../connectors/doors/door-counters.ts';
import type { DoorName, RejectedStore } from '../../connectors/doors/rejected.ts';
import {
  type MetricSource,
  Metrics,
  type QuantileSource,
} from '../../connectors/metrics/metrics.ts';
import type { Intake } from '../../engine/intake/intake.ts';
import { Histogram } from '../../engine/metrics/histogram.ts';
import type { PartitionStats } from '../../engine/worker/protocol.ts';
import type { ConnectionLimit } from './connection-limit.ts';
import type { PartitionThreads, SenderThread } from './threads.ts';

/** What counts are taken from. */
export interface Gauges {
  readonly intake: Intake;
  readonly counters: DoorCounters;
  readonly rejected: RejectedStore;
  readonly partitions: PartitionThreads;
  readonly sender: SenderThread;
}

const DOORS: readonly DoorName[] = ['http', 'nats'];

/** Counts of all threads at a glance, for the terminal and /metrics. */
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

function sum(stats: readonly (PartitionStats | undefined)[], of: (one: PartitionStats) => number) {
  return stats.reduce((total, one) => total + (one === undefined ? 0 : of(one)), 0);
}

export function overviewOf({ intake, partitions, sender }: Gauges): Overview {
  const { stats } = partitions;
  const lanes = sender.stats?.lanes ?? [];
  const outcomes = lanes.flatMap((lane) => lane.outcomes);
  const count = (outcome: string) =>
    outcomes.reduce((total, one) => total + (one.outcome === outcome ? one.count : 0), 0);
  return {
    events: sum(stats, ({ counters }) => counters.events ?? 0),
    windowsOpen: sum(stats, ({ openWindows }) => openWindows),
    qualifications: sum(stats, ({ counters }) => counters.qualifications ?? 0),
    delivered: count('delivered'),
    failed: count('failed'),
    pending: lanes.reduce((total, { pending }) => total + pending, 0),
    lagRecords: Math.max(
      0,
      intake.recordsAppended - sum(stats, ({ recordsProcessed }) => recordsProcessed),
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

export function triggerLatencyOf({ sender }: Pick<Gauges, 'sender'>): TriggerLatency[] {
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

export function serveMetrics(
  gauges: Gauges & { readonly connections: Pick<ConnectionLimit, 'open' | 'dropped'> },
): Metrics {
  return new Metrics(
    [
      ...doorMetrics(gauges),
      ...connectionMetrics(gauges.connections),
      ...partitionMetrics(gauges),
      ...senderMetrics(gauges),
    ],
    latencies(gauges),
  );
}

function doorMetrics({ counters, rejected, intake }: Gauges): MetricSource[] {
  return [
    {
      name: 'lapse_events_accepted_total',
      help: 'Events that a door took and that are durable.',
      kind: 'counter',
      labels: ['door'],
      samples: () => DOORS.map((door) => ({ labels: { door }, value: counters.acceptedBy(door) })),
    },
    {
      name: 'lapse_events_rejected_total',
      help: 'Events that a door refused, by reason.',
      kind: 'counter',
      labels: ['door', 'code'],
      samples: () =>
        DOORS.flatMap((door) =>
          [...rejected.countsOf(door)].map(([code, value]) => ({ labels: { door, code }, value })),
        ),
    },
    {
      name: 'lapse_requests_turned_away_total',
      help: 'Requests refused as a whole, by reason.',
      kind: 'counter',
      labels: ['code'],
      samples: () =>
        [...counters.turnedAwayByCode].map(([code, value]) => ({ labels: { code }, value })),
    },
    {
      name: 'lapse_intake_bytes_in_flight',
      help: 'Bytes of events on their way into the log.',
      kind: 'gauge',
      samples: () => [{ labels: {}, value: intake.bytesInFlight }],
    },
    {
      name: 'lapse_joined_ids',
      help: "Ids of users that have become another user's, held in memory by the doors.",
      kind: 'gauge',
      samples: () => [{ labels: {}, value: intake.identities.count }],
    },
    {
      name: 'lapse_records_appended_total',
      help: 'Records appended to the partitions by this process, ticks included.',
      kind: 'counter',
      samples: () => [{ labels: {}, value: intake.recordsAppended }],
    },
  ];
}

function connectionMetrics(connections: Pick<ConnectionLimit, 'open' | 'dropped'>): MetricSource[] {
  return [
    {
      name: 'lapse_connections_open',
      help: 'Connections of clients to the HTTP server.',
      kind: 'gauge',
      samples: () => [{ labels: {}, value: connections.open }],
    },
    {
      name: 'lapse_connections_dropped_total',
      help: 'Connections that were closed at once, as there were too many.',
      kind: 'counter',
      samples: () => [{ labels: {}, value: connections.dropped }],
    },
  ];
}

function partitionMetrics(gauges: Gauges): MetricSource[] {
  const { stats } = gauges.partitions;
  const single = (value: () => number) => () => [{ labels: {}, value: value() }];
  const names = () => Object.keys(stats.find((one) => one !== undefined)?.counters ?? {});
  return [
    {
      name: 'lapse_operator_total',
      help: 'What the operators did: events, duplicates, windows opened, fired, cancelled and so on.',
      kind: 'counter',
      labels: ['what'],
      samples: () =>
        names().map((what) => ({
          labels: { what },
          value: sum(stats, ({ counters }) => counters[what] ?? 0),
        })),
    },
    {
      name: 'lapse_windows_open',
      help: 'Open windows.',
      kind: 'gauge',
      samples: single(() => sum(stats, ({ openWindows }) => openWindows)),
    },
    {
      name: 'lapse_lag_records',
      help: 'Records in the log that the partitions have not processed yet.',
      kind: 'gauge',
      samples: single(() => overviewOf(gauges).lagRecords),
    },
    {
      name: 'lapse_lag_ms',
      help: 'How far the time of the slowest partition is behind, while it has something unread.',
      kind: 'gauge',
      samples: single(() => overviewOf(gauges).lagMs),
    },
    {
      name: 'lapse_outputs_waiting',
      help: 'Deliveries that are not yet in their lanes.',
      kind: 'gauge',
      samples: single(() => sum(stats, ({ outputsWaiting }) => outputsWaiting)),
    },
    {
      name: 'lapse_checkpoint_bytes',
      help: 'Size of the newest checkpoints of all partitions.',
      kind: 'gauge',
      samples: single(() => sum(stats, ({ checkpointBytes }) => checkpointBytes)),
    },
    {
      name: 'lapse_worker_busy_ms_total',
      help: 'Time that a worker spent in turns.',
      kind: 'counter',
      labels: ['worker'],
      samples: () =>
        stats.map((one, i) => ({ labels: { worker: String(i) }, value: one?.busyMs ?? 0 })),
    },
  ];
}

function senderMetrics({ sender }: Gauges): MetricSource[] {
  const lanes = () => sender.stats?.lanes ?? [];
  return [
    {
      name: 'lapse_deliveries_pending',
      help: 'Deliveries in a lane that are read and not settled.',
      kind: 'gauge',
      labels: ['webhook'],
      samples: () =>
        lanes().map(({ webhookId, pending }) => ({
          labels: { webhook: webhookId },
          value: pending,
        })),
    },
    {
      name: 'lapse_deliveries_unread',
      help: "Deliveries in a lane's log that the sender has no room for yet.",
      kind: 'gauge',
      labels: ['webhook'],
      samples: () =>
        lanes().map(({ webhookId, unread }) => ({
          labels: { webhook: webhookId },
          value: unread.count,
        })),
    },
    {
      name: 'lapse_deliveries_unread_age_ms',
      help: 'Since the oldest delivery that a lane has not read was stored; 0 without any.',
      kind: 'gauge',
      labels: ['webhook'],
      samples: () =>
        lanes().map(({ webhookId, unread }) => ({
          labels: { webhook: webhookId },
          value: unread.ageMs,
        })),
    },
    {
      name: 'lapse_deliveries_total',
      help: 'Deliveries that came to their end, by outcome and reason.',
      kind: 'counter',
      labels: ['webhook', 'campaign', 'outcome', 'reason'],
      samples: () =>
        lanes().flatMap(({ webhookId, outcomes }) =>
          outcomes.map(({ campaignId, outcome, reason, count }) => ({
            labels: { webhook: webhookId, campaign: campaignId, outcome, reason },
            value: count,
          })),
        ),
    },
    {
      name: 'lapse_attempts_total',
      help: 'Requests made, by status or error.',
      kind: 'counter',
      labels: ['webhook', 'answer'],
      samples: () =>
        lanes().flatMap(({ webhookId, attempts }) =>
          attempts.map(([answer, value]) => ({ labels: { webhook: webhookId, answer }, value })),
        ),
    },
  ];
}

function latencies({ partitions, sender }: Gauges): QuantileSource[] {
  return [
    {
      name: 'lapse_timer_delay_ms',
      help: 'From a deadline to its firing, ms.',
      histograms: () => {
        const merged = new Histogram();
        for (const one of partitions.stats) if (one !== undefined) merged.merge(one.timerDelay);
        return [{ labels: {}, counts: merged.toCounts() }];
      },
    },
    {
      name: 'lapse_trigger_latency_ms',
      help: 'From the deadline (or the receipt of the event) to the first byte sent, ms.',
      labels: ['campaign'],
      histograms: () =>
        (sender.stats?.triggerLatency ?? []).map(([campaign, counts]) => ({
          labels: { campaign },
          counts,
        })),
    },
    {
      name: 'lapse_attempt_duration_ms',
      help: 'From the start of an attempt to the end of the answer, ms.',
      labels: ['webhook'],
      histograms: () =>
        (sender.stats?.lanes ?? []).map(({ webhookId, attemptDuration }) => ({
          labels: { webhook: webhookId },
          counts: attemptDuration,
        })),
    },
  ];
}
