import { JetStreamApiError } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { withRetries } from '../../../connectors/logs/jetstream/retry.ts';
import type { Clock } from '../../../engine/time/clock.ts';

/** Every wait passes at once; only the time tells that it was one. */
function hastyClock(): Clock & { readonly elapsedMs: () => number } {
  let nowMs = 0;
  return {
    now: () => nowMs,
    at(atMs, callback) {
      nowMs = Math.max(nowMs, atMs);
      queueMicrotask(callback);
      return () => undefined;
    },
    elapsedMs: () => nowMs,
  };
}

const base = { what: 'append', isClosed: () => false, isConnected: () => true };

function answer(code: number, err_code: number): JetStreamApiError {
  return new JetStreamApiError({ code, err_code, description: `answer ${err_code}` });
}

test('retry: goes on until it goes through, when the server has no leader', async () => {
  let calls = 0;
  const request = async () => {
    if (++calls < 4) throw answer(503, 10008);
    return 'stored';
  };
  expect(await withRetries(request, { ...base, clock: hastyClock() })).toBe('stored');
  expect(calls).toBe(4);
});

test('retry: gives up after its time, and says why', async () => {
  const clock = hastyClock();
  const failed = withRetries(() => Promise.reject(new Error('timeout')), { ...base, clock });
  await expect(failed).rejects.toMatchObject({
    code: 'ERR_LOG_UNAVAILABLE',
    retryable: true,
    message: 'The NATS server must answer to append, it did not: timeout.',
  });
  expect(clock.elapsedMs()).toBeLessThanOrEqual(30_000);
  expect(clock.elapsedMs()).toBeGreaterThan(28_000);
});

test('retry: a request without end outlives one within it that gives up', async () => {
  const clock = hastyClock();
  const within = () => {
    if (clock.elapsedMs() > 100_000) return Promise.resolve('there again');
    return Promise.reject(new Error('timeout'));
  };
  const whole = () => withRetries(within, { ...base, what: 'look', clock });
  const forEver = { ...base, clock, giveUpAfterMs: Number.POSITIVE_INFINITY };
  expect(await withRetries(whole, forEver)).toBe('there again');
});

test('retry: sends nothing, while the connection is down', async () => {
  let calls = 0;
  const request = async () => ++calls;
  const clock = hastyClock();
  const isConnected = () => clock.elapsedMs() > 10_000;
  expect(await withRetries(request, { ...base, clock, isConnected })).toBe(1);
});

test('retry: what the server refuses is final', async () => {
  const refusal = answer(400, 10071);
  const failed = withRetries(() => Promise.reject(refusal), { ...base, clock: hastyClock() });
  await expect(failed).rejects.toBe(refusal);
});

test('retry: a full server is told apart, and the caller may try again later', async () => {
  const request = () => Promise.reject(answer(503, 10047));
  await expect(withRetries(request, { ...base, clock: hastyClock() })).rejects.toMatchObject({
    code: 'ERR_LOG_FULL',
    retryable: true,
  });
});
