import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { type DemoFigures, demoScreen } from '../../../app/demo/demo-screen.ts';
import { LiveView, styles } from '../../../app/demo/live-view.ts';
import { CliProcess } from '../../support/cli.ts';

test('demo: events come in, a webhook arrives, SIGINT drains and leaves nothing behind', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lapse-demo-test-'));
  // A NATS server of the environment is none of the demo's business.
  const env = { TMPDIR: folder, NATS_URL: 'nats://127.0.0.1:1' };
  const demo = new CliProcess(['serve', '--demo', '--port', '0'], { env });
  const [, url] = await demo.says(/sends events to (\S+)\.\n/);
  const front = await fetch(url!);
  expect(await front.text()).toMatch(/<h1>Lapse .*href="\/metrics"/s);
  const [first] = await demo.says(/First webhook after .*/);
  expect(first).toMatch(
    /^First webhook after [\d.]+ s: (high-value-order|cart-abandoned) for \S+ \(.*\$[\d.]+\), .* after the (event|deadline)\.$/,
  );
  const { exitCode, stdout } = await demo.stop('SIGINT');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/\d+ events came in; [1-9]\d* webhooks were delivered, 0 failed\./);
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});

const [COLUMNS, ROWS] = [80, 24];

const FIGURES: DemoFigures = {
  version: '1.2.3',
  url: 'http://127.0.0.1:8081',
  data: 'a temporary folder',
  upMs: 61_000,
  eventsPerSecond: 12.34,
  overview: {
    events: 1_234,
    windowsOpen: 5,
    qualifications: 3,
    delivered: 2,
    failed: 1,
    pending: 0,
    lagRecords: 0,
    lagMs: 0,
  },
  latencies: [{ campaignId: 'carts', count: 2, p50Ms: 1.25, p99Ms: 12_345 }],
  campaigns: new Map([
    ['carts', '10 s after A without B'],
    ['orders', 'as soon as: B'],
  ]),
  arrived: new Map([['carts', 2]]),
  arrivals: [
    {
      atMs: 0,
      campaign: 'carts',
      user: 'ada',
      what: 'Tent, $289.00',
      latencyMs: 4.4,
      isAfterDeadline: true,
    },
    {
      atMs: 0,
      campaign: 'carts',
      user: 'you',
      what: '',
      latencyMs: undefined,
      isAfterDeadline: true,
    },
  ],
  troubles: ['Something is odd.'],
};

test('demo screen: says what arrived, how fast, and how to try it on another port', () => {
  const screen = demoScreen(FIGURES, styles({ NO_COLOR: '1' }), ROWS).join('\n');
  expect(screen).toContain('demo at http://127.0.0.1:8081, 1:01');
  expect(screen).toMatch(/events +1,234 +12\.3 a second/);
  expect(screen).toMatch(/carts +2 +p50 1\.3 ms, p99 12\.3 s +10 s after A without B/);
  expect(screen).toMatch(/orders +0 +- +as soon as: B/);
  expect(screen).toMatch(/carts +4\.4 ms +ada +Tent, \$289\.00/);
  expect(screen).toMatch(/carts +yours +you/);
  expect(screen).toContain('export LAPSE_URL=http://127.0.0.1:8081');
  expect(screen).toContain('Something is odd.');
});

test('demo screen: fits a terminal of 24 rows, however few webhooks arrived', () => {
  const style = styles({});
  const url = 'http://127.0.0.1:8080';
  const plain = { ...FIGURES, url, troubles: [] };
  for (const arrivals of [[], FIGURES.arrivals]) {
    const lines = demoScreen({ ...plain, arrivals }, style, ROWS);
    expect(lines.length).toBe(ROWS - 1);
    const widths = lines.map((line) => stripVTControlCharacters(line).length);
    expect(Math.max(...widths)).toBeLessThanOrEqual(COLUMNS);
  }
});

test('live view: goes back up over what it drew, and keeps to the terminal', () => {
  const [columns, rows] = [10, 3];
  let written = '';
  const view = new LiveView({ columns, rows, write: (text) => (written += text) });
  view.draw(['first', 'a line that is too long', 'no room for this']);
  const lines = stripVTControlCharacters(written).trimEnd().split('\n');
  expect(lines).toEqual(['first', 'a line th…']);
  written = '';
  view.draw(['second']);
  expect(written.startsWith('\u001b[2F')).toBe(true);
});
