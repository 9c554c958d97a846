import type { HistogramSource, MetricSource } from '../../../connectors/metrics/metrics.ts';
import type { LaneStats } from '../../../engine/sender/protocol.ts';
import type { EngineCounts } from './overview.ts';

const MS = 1_000;

/** What waits for the webhooks, and what became of it. */
export function senderMetrics({ sender }: Pick<EngineCounts, 'sender'>): MetricSource[] {
  const lanes = () => sender.stats?.lanes ?? [];
  const each = (value: (lane: LaneStats) => number) => () =>
    lanes().map((lane) => ({ labels: { webhook: lane.webhookId }, value: value(lane) }));
  return [
    {
      name: 'lapse_deliveries_pending',
      help: 'Deliveries in a lane that are read and not settled.',
      kind: 'gauge',
      labels: ['webhook'],
      samples: each(({ pending }) => pending),
    },
    {
      name: 'lapse_deliveries_unread',
      help: "Deliveries in a lane's log that the sender has no room for yet.",
      kind: 'gauge',
      labels: ['webhook'],
      samples: each(({ unread }) => unread.count),
    },
    {
      name: 'lapse_deliveries_unread_age_seconds',
      help: 'Since the oldest delivery that a lane has not read was stored; 0 without any.',
      kind: 'gauge',
      labels: ['webhook'],
      samples: each(({ unread }) => unread.ageMs / MS),
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

export function senderHistograms({ sender }: Pick<EngineCounts, 'sender'>): HistogramSource[] {
  return [
    {
      name: 'lapse_trigger_latency_seconds',
      help: 'From the deadline (or the receipt of the event) to the first byte sent.',
      labels: ['campaign'],
      histograms: () =>
        (sender.stats?.triggerLatency ?? []).map(([campaign, counts]) => ({
          labels: { campaign },
          counts,
        })),
    },
    {
      name: 'lapse_attempt_duration_seconds',
      help: 'From the start of an attempt to the end of the answer.',
      labels: ['webhook'],
      histograms: () =>
        (sender.stats?.lanes ?? []).map(({ webhookId, attemptDuration }) => ({
          labels: { webhook: webhookId },
          counts: attemptDuration,
        })),
    },
  ];
}
