/**
 * Repeats a request to the server while what came back means "not now": no answer, no leader, a
 * lost connection. Safe for appends because they carry an id by which a second copy is known.
 */
import { JetStreamApiError } from '@nats-io/jetstream';
import { externalError, LapseError, messageOf } from '../../../engine/errors/errors.ts';
import { type Clock, systemClock } from '../../../engine/time/clock.ts';
import { apiErrorCodeOf, isFull } from './api-errors.ts';

/** How long one attempt waits for its answer. */
export const ATTEMPT_TIMEOUT_MS = 3_000;
const GIVE_UP_AFTER_MS = 30_000;
const WAIT_MIN_MS = 50;
const WAIT_MAX_MS = 1_000;

export interface RetryOptions {
  /** What the request is, for the error: 'append to 'in.7''. */
  readonly what: string;
  /** True when nobody waits any more. */
  readonly isClosed: () => boolean;
  /**
   * While it is not, nothing is sent: the client would keep every copy in memory until the server
   * is back, for hours if need be.
   */
  readonly isConnected: () => boolean;
  /** @default 30_000 */
  readonly giveUpAfterMs?: number;
  readonly clock?: Clock;
}

/**
 * @throws LapseError `ERR_LOG_UNAVAILABLE` when it never went through, `ERR_LOG_FULL`; whatever
 *   else the server answers is thrown as it is
 */
export async function withRetries<Result>(
  request: () => Promise<Result>,
  options: RetryOptions,
): Promise<Result> {
  const { what, giveUpAfterMs = GIVE_UP_AFTER_MS, clock = systemClock } = options;
  const givenUpAtMs = clock.now() + giveUpAfterMs;
  for (let waitMs = WAIT_MIN_MS; ; waitMs = Math.min(2 * waitMs, WAIT_MAX_MS)) {
    try {
      if (!options.isConnected()) throw new Error('the connection is down');
      return await request();
    } catch (error) {
      if (isFull(apiErrorCodeOf(error))) {
        throw externalError(
          'ERR_LOG_FULL',
          `The NATS server must have room to ${what}, it has not: ${messageOf(error)}.`,
          { cause: error },
        );
      }
      if (!isTransient(error)) throw error;
      if (options.isClosed() || clock.now() + waitMs > givenUpAtMs) {
        throw externalError(
          'ERR_LOG_UNAVAILABLE',
          `The NATS server must answer to ${what}, it did not: ${messageOf(error)}.`,
          { cause: error },
        );
      }
    }
    await new Promise<void>((resolve) => clock.at(clock.now() + waitMs, resolve));
  }
}

function isTransient(error: unknown): boolean {
  // Another request within this one gave up; this one has its own time, which may have no end.
  if (error instanceof LapseError) return error.code === 'ERR_LOG_UNAVAILABLE';
  // What the server answered is final unless it says that it is not able to just now.
  if (error instanceof JetStreamApiError) return error.status >= 500;
  return true;
}
