import { expect, test } from 'vitest';
import { SenderCounts } from '../../../app/serve/sender-counts.ts';
import { type Gauges, serveMetrics } from '../../../app/serve/serve-metrics.ts';
import { DoorCounters } from '../../../connectors/doors/door-counters.ts';
import { RejectedStore } from '../../../connectors/doors/rejected.ts';
import { Intake } from '../../../engine/intake/intake.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import type { SenderStats } from '../../../engine/sender/protocol.ts';
import { SimulatedClock } from '../../engine/sender/crash-bench.ts';

function gaugesOf(stats: SenderStats | undefined): Parameters<typeof serveMetrics>[0] {
  const log = new MemoryLog({ partitionCount: 1 });
  const clock = new SimulatedClock(0);
  return {
    intake: new Intake({ log, clock }),
    connections: { open: 17, dropped: 2 },
    counters: new DoorCounters(),
    rejected: new RejectedStore({ log, clock }),
    partitions: { stats: [] } as unknown as Gauges['partitions'],
    sender: { stats } as Gauges['sender'],
  };
}

test('metrics: what waits in the log of a lane, and since when', async () => {
  const counts = new SenderCounts(() => {});
  const unread = new Map([['slow', { count: 41_000, ageMs: 90_500 }]]);
  const stats = counts.toStats(
    new Map([
      ['slow', 20_000],
      ['well', 3],
    ]),
    unread,
  );
  const lines = (await serveMetrics(gaugesOf(stats)).text()).split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      'lapse_deliveries_pending{webhook="slow"} 20000',
      'lapse_deliveries_unread{webhook="slow"} 41000',
      'lapse_deliveries_unread_age_ms{webhook="slow"} 90500',
      'lapse_deliveries_pending{webhook="well"} 3',
      'lapse_deliveries_unread{webhook="well"} 0',
      'lapse_deliveries_unread_age_ms{webhook="well"} 0',
    ]),
  );
});

test('metrics: connections', async () => {
  const lines = (await serveMetrics(gaugesOf(undefined)).text()).split('\n');
  expect(lines).toContain('lapse_connections_open 17');
  expect(lines).toContain('lapse_connections_dropped_total 2');
});

test('metrics: answers before the threads have told anything', async () => {
  const text = await serveMetrics(gaugesOf(undefined)).text();
  expect(text).toContain('# TYPE lapse_deliveries_unread gauge');
});
