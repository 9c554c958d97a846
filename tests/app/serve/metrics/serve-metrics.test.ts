import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Gauges } from '../../../../app/serve/metrics/serve-metrics.ts';
import { serveMetrics } from '../../../../app/serve/metrics/serve-metrics.ts';
import { ReceiverHealth } from '../../../../app/serve/receiver-health.ts';
import { SenderCounts } from '../../../../app/serve/sender-counts.ts';
import { DoorCounters } from '../../../../connectors/doors/door-counters.ts';
import { RejectedStore } from '../../../../connectors/doors/rejected.ts';
import { Conditions, silentReporter } from '../../../../engine/health/conditions.ts';
import { Intake } from '../../../../engine/intake/intake.ts';
import { MemoryLog } from '../../../../engine/log/memory-log.ts';
import { Histogram } from '../../../../engine/metrics/histogram.ts';
import type { SenderStats } from '../../../../engine/sender/protocol.ts';
import type { PartitionStats } from '../../../../engine/worker/protocol.ts';
import { campaignCounters } from '../../../../operators/campaign-counters.ts';
import { SimulatedClock } from '../../../engine/sender/crash-bench.ts';
import { complaintsOfPromtool, isPromtoolMissing } from '../../../support/promtool.ts';

const LOG_BYTES = 3_000_000;
const DISK_FREE_BYTES = 7_000_000_000;

interface Stats {
  readonly sender?: SenderStats | undefined;
  readonly partitions?: readonly PartitionStats[];
  readonly logBytes?: () => Promise<number>;
  readonly conditions?: Conditions;
}

const noConditions = () => new Conditions(new SimulatedClock(0), { began() {}, over() {} });

function gaugesOf({
  sender,
  partitions = [],
  logBytes,
  conditions = noConditions(),
}: Stats): Gauges {
  const log = new MemoryLog({ partitionCount: 1 });
  const clock = new SimulatedClock(0);
  return {
    intake: new Intake({ log, clock }),
    connections: { open: 17, dropped: 2 },
    counters: new DoorCounters(),
    rejected: new RejectedStore({ log, clock }),
    partitions: { stats: [...partitions] },
    sender: { stats: sender },
    conditions,
    readiness: { reasons: () => conditions.blocking() },
    natsConnections: ['lapse-main', 'lapse-door'],
    storage: {
      clock,
      logBytes: logBytes ?? (() => Promise.resolve(LOG_BYTES)),
      diskFreeBytes: () => Promise.resolve(DISK_FREE_BYTES),
    },
  };
}

/** Every counter of the operators has another value, from 1 on. */
function operatorCounts(): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.keys(campaignCounters()).map((key, i) => [key, i + 1]));
}

function partitionStats(parts: Partial<PartitionStats> = {}): PartitionStats {
  const timerDelay = new Histogram();
  for (const ms of [0.4, 3, 30]) timerDelay.record(ms);
  return {
    counters: operatorCounts(),
    recordsProcessed: 0,
    openWindows: 5,
    lagMs: 1_500,
    outputsWaiting: 0,
    stillMs: 0,
    timerDelay: timerDelay.toCounts(),
    busyMs: 2_500,
    checkpointBytes: 1_024,
    checkpointAgeMs: 0,
    checkpointFailures: 0,
    messageIds: 0,
    messageIdBytes: 0,
    dedupeEvictedEarly: 0,
    cancelsEvictedEarly: 0,
    ...parts,
  };
}

function senderStats(): SenderStats {
  const onWarning = () => undefined;
  const receivers = new ReceiverHealth({
    now: () => 0,
    conditions: silentReporter,
    onWarning,
    isTaken: () => true,
  });
  const counts = new SenderCounts(silentReporter, {
    receivers,
    onWarning,
    onCompleted: onWarning,
    onFatal: onWarning,
  });
  const attempt = {
    handle: 1,
    webhookId: 'w',
    campaignId: 'cart',
    attempt: 1,
    startedAtMs: 0,
    members: [],
    request: { method: 'POST', url: 'http://127.0.0.1/', headers: {}, body: undefined },
  } as unknown as Parameters<SenderCounts['attempt']>[1];
  counts.attempt('slow', attempt, { status: 200, durationMs: 40 } as never);
  counts.triggerLatencyMs('slow', 'cart', 12);
  counts.outcome('slow', { campaignId: 'cart', outcome: 'failed', reason: 'http-400' } as never);
  const pending = new Map([
    ['slow', 20_000],
    ['well', 3],
  ]);
  return counts.toStats(pending, new Map([['slow', { count: 41_000, ageMs: 90_500 }]]));
}

async function textOf(stats: Stats): Promise<string> {
  const metrics = serveMetrics(gaugesOf(stats));
  // The sizes are asked for beside the scrape.
  await Promise.resolve();
  return metrics.text();
}

const FULL: Stats = {
  sender: senderStats(),
  partitions: [partitionStats({ checkpointAgeMs: 4_000 }), partitionStats()],
};

/** Names of our own metrics, by the `TYPE` lines. */
function namesIn(text: string): string[] {
  return [...text.matchAll(/^# TYPE (lapse_\w+) /gm)].map(([, name]) => name!);
}

describe('metrics', () => {
  test.skipIf(isPromtoolMissing)('promtool has nothing to complain about', async () => {
    expect(complaintsOfPromtool(['check', 'metrics'], await textOf(FULL))).toBe('');
  });

  test('what waits in the log of a lane, and since when', async () => {
    const lines = (await textOf(FULL)).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'lapse_deliveries_pending{webhook="slow"} 20000',
        'lapse_deliveries_unread{webhook="slow"} 41000',
        'lapse_deliveries_unread_age_seconds{webhook="slow"} 90.5',
        'lapse_deliveries_pending{webhook="well"} 3',
        'lapse_deliveries_unread{webhook="well"} 0',
        'lapse_deliveries_unread_age_seconds{webhook="well"} 0',
      ]),
    );
  });

  test('every counter of the operators is exported, as the sum over the threads', async () => {
    const text = await textOf(FULL);
    const values = [...text.matchAll(/^lapse_\w+_total (\d+)$/gm)].map(([, value]) => value);
    for (const count of Object.values(operatorCounts())) expect(values).toContain(`${2 * count}`);
  });

  test('what the engine forgot too early is exported', async () => {
    const partitions = [
      partitionStats({ dedupeEvictedEarly: 5, cancelsEvictedEarly: 7, checkpointFailures: 2 }),
      partitionStats({ dedupeEvictedEarly: 1 }),
    ];
    const lines = (await textOf({ partitions })).split('\n');
    expect(lines).toContain('lapse_message_ids_forgotten_total 6');
    expect(lines).toContain('lapse_cancels_forgotten_total 7');
    expect(lines).toContain('lapse_checkpoint_failures_total 2');
  });

  test('durations are histograms in seconds, merged over the threads', async () => {
    const lines = (await textOf(FULL)).split('\n');
    expect(lines).toContain('lapse_timer_delay_seconds_bucket{le="0.0005"} 2');
    expect(lines).toContain('lapse_timer_delay_seconds_bucket{le="0.05"} 6');
    expect(lines).toContain('lapse_timer_delay_seconds_bucket{le="+Inf"} 6');
    expect(lines).toContain('lapse_timer_delay_seconds_count 6');
    expect(lines).toContain('lapse_trigger_latency_seconds_bucket{campaign="cart",le="0.01"} 0');
    expect(lines).toContain('lapse_trigger_latency_seconds_bucket{campaign="cart",le="0.025"} 1');
    expect(lines).toContain('lapse_attempt_duration_seconds_sum{webhook="slow"} 0.04');
  });

  test('the age of checkpoints is that of the thread that waits longest', async () => {
    expect((await textOf(FULL)).split('\n')).toContain('lapse_checkpoint_age_seconds 4');
  });

  test('sizes of log and disk, and none where they cannot be had', async () => {
    const lines = (await textOf(FULL)).split('\n');
    expect(lines).toContain(`lapse_log_bytes ${LOG_BYTES}`);
    expect(lines).toContain(`lapse_disk_free_bytes ${DISK_FREE_BYTES}`);
    const without = await textOf({ logBytes: () => Promise.reject(new Error('it is away')) });
    expect(without).not.toMatch(/^lapse_log_bytes /m);
  });

  test('connections, build and process', async () => {
    const text = await textOf({});
    expect(text).toContain('lapse_connections_open 17\n');
    expect(text).toContain('lapse_connections_dropped_total 2\n');
    expect(text).toMatch(/^lapse_build_info\{version="[^"]+",node="[^"]+"\} 1$/m);
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect(text).toMatch(/^nodejs_heap_size_used_bytes \d+$/m);
  });

  test('answers before the threads have told anything', async () => {
    expect(await textOf({})).toContain('# TYPE lapse_deliveries_unread gauge');
  });

  test('docs/OPERATING.md names every metric, and none that there is not', async () => {
    const docs = readFileSync(new URL('../../../../docs/OPERATING.md', import.meta.url), 'utf8');
    const documented = [...docs.matchAll(/`(lapse_\w+)[`{]/g)].map(([, name]) => name!);
    expect([...new Set(documented)].sort()).toEqual(namesIn(await textOf({})).sort());
  });
});

test('metrics: what is wrong, by its cause, and 0 for what is not', async () => {
  const conditions = noConditions();
  conditions.from('lapse-door').begin('nats-away', '', 'NATS is away.');
  conditions.from('lapse-main').begin('checkpoints-failing', '', 'The disk is full.');
  const lines = (await serveMetrics(gaugesOf({ conditions })).text()).split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      'lapse_not_ready{cause="nats-away"} 1',
      'lapse_not_ready{cause="log-full"} 0',
      'lapse_degraded{cause="checkpoints-failing"} 1',
      'lapse_conditions_total{cause="nats-away"} 1',
      'lapse_nats_connected{connection="lapse-door"} 0',
      'lapse_nats_connected{connection="lapse-main"} 1',
    ]),
  );
});
