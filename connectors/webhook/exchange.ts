import type { Dispatcher } from 'undici';
import { messageOf } from '../../engine/errors/errors.ts';
import type { TransportErrorCode, TransportResult } from '../../engine/sender/transport.ts';
import type { Clock } from '../../engine/time/clock.ts';
import { errorCodeOf } from './error-codes.ts';

/** A response body is read up to here and then cut off with its connection: nobody needs more. */
export const BODY_BYTES_MAX = 64 * 1024;
/** So much of it is kept for people to look at. */
export const SNIPPET_BYTES_MAX = 1024;

/**
 * One request and its response, as undici reports them. Settles once; what comes later, such as
 * the error that cutting off causes, is ignored.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #clock: Clock;
  readonly #settle: (result: TransportResult) => void;
  readonly #startedAtMs: number;
  readonly #snippet: Buffer[] = [];
  #snippetBytes = 0;
  #bodyBytes = 0;
  #firstByteSentAtMs: number | undefined;
  #status = 0;
  #retryAfter: string | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #isSettled = false;

  constructor(clock: Clock, settle: (result: TransportResult) => void) {
    this.#clock = clock;
    this.#settle = settle;
    this.#startedAtMs = clock.now();
  }

  /**
   * undici calls this when a connection is there and the request is about to be written to it,
   * in the same turn: the time of the first byte, as near as a process can know.
   */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Given up while it waited for a connection: nothing has been written, and nothing will be.
    if (this.#isSettled) controller.abort(new Error('given up'));
    else this.#firstByteSentAtMs = this.#clock.now();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // 1xx come before the real answer.
    if (status < 200) return;
    this.#status = status;
    const retryAfter = headers['retry-after'];
    this.#retryAfter = Array.isArray(retryAfter) ? retryAfter[0] : retryAfter;
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
    if (this.#bodyBytes <= BODY_BYTES_MAX) return;
    this.#answer();
    this.#controller?.abort(new Error('response body cut off'));
  }

  onResponseEnd(): void {
    this.#answer();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(errorCodeOf(error), messageOf(error));
  }

  /** Ends the exchange from this side, or says how it failed. */
  fail(error: TransportErrorCode, detail: string): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#settle({ error, detail, ...this.#timing() });
    this.#controller?.abort(new Error(detail));
  }

  #answer(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#settle({
      status: this.#status,
      ...(this.#retryAfter === undefined ? {} : { retryAfter: this.#retryAfter }),
      bodySnippet: Buffer.concat(this.#snippet).toString('utf8'),
      ...this.#timing(),
    });
  }

  #timing() {
    const durationMs = Math.max(0, this.#clock.now() - this.#startedAtMs);
    const firstByteSentAtMs = this.#firstByteSentAtMs;
    return firstByteSentAtMs === undefined ? { durationMs } : { durationMs, firstByteSentAtMs };
  }
}
