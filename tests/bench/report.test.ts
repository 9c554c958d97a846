import { expect, test } from 'vitest';
import { quantilesOf } from '../../bench/harness/quantiles.ts';
import { type BenchReport, numberText, reportText } from '../../bench/harness/report.ts';
import { ShopWorkload } from '../../bench/workload/shop.ts';

const report: BenchReport = {
  bench: 'path',
  startedAt: '2026-01-05T09:00:00.000Z',
  command: 'npm run bench -- path',
  seed: 7,
  parameters: { log: 'embedded', users: 1_000_000 },
  machine: { cpu: 'one', cores: 2, memoryGiB: 4, platform: 'linux x64', node: 'v20.19.0' },
  commit: { hash: 'abc', isDirty: true },
  measures: [
    {
      what: 'path',
      value: 400_000,
      unit: 'events/s',
      aim: { atLeast: 500_000 },
      limit: { what: 'reading', value: 800_000 },
    },
  ],
  notes: ['One note.'],
};

test('report: says the value, whether the aim is met, and the share of the limit', () => {
  const text = reportText(report);
  expect(text).toContain('| path    | 400,000 events/s | ≥ 500,000 MISSED | 0.5 × reading |');
  expect(text).toContain('- commit: abc with changes; 2026-01-05T09:00:00.000Z');
  expect(text).toContain('- machine: one, 2 cores, 4 GiB, linux x64; Node v20.19.0');
  expect(text).toContain('- One note.');
});

test('report: numbers show three digits that count', () => {
  expect([1_234_567, 12.345, 0.012345, 0].map(numberText)).toEqual([
    '1,234,567',
    '12.3',
    '0.0123',
    '0',
  ]);
});

test('quantiles: are samples, in any order of theirs', () => {
  const samples = Array.from({ length: 1000 }, (_, i) => ((i * 7) % 1000) + 1);
  expect(quantilesOf(samples)).toEqual({ count: 1000, p50: 500, p99: 990, p999: 999, max: 1000 });
});

test('workload: the same seed gives the same events, in order of receipt', () => {
  const options = { seed: 3, users: 500, events: 2_000, fromMs: 1_000_000, durationMs: 60_000 };
  const listOf = () => {
    const workload = new ShopWorkload(options);
    const list: string[] = [];
    let lastMs = 0;
    while (workload.next()) {
      expect(workload.receivedAtMs).toBeGreaterThanOrEqual(lastMs);
      lastMs = workload.receivedAtMs;
      list.push(JSON.stringify(workload.event));
    }
    return list;
  };
  const first = listOf();
  expect(first).toHaveLength(options.events);
  expect(listOf()).toEqual(first);
});
