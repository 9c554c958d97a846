import type { TransportResult } from '../../engine/sender/transport.ts';
import { fnv1a32, mix32 } from '../../engine/state/hash.ts';
import { httpDateMs } from './http-date.ts';

/** 2 s and 10 s first, since most failures are restarts; then ever longer. */
export const RETRY_SCHEDULE_MS: readonly number[] = [
  2_000, 10_000, 60_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000,
];
/** Jitter is this share of the wait, */
const JITTER_SHARE = 0.25;
/** but at least this much, so that short waits spread too, */
const JITTER_MS_MIN = 1_000;
/** and at most this much. */
const JITTER_MS_MAX = 15 * 60_000;
/** A receiver cannot hold its webhook back for longer at a time. */
export const RETRY_AFTER_MS_MAX = 3_600_000;

const encoder = new TextEncoder();

/**
 * How long to wait after a failed attempt. Jitter only ever adds, and comes from a hash, so that
 * a replay waits just as long.
 * @param scheduleMs waits before attempts 2, 3, …; the last one repeats; empty: the default
 * @param attempt the number of the attempt that failed, from 1
 */
export function retryDelayMs(
  scheduleMs: readonly number[],
  webhookId: string,
  attempt: number,
): number {
  const schedule = scheduleMs.length > 0 ? scheduleMs : RETRY_SCHEDULE_MS;
  const delayMs = schedule[Math.min(attempt, schedule.length) - 1]!;
  const jitterMs = Math.min(Math.max(delayMs * JITTER_SHARE, JITTER_MS_MIN), JITTER_MS_MAX);
  const fraction = mix32(fnv1a32(encoder.encode(`${webhookId}:${attempt}`))) / 2 ** 32;
  return delayMs + Math.floor(jitterMs * fraction);
}

/** Until when the receiver asks its whole webhook to wait, Unix ms; 0 when it does not. */
export function holdUntilMsOf(result: TransportResult, nowMs: number): number {
  if ('error' in result || (result.status !== 429 && result.status !== 503)) return 0;
  const waitMs = retryAfterMs(result.retryAfter, nowMs);
  return waitMs === undefined ? 0 : nowMs + waitMs;
}

/**
 * Reads a `retry-after` header: seconds or an HTTP date.
 * @returns the wait from now, 0 to `RETRY_AFTER_MS_MAX`; undefined when it cannot be read
 */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1_000 : httpDateMs(text, nowMs) - nowMs;
  if (Number.isNaN(waitMs)) return undefined;
  return Math.min(Math.max(0, waitMs), RETRY_AFTER_MS_MAX);
}
