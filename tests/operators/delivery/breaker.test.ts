import { describe, expect, test } from 'vitest';
import type { TransportResult } from '../../../engine/sender/transport.ts';
import { Breaker } from '../../../operators/delivery/breaker.ts';
import {
  BASE_MS,
  deliveryOf,
  LaneBench,
  OK,
  status,
  TIMEOUT,
  TTL_MS,
  webhookOf,
} from './lane-bench.ts';

const SECOND_MS = 1_000;
const OPEN_MS_MIN = 15 * SECOND_MS;
const OPEN_MS_MAX = 300 * SECOND_MS;
const ANSWERS_MIN = 10;

/** Gives a breaker as many answers at an instant. */
function tell(breaker: Breaker, result: TransportResult, count: number, atMs = BASE_MS): void {
  for (let i = 0; i < count; i++) breaker.answered(result, atMs, atMs);
}

describe('breaker', () => {
  test('opens with ten answers of which seven failed, not before', () => {
    const breaker = new Breaker();
    tell(breaker, OK, 3);
    tell(breaker, status(500), 6);
    expect(breaker.isClosed).toBe(true);
    tell(breaker, status(500), 1);
    expect(breaker.isClosed).toBe(false);
    expect(breaker.openUntilMs).toBe(BASE_MS + OPEN_MS_MIN);
  });

  test('answers of more than a minute ago do not count', () => {
    const breaker = new Breaker();
    tell(breaker, status(500), ANSWERS_MIN - 1, BASE_MS);
    tell(breaker, status(500), ANSWERS_MIN - 1, BASE_MS + 61 * SECOND_MS);
    expect(breaker.isClosed).toBe(true);
    tell(breaker, status(500), 1, BASE_MS + 62 * SECOND_MS);
    expect(breaker.isClosed).toBe(false);
  });

  test.each([
    ['a refusal', status(400)],
    ['too many requests', status(429)],
    ['one that asks to wait', status(503, '10')],
    ['a request that could not be formed', { error: 'invalid-request', durationMs: 0 } as const],
  ])('%s is no failure of the receiver', (_, result) => {
    const breaker = new Breaker();
    tell(breaker, result, 100);
    expect(breaker.isClosed).toBe(true);
  });

  test('each probe that fails doubles the wait, up to five minutes; one that succeeds closes it', () => {
    const breaker = new Breaker();
    tell(breaker, TIMEOUT, ANSWERS_MIN);
    let waitMs = OPEN_MS_MIN;
    for (let probes = 0; probes < 8; probes++) {
      const atMs = breaker.openUntilMs;
      tell(breaker, TIMEOUT, 1, atMs);
      waitMs = Math.min(waitMs * 2, OPEN_MS_MAX);
      expect(breaker.openUntilMs - atMs).toBe(waitMs);
    }
    expect(waitMs).toBe(OPEN_MS_MAX);
    tell(breaker, OK, 1, breaker.openUntilMs);
    expect(breaker.isClosed).toBe(true);
    tell(breaker, TIMEOUT, ANSWERS_MIN - 1, BASE_MS + 3_600_000);
    expect(breaker.isClosed).toBe(true);
  });

  test('answers to what was sent before it opened decide nothing', () => {
    const breaker = new Breaker();
    tell(breaker, TIMEOUT, ANSWERS_MIN);
    const untilMs = breaker.openUntilMs;
    breaker.answered(OK, BASE_MS, untilMs + 1);
    breaker.answered(TIMEOUT, BASE_MS, untilMs + 1);
    expect(breaker.openUntilMs).toBe(untilMs);
  });
});

describe('a lane whose receiver is down', () => {
  const single = { batch: { max: 1, lingerMs: 0 } };
  const crowd = (count: number) => Array.from({ length: count }, (_, i) => deliveryOf(`u${i}`));

  test('makes few attempts while it is down, and loses nothing', () => {
    const downMs = 20 * 60 * SECOND_MS;
    const bench = new LaneBench({ webhook: webhookOf({ ...single, maxInFlight: 4 }) }, () =>
      bench.nowMs < BASE_MS + downMs ? status(500) : OK,
    );
    bench.offer(...crowd(500));
    bench.runUntil(BASE_MS + downMs);
    // Ten to open it, those under way then, and a probe each 15, 30, 60, 120, 240, 300, … s.
    expect(bench.attempts.length).toBeLessThanOrEqual(ANSWERS_MIN + 4 + 10);
    bench.runUntil(BASE_MS + TTL_MS - 1);
    expect(bench.outcomes).toHaveLength(500);
    expect(bench.outcomes.every((outcome) => outcome.endsWith(':delivered'))).toBe(true);
  });

  test('half open, one request goes alone', () => {
    const bench = new LaneBench(
      { webhook: webhookOf({ ...single, maxInFlight: 32 }) },
      (_, nth) => (nth <= 32 ? status(500) : OK),
      SECOND_MS,
    );
    bench.offer(...crowd(200));
    bench.runUntil(BASE_MS + SECOND_MS + OPEN_MS_MIN + SECOND_MS / 2);
    expect(bench.attempts).toHaveLength(33);
    bench.runUntil(BASE_MS + SECOND_MS + OPEN_MS_MIN + 2 * SECOND_MS);
    expect(bench.attempts.length).toBeGreaterThan(33);
  });

  test('what expires while it is open expires, and wakes the lane for nothing else', () => {
    const bench = new LaneBench({ webhook: webhookOf(single) }, () => status(500));
    const expiresAtMs = BASE_MS + 10 * SECOND_MS;
    bench.offer(...crowd(50).map((one) => ({ ...one, expiresAtMs })));
    bench.runOut();
    expect(new Set(bench.outcomes.map((outcome) => outcome.split(':')[1]))).toEqual(
      new Set(['expired']),
    );
    expect(bench.outcomes).toHaveLength(50);
  });
});
