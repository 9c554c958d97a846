import { describe, expect, test } from 'vitest';
import { REPORT_MS, ReceiverHealth, WELL_AFTER_MS } from '../../../app/serve/receiver-health.ts';
import type { TransportResult } from '../../../engine/sender/transport.ts';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const OK: TransportResult = { status: 200, bodySnippet: '', durationMs: 1 };
const BUSY: TransportResult = { status: 503, bodySnippet: '', durationMs: 1 };
const TIMEOUT: TransportResult = { error: 'timeout', durationMs: 1 };

/** A log of what would be told, and a clock that the test moves. */
class Stage {
  nowMs = 0;
  readonly lines: string[] = [];
  readonly health = new ReceiverHealth({
    now: () => this.nowMs,
    conditions: {
      begin: (cause, where, message) => this.#tell(`begin ${cause} ${where}: ${message}`),
      over: (cause, where) => this.#tell(`over ${cause} ${where}`),
    },
    onWarning: (_lane, error) => this.#tell(`${error.code}: ${error.message}`),
    isTaken: (_lane, result) => 'status' in result && result.status === 200,
  });

  #tell(line: string): void {
    this.lines.push(line);
  }

  /** For `ms`, an attempt a second with this answer. */
  run(ms: number, result?: TransportResult): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += SECOND_MS;
      if (result !== undefined) this.health.attempt('crm', result);
      this.health.tick();
    }
  }

  fail(reason: string): void {
    const delivery = { deliveryId: 'msg_1', campaignId: 'cart', userId: 'u', atMs: this.nowMs };
    const settled = { ...delivery, isAnonymous: false, isWanted: false };
    this.health.outcome('crm', { ...settled, outcome: 'failed', reason });
  }
}

describe('a receiver that is down', () => {
  test('is told at its first failure, then with counts every few minutes, then when it is back', () => {
    const stage = new Stage();
    stage.run(10 * SECOND_MS, OK);
    expect(stage.lines).toEqual([]);
    stage.run(HOUR_MS, BUSY);
    expect(stage.lines[0]).toMatch(/^begin webhook-failing webhook crm: .*'crm'.*HTTP 503/);
    const counted = stage.lines.slice(1);
    expect(counted.length).toBeLessThanOrEqual(HOUR_MS / REPORT_MS);
    expect(counted.length).toBeGreaterThanOrEqual(HOUR_MS / REPORT_MS - 1);
    const perReport = REPORT_MS / SECOND_MS;
    for (const line of counted.slice(1)) {
      expect(line).toBe(
        `ERR_WEBHOOK_FAILING: Webhook 'crm', last 5m: ${perReport} of ${perReport} attempts failed (${perReport} × HTTP 503).`,
      );
    }
    stage.lines.length = 0;
    stage.run(WELL_AFTER_MS + SECOND_MS, OK);
    expect(stage.lines.filter((line) => line.startsWith('over'))).toEqual([
      'over webhook-failing webhook crm',
    ]);
    stage.lines.length = 0;
    stage.run(HOUR_MS, OK);
    // What failed before it was well is counted once more.
    expect(stage.lines.length).toBeLessThanOrEqual(1);
  });

  test('a receiver that nobody sends to is not told again and again', () => {
    const stage = new Stage();
    stage.run(SECOND_MS, TIMEOUT);
    stage.run(3 * HOUR_MS);
    expect(stage.lines).toHaveLength(2);
  });

  test('850 failed attempts within a minute are one line', () => {
    const stage = new Stage();
    for (let i = 0; i < 850; i++) stage.health.attempt('crm', BUSY);
    stage.run(60 * SECOND_MS);
    expect(stage.lines).toHaveLength(1);
  });

  test('one that fails now and then leaves at most three lines in five minutes', () => {
    const stage = new Stage();
    for (let i = 0; i < 100; i++) {
      stage.run(SECOND_MS, BUSY);
      stage.run(WELL_AFTER_MS + SECOND_MS, OK);
    }
    const spans = stage.nowMs / REPORT_MS;
    expect(stage.lines.length).toBeLessThanOrEqual(3 * spans);
    const failures = stage.lines
      .flatMap((line) => /(\d+) of \d+ attempts failed/.exec(line)?.[1] ?? [])
      .reduce((sum, count) => sum + Number(count), 0);
    // All are counted but those since the last report.
    expect(failures).toBeGreaterThanOrEqual(90);
  });

  test('webhooks are told apart, and a removed one is over', () => {
    const stage = new Stage();
    stage.health.attempt('crm', BUSY);
    stage.health.attempt('sms', TIMEOUT);
    expect(stage.lines.map((line) => line.split(':')[0])).toEqual([
      'begin webhook-failing webhook crm',
      'begin webhook-failing webhook sms',
    ]);
    stage.health.removed('sms');
    expect(stage.lines.at(-1)).toBe('over webhook-failing webhook sms');
  });
});

describe('final failures', () => {
  test('each kind is told once and then counted', () => {
    const stage = new Stage();
    for (let i = 0; i < 500; i++) stage.fail('http-400');
    stage.fail('expired');
    expect(stage.lines).toHaveLength(2);
    expect(stage.lines[0]).toMatch(/^ERR_DELIVERY_FAILED: .*'cart'.*'crm'.*http-400/);
    expect(stage.lines[1]).toMatch(/expired/);
    stage.run(REPORT_MS);
    expect(stage.lines[2]).toContain('501 messages failed for good (500 × http-400, 1 × expired)');
    stage.run(HOUR_MS);
    expect(stage.lines).toHaveLength(3);
  });

  test('one that comes back after a quiet hour is told again', () => {
    const stage = new Stage();
    stage.fail('http-400');
    stage.run(2 * HOUR_MS);
    stage.lines.length = 0;
    stage.fail('http-400');
    expect(stage.lines).toHaveLength(1);
  });

  test('what its campaign has cancelled is none', () => {
    const stage = new Stage();
    stage.fail('cancelled');
    stage.run(REPORT_MS);
    expect(stage.lines).toEqual([]);
  });
});
