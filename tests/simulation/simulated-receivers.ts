import type { OutgoingRequest, Transport, TransportResult } from '../../engine/sender/transport.ts';
import type { Life, Scheduler } from './scheduler.ts';
import type { WallClock } from './simulated-clock.ts';

/** Shares of what a receiver does; what is left is a quick 200. */
export interface ReceiverFaults {
  /** Takes the request and answers after our time-out. */
  late: number;
  /** Never takes it: our time-out. */
  hanging: number;
  reset: number;
  failing: number;
  /** 429 or 503 with `Retry-After`. */
  busy: number;
  /** 400, 404 or 410. */
  refusing: number;
  /** Longest time to an answer, ms. */
  slowMs: number;
}

/** A request as a receiver saw it. */
export interface Received {
  readonly lane: string;
  readonly life: Life;
  readonly step: number;
  /** The world's own time, Unix ms. */
  readonly atMs: number;
  /** What the sender's clock showed. */
  readonly wallMs: number;
  readonly webhookId: string;
  readonly attempt: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What the sender was told; undefined when it died before. */
  answer?: TransportResult;
  answeredStep?: number;
  answeredAtMs?: number;
  answeredWallMs?: number;
  /** The receiver has accepted it, whatever the sender was told. */
  isAccepted: boolean;
}

const RETRY_AFTER_SECONDS_MAX = 6;
const REFUSALS = [400, 404, 410];
const FAILURES = [500, 502, 408, 425];
const decoder = new TextDecoder();

/** All receivers: they answer as their faults say, and remember everything. */
export class SimulatedReceivers {
  readonly #scheduler: Scheduler;
  readonly #wall: WallClock;
  readonly faults: ReadonlyMap<string, ReceiverFaults>;
  readonly received: Received[] = [];
  onReceived: (received: Received) => void = () => undefined;

  constructor(scheduler: Scheduler, wall: WallClock, faults: ReadonlyMap<string, ReceiverFaults>) {
    this.#scheduler = scheduler;
    this.#wall = wall;
    this.faults = faults;
  }

  /** The way to them from a life. */
  transport(life: Life): Transport {
    return { send: (request, signal) => this.#send(life, request, signal) };
  }

  #send(life: Life, request: OutgoingRequest, signal?: AbortSignal): Promise<TransportResult> {
    const { nowMs: atMs, steps: step } = this.#scheduler;
    const received: Received = {
      lane: request.lane,
      life,
      step,
      atMs,
      wallMs: this.#wall.now(),
      webhookId: request.headers['webhook-id'] ?? '',
      attempt: Number(request.headers['webhook-attempt']),
      body: decoder.decode(request.body),
      headers: request.headers,
      isAccepted: false,
    };
    this.received.push(received);
    this.onReceived(received);
    const { afterMs, result, isAccepted } = this.#draw(request);
    received.isAccepted = isAccepted;
    return new Promise((resolve) => {
      const answer = (told: TransportResult) => {
        if (received.answer !== undefined) return;
        received.answer = told;
        received.answeredStep = this.#scheduler.steps;
        received.answeredAtMs = this.#scheduler.nowMs;
        received.answeredWallMs = this.#wall.now();
        resolve(told);
      };
      signal?.addEventListener('abort', () => answer({ error: 'cancelled', durationMs: 0 }));
      const timing = { durationMs: Math.floor(afterMs), firstByteSentAtMs: received.wallMs };
      this.#scheduler.after(afterMs, life, () => answer({ ...result, ...timing }));
    });
  }

  #draw(request: OutgoingRequest): {
    afterMs: number;
    result:
      | { status: number; bodySnippet: ''; retryAfter?: string }
      | { error: 'timeout' | 'reset' };
    isAccepted: boolean;
  } {
    const { prng, coverage } = this.#scheduler;
    const faults = this.faults.get(request.lane)!;
    const quickMs = this.#scheduler.delayMs(0.1, faults.slowMs);
    const { timeoutMs } = request;
    const timedOut = { afterMs: timeoutMs, result: { error: 'timeout' as const } };
    const status = (code: number) => ({ status: code, bodySnippet: '' as const });
    let lot = prng.next();
    const isDrawn = (share: number) => {
      const drawn = lot < share;
      lot -= share;
      return drawn;
    };
    if (isDrawn(faults.late)) {
      coverage.met('receiver took it and answered too late');
      return { ...timedOut, isAccepted: true };
    }
    if (isDrawn(faults.hanging)) {
      coverage.met('receiver never answered');
      return { ...timedOut, isAccepted: false };
    }
    if (isDrawn(faults.reset)) {
      coverage.met('receiver reset the connection');
      return { afterMs: quickMs, result: { error: 'reset' }, isAccepted: prng.chance(0.5) };
    }
    if (isDrawn(faults.failing)) {
      const code = prng.pick(FAILURES);
      coverage.met(code < 500 ? 'receiver said 408 or 425' : 'receiver said 5xx');
      return { afterMs: quickMs, result: status(code), isAccepted: false };
    }
    if (isDrawn(faults.busy)) {
      coverage.met('receiver said 429 or 503 with Retry-After');
      const retryAfter = String(1 + prng.below(RETRY_AFTER_SECONDS_MAX));
      const result = { ...status(prng.pick([429, 503])), retryAfter };
      return { afterMs: quickMs, result, isAccepted: false };
    }
    if (isDrawn(faults.refusing)) {
      const code = prng.pick(REFUSALS);
      coverage.met(code === 410 ? 'receiver said 410' : 'receiver said 400 or 404');
      return { afterMs: quickMs, result: status(code), isAccepted: false };
    }
    if (quickMs >= timeoutMs) return { ...timedOut, isAccepted: true };
    return { afterMs: quickMs, result: status(200), isAccepted: true };
  }
}
