/**
 * How the sender talks to a receiver. The real one is `connectors/webhook`; `simulate` and the
 * tests bring their own.
 */

/** One HTTP request, complete: nothing is added on the way but what HTTP itself asks for. */
export interface OutgoingRequest {
  /** The webhook's id: connections are pooled, and isolated, by it. */
  readonly lane: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute, http or https. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The very bytes that were signed; absent for GET and DELETE. */
  readonly body?: Uint8Array;
  /** From the start of the attempt to the end of the response. */
  readonly timeoutMs: number;
  /** Connections that this webhook may hold open. */
  readonly connectionsMax: number;
}

/** Why no answer came; stable, they stand in attempt records. */
export type TransportErrorCode =
  | 'timeout'
  | 'reset'
  | 'refused'
  | 'unreachable'
  | 'dns'
  /** Where it would have gone is no public address, and not allowed. */
  | 'egress'
  | 'tls'
  | 'protocol'
  | 'response-too-large'
  | 'invalid-request'
  | 'cancelled'
  | 'unknown';

interface Timing {
  readonly durationMs: number;
  /** When the request was written to the connection, Unix ms; absent if it never was. */
  readonly firstByteSentAtMs?: number;
}

export interface TransportResponse extends Timing {
  readonly status: number;
  /** The first value of the `retry-after` header, as it came. */
  readonly retryAfter?: string;
  /** The beginning of the body, at most 1 KB, as text. */
  readonly bodySnippet: string;
}

export interface TransportFailure extends Timing {
  readonly error: TransportErrorCode;
  /** The system's own words, for people. */
  readonly detail?: string;
}

export type TransportResult = TransportResponse | TransportFailure;

export interface Transport {
  /**
   * Makes one request, exactly once: no retry, no redirect, no proxy.
   * Never rejects: whatever goes wrong is a `TransportFailure`. An aborted `signal` ends it soon
   * with `cancelled`; the receiver may have got the request.
   */
  send(request: OutgoingRequest, signal?: AbortSignal): Promise<TransportResult>;
}
