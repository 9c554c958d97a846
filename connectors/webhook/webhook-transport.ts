import { isIP } from 'node:net';
import { rootCertificates } from 'node:tls';
import { buildConnector, Pool } from 'undici';
import { messageOf } from '../../engine/errors/errors.ts';
import type { OutgoingRequest, Transport, TransportResult } from '../../engine/sender/transport.ts';
import { after, type Clock } from '../../engine/time/clock.ts';
import { EgressError, type EgressGuard, plainHost, portOf } from './egress/egress-guard.ts';
import { errorCodeOf } from './error-codes.ts';
import { Exchange } from './exchange.ts';
import { putWire, Wire } from './wire.ts';

export interface WebhookTransportOptions {
  readonly clock: Clock;
  /** Asked before each connection, and after it. */
  readonly guard: EgressGuard;
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
 * environment are ignored, TLS is verified. Nothing is tried twice but what a receiver cannot have
 * answered, see `Exchange`.
 */
export class WebhookTransport implements Transport {
  readonly #options: WebhookTransportOptions;
  readonly #pools = new Map<string, LanePool>();
  readonly #closing = new Set<Promise<void>>();
  /** undici has told it of its start, and writes its request next, in the same turn. */
  #starting: Exchange | undefined;

  constructor(options: WebhookTransportOptions) {
    this.#options = options;
  }

  send(request: OutgoingRequest, signal?: AbortSignal): Promise<TransportResult> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      let cancelTimer = () => {};
      const onAbort = () => exchange.fail('cancelled', 'the sender was stopped');
      const settle = (result: TransportResult) => {
        cancelTimer();
        signal?.removeEventListener('abort', onAbort);
        resolve(result);
      };
      const sendAgain = () => this.#dispatch(request, exchange);
      const exchange = new Exchange(clock, {
        settle,
        sendAgain,
        starting: () => {
          this.#starting = exchange;
        },
      });
      const { timeoutMs } = request;
      cancelTimer = after(clock, timeoutMs, () =>
        exchange.fail('timeout', `no complete answer within ${timeoutMs} ms`),
      );
      if (signal?.aborted === true) return onAbort();
      signal?.addEventListener('abort', onAbort);
      this.#dispatch(request, exchange);
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
    try {
      const url = new URL(request.url);
      const { origin, pathname, search } = url;
      this.#poolOf(request, url).dispatch(
        {
          origin,
          path: pathname + search,
          method: request.method,
          headers: request.headers as Record<string, string>,
          body: request.body ?? null,
        },
        exchange,
      );
    } catch (error) {
      exchange.fail(errorCodeOf(error), messageOf(error));
    }
  }

  #poolOf({ lane, connectionsMax, timeoutMs }: OutgoingRequest, url: URL): Pool {
    const { origin } = url;
    const known = this.#pools.get(lane);
    const isSame =
      known?.origin === origin &&
      known.connections === connectionsMax &&
      known.timeoutMs === timeoutMs;
    if (isSame) return known.pool;
    // The webhook was changed: requests under way finish on their old connections.
    this.forget(lane);
    const pool = new Pool(origin, {
      connections: connectionsMax,
      // What is read after a request was written is its answer, see `Wire`.
      pipelining: 1,
      // One time limit covers connecting, headers and body: the exchange's own.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: HEADER_BYTES_MAX,
      connect: this.#connector(timeoutMs, portOf(url)),
    });
    this.#pools.set(lane, { origin, connections: connectionsMax, timeoutMs, pool });
    return pool;
  }

  #connector(timeoutMs: number, port: number): buildConnector.connector {
    const { ca, guard } = this.#options;
    // Node takes a list of authorities instead of its own, not beside them.
    const trust = ca === undefined ? {} : { ca: [...rootCertificates, ca] };
    // Given here, for undici ignores a `lookup` in the call.
    const connect = buildConnector({ timeout: timeoutMs, lookup: guard.lookup(port), ...trust });
    return (options, callback) => {
      const host = plainHost(options.hostname);
      // A literal is never looked up.
      if (isIP(host) !== 0 && !guard.mayConnect(host, host, port)) {
        callback(new EgressError(), null);
        return;
      }
      connect(options, (...[error, socket]) => {
        if (error !== null) return callback(error, null);
        // Whatever the ways above have missed has an address by now.
        if (!guard.mayConnect(host, socket.remoteAddress ?? '', port)) {
          socket.destroy();
          return callback(new EgressError(), null);
        }
        putWire(socket, new Wire(), (wire) => this.#begin(wire));
        callback(null, socket);
      });
    };
  }

  #begin(wire: Wire): void {
    const exchange = this.#starting;
    if (exchange === undefined) return;
    this.#starting = undefined;
    wire.begin();
    exchange.startedOn(wire);
  }
}
