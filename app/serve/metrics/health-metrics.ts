import type { MetricSource } from '../../../connectors/metrics/metrics.ts';
import { ALL_CAUSES, factsOf } from '../../../engine/health/causes.ts';
import type { Condition, Conditions } from '../../../engine/health/conditions.ts';

export interface HealthGauges {
  readonly conditions: Pick<Conditions, 'open' | 'begunCount' | 'isSaidBy'>;
  /** What `/readyz` says. */
  readonly readiness: { reasons(): readonly Condition[] };
  /** The parts of the process that have a connection to NATS of their own. */
  readonly natsConnections: readonly string[];
}

/** What keeps Lapse from being ready, and what else is wrong, by cause. */
export function healthMetrics(gauges: HealthGauges): MetricSource[] {
  const { conditions, readiness, natsConnections } = gauges;
  const byCause = (blocks: boolean, open: () => readonly Condition[]) => () => {
    const found = new Set(open().map(({ cause }) => cause));
    return ALL_CAUSES.filter((cause) => factsOf(cause).blocks === blocks).map((cause) => ({
      labels: { cause },
      value: found.has(cause) ? 1 : 0,
    }));
  };
  return [
    {
      name: 'lapse_not_ready',
      help: '1 for each cause for which /readyz answers 503.',
      kind: 'gauge',
      labels: ['cause'],
      samples: byCause(true, () => readiness.reasons()),
    },
    {
      name: 'lapse_degraded',
      help: '1 for each cause that stops nothing yet and needs somebody to look at it.',
      kind: 'gauge',
      labels: ['cause'],
      samples: byCause(false, () => conditions.open()),
    },
    {
      name: 'lapse_conditions_total',
      help: 'How often a condition has begun since the start, by cause.',
      kind: 'counter',
      labels: ['cause'],
      samples: () =>
        ALL_CAUSES.map((cause) => ({ labels: { cause }, value: conditions.begunCount(cause) })),
    },
    ...natsMetrics(conditions, natsConnections),
  ];
}

function natsMetrics(
  conditions: HealthGauges['conditions'],
  connections: readonly string[],
): MetricSource[] {
  if (connections.length === 0) return [];
  return [
    {
      name: 'lapse_nats_connected',
      help: '1 while the connection to NATS stands, by the part of the process that has it.',
      kind: 'gauge',
      labels: ['connection'],
      samples: () =>
        connections.map((connection) => ({
          labels: { connection },
          value: conditions.isSaidBy(connection, 'nats-away') ? 0 : 1,
        })),
    },
  ];
}
