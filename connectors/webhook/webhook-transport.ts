import { rootCertificates } from 'node:tls';
import { Pool } from 'undici';
import { messageOf } from '../../engine/errors/errors.ts';
import type { OutgoingRequest, Transport, TransportResult } from '../../engine/sender/transport.ts';
import { after, type Clock } from '../../engine/time/clock.ts';
import { errorCodeOf } from './error-codes.ts';
import { Exchange } from './exchange.ts';

export interface WebhookTransportOptions {
  readonly clock: Clock;
  /** PEM of a certificate authority to trust beside the usual ones, for private receivers. */
  readonly ca?: string;
}

interface LanePool {
  readonly origin: string;
  readonly connections: number;
  readonly timeoutMs: number;
  readonly pool: Pool;
}

/** Of a response; more is no webhook's answer. */
const HEADER_BYTES_MAX = 16 * 1024;

/**
 * Sends requests over HTTP: a pool of kept-alive connections a webhook, so that one receiver's
 * connections never run out because of another. Redirects are not followed, proxies of the
 * environment are ignored, TLS is verified, and nothing is tried twice.
 */
export class WebhookTransport implements Transport {
  readonly #options: WebhookTransportOptions;
  readonly #pools = new Map<string, LanePool>();
  readonly #closing = new Set<Promise<void>>();

  constructor(options: WebhookTransportOptions) {
    this.#options = options;
  }

  send(request: OutgoingRequest, signal?: AbortSignal): Promise<TransportResult> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      let cancelTimer = () => {};
      const onAbort = () => exchange.fail('cancelled', 'the sender was stopped');
      const exchange = new Exchange(clock, (result) => {
        cancelTimer();
        signal?.removeEventListener('abort', onAbort);
        resolve(result);
      });
      const { timeoutMs } = request;
      cancelTimer = after(clock, timeoutMs, () =>
        exchange.fail('timeout', `no complete answer within ${timeoutMs} ms`),
      );
      if (signal?.aborted === true) return onAbort();
      signal?.addEventListener('abort', onAbort);
      try {
        this.#dispatch(request, exchange);
      } catch (error) {
        exchange.fail(errorCodeOf(error), messageOf(error));
      }
    });
  }

  /** Closes the connections of a webhook that is gone, once they are idle. */
  forget(lane: string): void {
    const known = this.#pools.get(lane);
    if (known === undefined) return;
    this.#pools.delete(lane);
    const closed = known.pool.close().finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
  }

  /** Resolves once every request has ended and every connection is closed. */
  async close(): Promise<void> {
    for (const lane of [...this.#pools.keys()]) this.forget(lane);
    await Promise.all(this.#closing);
  }

  #dispatch(request: OutgoingRequest, exchange: Exchange): void {
    const { origin, pathname, search } = new URL(request.url);
    this.#poolOf(request, origin).dispatch(
      {
        origin,
        path: pathname + search,
        method: request.method,
        headers: request.headers as Record<string, string>,
        body: request.body ?? null,
      },
      exchange,
    );
  }

  #poolOf({ lane, connectionsMax, timeoutMs }: OutgoingRequest, origin: string): Pool {
    const known = this.#pools.get(lane);
    const isSame =
      known?.origin === origin &&
      known.connections === connectionsMax &&
      known.timeoutMs === timeoutMs;
    if (isSame) return known.pool;
    // The webhook was changed: requests under way finish on their old connections.
    this.forget(lane);
    const { ca } = this.#options;
    // Node takes a list of authorities instead of its own, not beside them.
    const trust = ca === undefined ? {} : { ca: [...rootCertificates, ca] };
    const pool = new Pool(origin, {
      connections: connectionsMax,
      pipelining: 1,
      // One time limit covers connecting, headers and body: the exchange's own.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: HEADER_BYTES_MAX,
      connect: { timeout: timeoutMs, ...trust },
    });
    this.#pools.set(lane, { origin, connections: connectionsMax, timeoutMs, pool });
    return pool;
  }
}
