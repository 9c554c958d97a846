/** The HTTP API of a running Lapse, as commands use it. */
import { Agent, request } from 'undici';
import { checkEnvironmentNames } from '../../config/definitions/environment-names.ts';
import type { EventCounts } from '../../connectors/doors/http/event-counts.ts';
import { externalError, LapseError, messageOf, userError } from '../../engine/errors/errors.ts';
import { describeValue } from '../../engine/errors/wording.ts';
import type { Clock } from '../../engine/time/clock.ts';
import { httpDateMs } from '../../operators/delivery/http-date.ts';

export const DEFAULT_URL = 'http://127.0.0.1:8080';

export interface RefusedEvent {
  /** Position in the batch. */
  readonly index: number;
  readonly code: string;
  readonly message: string;
}

export interface BatchAnswer {
  readonly accepted: number;
  readonly rejected: readonly RefusedEvent[];
  /** What becomes of those accepted, when it was asked for. */
  readonly counts?: EventCounts;
}

export interface LapseClientOptions {
  readonly url: string;
  readonly clock: Clock;
  /** Requests at the same time. @default 1 */
  readonly connections?: number;
  /** How long a busy or restarting Lapse is waited for, per request. @default 60_000 */
  readonly patienceMs?: number;
  /** Called before each wait for another attempt. */
  readonly onRetry?: (error: LapseError) => void;
}

const PATIENCE_MS = 60_000;
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 5_000;
const BUSY = new Set([429, 503]);
/** What a proxy says while Lapse behind it is away. */
const AWAY = new Set([502, 503, 504]);
/** The address is wrong, or Lapse was never started: waiting would not help. */
const NEVER_THERE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ERR_INVALID_URL']);

/** @throws LapseError `ERR_USAGE` when it is no URL of a server */
export function serverUrl(option: string | undefined, env: NodeJS.ProcessEnv): string {
  checkEnvironmentNames(env, new Set());
  const given = option ?? (env.LAPSE_URL || DEFAULT_URL);
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return given.replace(/\/+$/, '');
  const name = option === undefined ? 'LAPSE_URL' : '--url';
  throw userError(
    'ERR_USAGE',
    `${name} must be a URL like ${DEFAULT_URL}, got ${describeValue(given)}`,
  );
}

export class LapseClient {
  readonly #url: string;
  readonly #clock: Clock;
  readonly #patienceMs: number;
  readonly #onRetry: ((error: LapseError) => void) | undefined;
  readonly #agent: Agent;
  /** It answered before, so that a refused connection is a restart and not a wrong address. */
  #hasAnswered = false;

  constructor(options: LapseClientOptions) {
    const { url, clock, connections = 1, patienceMs = PATIENCE_MS } = options;
    this.#url = url;
    this.#clock = clock;
    this.#patienceMs = patienceMs;
    this.#onRetry = options.onRetry;
    this.#agent = new Agent({ connections });
  }

  /**
   * Sends events and waits until they are durable. 429, 503 and broken connections are tried again,
   * and a refused connection once Lapse has answered; `Retry-After` is kept to.
   * @param body JSON, `{"batch": […]}`
   * @param isCounted asks what becomes of the events
   * @throws LapseError `ERR_UNREACHABLE`, `ERR_NOT_LAPSE`, `ERR_TOO_LARGE` (413), or what Lapse said
   */
  async batch(body: string, isCounted = false): Promise<BatchAnswer> {
    const untilMs = this.#clock.now() + this.#patienceMs;
    for (let attempt = 0; ; attempt++) {
      const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** attempt);
      try {
        return await this.#post(isCounted ? '/v1/batch?counts=true' : '/v1/batch', body);
      } catch (error) {
        if (!(error instanceof LapseError) || !error.retryable) throw error;
        const retryMs = Math.max(waitMs, Number(error.facts.retryAfterMs ?? 0));
        if (this.#clock.now() + retryMs > untilMs) throw error;
        this.#onRetry?.(error);
        await new Promise<void>((resolve) => {
          this.#clock.at(this.#clock.now() + retryMs, resolve);
        });
      }
    }
  }

  close(): Promise<void> {
    return this.#agent.close();
  }

  async #post(path: string, body: string): Promise<BatchAnswer> {
    const { status, text, retryAfter } = await this.#exchange(path, body);
    const answer = parse(text) as Partial<BatchAnswer & { code: string; detail: string }>;
    const isAnswer = typeof answer.accepted === 'number' && Array.isArray(answer.rejected);
    if ((status === 200 || status === 400) && isAnswer) {
      this.#hasAnswered = true;
      return answer as BatchAnswer;
    }
    if (answer.code === undefined) {
      throw externalError(
        'ERR_NOT_LAPSE',
        `Lapse must be running at ${this.#url}, something else answers there (status ${status}).`,
        { retryable: this.#hasAnswered && AWAY.has(status) },
      );
    }
    this.#hasAnswered = true;
    const code = status === 413 ? 'ERR_TOO_LARGE' : answer.code;
    const retryAfterMs = retryAfterMsOf(retryAfter, this.#clock.now());
    const details = { retryable: BUSY.has(status), facts: { status, retryAfterMs } };
    throw externalError(
      code,
      `Lapse at ${this.#url} answered ${status}: ${answer.detail}`,
      details,
    );
  }

  async #exchange(
    path: string,
    body: string,
  ): Promise<{ status: number; text: string; retryAfter: string | undefined }> {
    try {
      const answer = await request(`${this.#url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        dispatcher: this.#agent,
      });
      const text = await answer.body.text();
      const retryAfter = answer.headers['retry-after']?.toString();
      return { status: answer.statusCode, text, retryAfter };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const what =
        code === 'ECONNREFUSED'
          ? 'nothing answers there'
          : `it cannot be reached: ${messageOf(error)}`;
      throw externalError('ERR_UNREACHABLE', `Lapse must be running at ${this.#url}, ${what}.`, {
        retryable: this.#hasAnswered || !NEVER_THERE.has(code ?? ''),
        cause: error,
      });
    }
  }
}

function parse(text: string): object {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** `Retry-After` is seconds or a date; 0 when it is neither. */
export function retryAfterMsOf(header: string | undefined, nowMs: number): number {
  if (header === undefined) return 0;
  if (/^\d+$/.test(header)) return Number(header) * 1_000;
  const atMs = httpDateMs(header, nowMs);
  return Number.isNaN(atMs) ? 0 : Math.max(0, atMs - nowMs);
}
