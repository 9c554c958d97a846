import type { Dispatcher } from 'undici';
import { messageOf } from '../../engine/errors/errors.ts';
import type { TransportErrorCode, TransportResult } from '../../engine/sender/transport.ts';
import { after, type Clock } from '../../engine/time/clock.ts';
import { errorCodeOf } from './error-codes.ts';
import type { Wire } from './wire.ts';

/** A response body is read up to here and then cut off with its connection: nobody needs more. */
export const BODY_BYTES_MAX = 64 * 1024;
/** So long after the head, and then it is cut off: the status has decided already. */
export const BODY_MS_MAX = 1_000;
/** So much of it is kept for people to look at. */
export const SNIPPET_BYTES_MAX = 1024;

export interface ExchangeCalls {
  /** Called once. */
  readonly settle: (result: TransportResult) => void;
  /** Its request is written next, in this turn: `startedOn` follows. */
  readonly starting: () => void;
  /** Makes the same request once more, on another connection. */
  readonly sendAgain: () => void;
}

/**
 * One request and its response, as undici reports them. Settles once; what comes later, such as
 * the error that cutting off causes, is ignored. As soon as the final head is there the status
 * decides, however the body ends: a receiver that has taken a message must not get it again.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #clock: Clock;
  readonly #calls: ExchangeCalls;
  readonly #startedAtMs: number;
  readonly #snippet: Buffer[] = [];
  #snippetBytes = 0;
  #bodyBytes = 0;
  #firstByteSentAtMs: number | undefined;
  /** Of the final head; 0 before it. */
  #status = 0;
  #retryAfter: string | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #wire: Wire | undefined;
  #cancelBodyTimer: () => void = () => {};
  #wasSentAgain = false;
  #isSettled = false;

  constructor(clock: Clock, calls: ExchangeCalls) {
    this.#clock = clock;
    this.#calls = calls;
    this.#startedAtMs = clock.now();
  }

  /**
   * undici calls this when a connection is there and the request is about to be written to it,
   * in the same turn: the time of the first byte, as near as a process can know.
   */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Given up while it waited for a connection: nothing has been written, and nothing will be.
    if (this.#isSettled) {
      controller.abort(new Error('given up'));
      return;
    }
    this.#firstByteSentAtMs ??= this.#clock.now();
    this.#calls.starting();
  }

  /** Its request is being written to this connection. */
  startedOn(wire: Wire): void {
    this.#wire = wire;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // The wire keeps 1xx from undici; this one is for a socket without.
    if (status < 200 || this.#isSettled) return;
    this.#status = status;
    const retryAfter = headers['retry-after'];
    this.#retryAfter = Array.isArray(retryAfter) ? retryAfter[0] : retryAfter;
    // Nearly always the body comes in the same turn, and no timer is needed.
    queueMicrotask(() => {
      if (this.#isSettled) return;
      this.#cancelBodyTimer = after(this.#clock, BODY_MS_MAX, () => this.#cutOff());
    });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isSettled) return;
    const wanted = SNIPPET_BYTES_MAX - this.#snippetBytes;
    if (wanted > 0) {
      // Copied: the chunk is a window on a buffer that may be much larger.
      const part = Buffer.from(chunk.subarray(0, wanted));
      this.#snippet.push(part);
      this.#snippetBytes += part.length;
    }
    this.#bodyBytes += chunk.length;
    if (this.#bodyBytes > BODY_BYTES_MAX) this.#cutOff();
  }

  onResponseEnd(): void {
    this.#answer();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#end(errorCodeOf(error), messageOf(error));
  }

  /** Ends the exchange from this side; one whose head is there was answered all the same. */
  fail(error: TransportErrorCode, detail: string): void {
    if (this.#isSettled) return;
    if (this.#status !== 0) this.#answer();
    else this.#settleWith({ error, detail, ...this.#timing() });
    this.#controller?.abort(new Error(detail));
  }

  #end(error: TransportErrorCode, detail: string): void {
    if (this.#isSettled) return;
    // A head that the parser refuses, for a length that makes no sense, has a status as well.
    this.#status ||= this.#wire?.finalStatus() ?? 0;
    if (this.#status === 0 && this.#mayHaveMissed(error)) {
      this.#wasSentAgain = true;
      this.#wire = undefined;
      this.#calls.sendAgain();
    } else {
      this.fail(error, detail);
    }
  }

  /**
   * The receiver closed a connection that it had kept open, perhaps just before the request came:
   * nothing says that it was read. Sent again at once, with the same id, and once only.
   */
  #mayHaveMissed(error: TransportErrorCode): boolean {
    const wire = this.#wire;
    if (error !== 'reset' || this.#wasSentAgain || wire === undefined) return false;
    return wire.isReused && !wire.hasBytes;
  }

  #cutOff(): void {
    this.#answer();
    this.#controller?.abort(new Error('response body cut off'));
  }

  #answer(): void {
    if (this.#isSettled) return;
    this.#settleWith({
      status: this.#status,
      ...(this.#retryAfter === undefined ? {} : { retryAfter: this.#retryAfter }),
      bodySnippet: Buffer.concat(this.#snippet).toString('utf8'),
      ...this.#timing(),
    });
  }

  #settleWith(result: TransportResult): void {
    this.#isSettled = true;
    this.#cancelBodyTimer();
    this.#wire?.end();
    this.#calls.settle(result);
  }

  #timing() {
    const durationMs = Math.max(0, this.#clock.now() - this.#startedAtMs);
    const firstByteSentAtMs = this.#firstByteSentAtMs;
    return firstByteSentAtMs === undefined ? { durationMs } : { durationMs, firstByteSentAtMs };
  }
}
