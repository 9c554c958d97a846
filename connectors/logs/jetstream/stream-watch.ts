/**
 * Watches the server under a log: whether it is there, whether it answers, and whether its streams
 * are still those that they were.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import { LapseError, messageOf } from '../../../engine/errors/errors.ts';
import type { ConditionReporter } from '../../../engine/health/conditions.ts';
import type { Clock } from '../../../engine/time/clock.ts';
import { watchConnection } from '../../nats/connection-watch.ts';
import { ApiErrorCode, apiErrorCodeOf } from './api-errors.ts';
import { withRetries } from './retry.ts';
import type { StreamOrigins } from './stream-origin.ts';

/** How often the streams are looked at: nobody reads some of them, and a server may hang. */
const CHECK_MS = 3_000;

export interface StreamWatchOptions {
  readonly connection: NatsConnection;
  readonly clock: Clock;
  readonly conditions: ConditionReporter;
  readonly origins: StreamOrigins;
  /** The server is back with the same streams; what it was asked for before is forgotten. */
  readonly onReturned: () => void;
  /** A stream is not the one that it was. Called once; nothing may be read or written any more. */
  readonly onGone: (error: LapseError) => void;
  readonly onError: (error: Error) => void;
}

export class StreamWatch {
  readonly #options: StreamWatchOptions;
  /** Of the connection that stands, or that will. */
  #connectionNumber = 0;
  #isConnected = true;
  #isClosed = false;
  #failure: LapseError | undefined;
  #cancelCheck: (() => void) | undefined;

  constructor(options: StreamWatchOptions) {
    this.#options = options;
    const { connection, conditions, onError } = options;
    watchConnection(connection, conditions, {
      onError,
      onAway: () => {
        this.#isConnected = false;
        this.#connectionNumber++;
      },
      onBack: () => void this.#returned(),
    }).catch(() => undefined);
    this.#checkLater();
  }

  /** The connection stands, and the streams have been found to be the same. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** `ERR_LOG_GONE`, once a stream was not the one that it was. */
  get failure(): LapseError | undefined {
    return this.#failure;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelCheck?.();
  }

  /** @throws LapseError `ERR_LOG_GONE`; what the server or the connection answers */
  check(kind: string): Promise<void> {
    return this.#orFail(this.#options.origins.check(kind));
  }

  /**
   * Makes a request; a stream that is said to be missing is looked for first.
   * @throws LapseError `ERR_LOG_GONE`; what the request throws
   */
  async confirmed<Result>(request: () => Promise<Result>): Promise<Result> {
    try {
      return await request();
    } catch (error) {
      if (apiErrorCodeOf(error) !== ApiErrorCode.streamNotFound) throw error;
      await this.#orFail(this.#options.origins.checkAll());
      // It is there again: whoever asked may ask again.
      throw new Error('a stream was missing');
    }
  }

  /** A server that was away may have come back without the streams, or with others. */
  async #returned(): Promise<void> {
    const { clock, origins, onReturned } = this.#options;
    const number = this.#connectionNumber;
    try {
      await withRetries(() => this.#orFail(origins.checkAll()), {
        what: 'say which streams it has',
        clock,
        giveUpAfterMs: Number.POSITIVE_INFINITY,
        isClosed: () => this.#isClosed || number !== this.#connectionNumber,
        isConnected: () => number === this.#connectionNumber,
      });
    } catch {
      // It is gone, or away again, or closed.
      return;
    }
    if (number !== this.#connectionNumber || this.#failure !== undefined) return;
    this.#isConnected = true;
    onReturned();
  }

  #checkLater(): void {
    const { clock, origins, conditions } = this.#options;
    this.#cancelCheck = clock.at(clock.now() + CHECK_MS, () => {
      const check = this.#isConnected ? this.#orFail(origins.checkAll()) : Promise.resolve();
      check
        .then(
          () => {
            if (this.#isConnected) conditions.over('nats-away', '');
          },
          (error: unknown) => this.#unanswered(error),
        )
        .finally(() => {
          if (!this.#isClosed && this.#failure === undefined) this.#checkLater();
        });
    });
  }

  #unanswered(error: unknown): void {
    if (this.#isClosed || this.#failure !== undefined) return;
    const { connection, conditions } = this.#options;
    const sentence = `NATS at ${connection.getServer()} does not say which streams it has (${messageOf(error)}). Until it does, events and timers wait.`;
    conditions.begin('nats-away', '', sentence);
  }

  async #orFail(check: Promise<void>): Promise<void> {
    try {
      await check;
    } catch (error) {
      const isGone = error instanceof LapseError && error.code === 'ERR_LOG_GONE';
      if (isGone && this.#failure === undefined && !this.#isClosed) {
        this.#failure = error;
        this.#options.conditions.begin('log-gone', '', error.message);
        this.#options.onGone(error);
      }
      throw error;
    }
  }
}
