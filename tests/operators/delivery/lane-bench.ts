import type { SenderAttempt } from '../../../engine/sender/sender-lane.ts';
import type { TransportResult } from '../../../engine/sender/transport.ts';
import type { Campaign, Webhook } from '../../../operators/definitions.ts';
import type { Delivery } from '../../../operators/delivery/delivery.ts';
import { Lane } from '../../../operators/delivery/lane.ts';
import type { LaneDefinitions, LaneOptions } from '../../../operators/delivery/lane-campaigns.ts';
import type {
  LaneRecord,
  LaneSnapshot,
  SettledRecord,
} from '../../../operators/delivery/lane-records.ts';
import { CAMPAIGN_DEFAULTS } from '../../support/campaign-defaults.ts';

/** A Monday, 09:00 UTC. */
export const BASE_MS = Date.parse('2026-01-05T09:00:00.000Z');
export const TTL_MS = 3_600_000;
export const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

export function webhookOf(overrides: Partial<Webhook> = {}): Webhook {
  return {
    id: 'hook',
    url: 'https://hook.example.com/in',
    method: 'POST',
    headers: {},
    auth: { kind: 'none' },
    maxInFlight: 32,
    batch: { max: 100, lingerMs: 50 },
    timeoutMs: 5_000,
    retryScheduleMs: [],
    success: '2xx',
    ...overrides,
  };
}

export function campaignOf(id: string, overrides: Partial<Campaign> = {}): Campaign {
  return {
    ...CAMPAIGN_DEFAULTS,
    id,
    name: id,
    targetId: 7,
    webhook: 'hook',
    state: 'running',
    rule: { kind: 'action', on: { event: 'Bought' } },
    ttlMs: TTL_MS,
    content: { mode: 'variables', type: 'json', fields: ['identity'], keyValues: {}, query: {} },
    ...overrides,
  };
}

export function campaignsOf(...ids: string[]): ReadonlyMap<string, Campaign> {
  return new Map(ids.map((id) => [id, campaignOf(id)]));
}

export function deliveryOf(name: string, overrides: Partial<Delivery> = {}): Delivery {
  const dueAtMs = overrides.dueAtMs ?? BASE_MS;
  return {
    id: `msg_${name}`,
    campaignId: 'c',
    userId: name,
    qualifiedAtMs: dueAtMs,
    dueAtMs,
    expiresAtMs: dueAtMs + TTL_MS,
    body: `{"Identity":${JSON.stringify(name)}}`,
    ...overrides,
  };
}

export const OK: TransportResult = { status: 200, bodySnippet: '', durationMs: 0 };
export const TIMEOUT: TransportResult = { error: 'timeout', durationMs: 5_000 };

export function status(code: number, retryAfter?: string): TransportResult {
  const result = { status: code, bodySnippet: '', durationMs: 0 };
  return retryAfter === undefined ? result : { ...result, retryAfter };
}

interface Made {
  readonly atMs: number;
  readonly attempt: SenderAttempt;
}

/**
 * Drives one lane through virtual time, as `simulate` does: records are durable at once, and an
 * answer comes at once or after a latency.
 */
export class LaneBench {
  lane: Lane;
  nowMs = BASE_MS;
  readonly attempts: Made[] = [];
  readonly records: LaneRecord[] = [];
  readonly #offers: (readonly Delivery[])[] = [];
  readonly #snapshots: { readonly after: number; readonly state: LaneSnapshot }[] = [];
  readonly #answer: (attempt: SenderAttempt, nth: number) => TransportResult;
  readonly #latencyMs: number;
  #pending: { readonly atMs: number; readonly attempt: SenderAttempt; result: TransportResult }[] =
    [];

  constructor(
    options: Partial<LaneOptions> = {},
    answer: (attempt: SenderAttempt, nth: number) => TransportResult = () => OK,
    latencyMs = 0,
  ) {
    this.lane = new Lane({
      webhook: webhookOf(),
      campaigns: campaignsOf('c'),
      userAgent: 'Lapse/test',
      ...options,
    });
    this.#answer = answer;
    this.#latencyMs = latencyMs;
  }

  offer(...deliveries: Delivery[]): void {
    this.lane.offer(this.#offers.push(deliveries), deliveries, this.nowMs);
  }

  /** A crash: what was not recorded is forgotten, and another lane goes on from the records. */
  restart(options: LaneDefinitions, stored: (snapshot: LaneSnapshot) => LaneSnapshot): void {
    const snapshot = this.#snapshots.at(-1);
    this.lane = new Lane({ ...options, userAgent: 'Lapse/test' });
    if (snapshot !== undefined) this.lane.restore(stored(snapshot.state));
    for (const record of this.records.slice(snapshot?.after ?? 0)) this.lane.replay(record);
    this.lane.recovered(this.#offers.length, this.nowMs);
    this.#pending = [];
    for (const [i, deliveries] of this.#offers.entries()) {
      this.lane.offer(i + 1, deliveries, this.nowMs);
    }
    if (this.records.length % 2 === 0) this.#snapshot();
  }

  #snapshot(): void {
    this.records.push(...this.lane.takeRecords());
    this.#snapshots.push({ after: this.records.length, state: this.lane.snapshot(false) });
    this.lane.onDurable();
  }

  /** Runs everything that is due up to and with `untilMs`. */
  runUntil(untilMs: number): void {
    for (;;) {
      this.#turn();
      const next = Math.min(
        this.lane.nextWakeAtMs(this.nowMs) ?? Number.POSITIVE_INFINITY,
        ...this.#pending.map(({ atMs }) => atMs),
      );
      if (next > untilMs) break;
      this.nowMs = Math.max(this.nowMs, next);
    }
    this.nowMs = untilMs;
  }

  /** Runs until nothing waits. */
  runOut(): void {
    this.runUntil(BASE_MS + 40 * 24 * 3_600_000);
  }

  get settled(): SettledRecord[] {
    return this.records.filter((record) => record.kind === 'settled');
  }

  /** `user:outcome-or-reason`, in order. */
  get outcomes(): string[] {
    return this.settled.flatMap(({ members, outcome, reason }) =>
      members.map(({ userId }) => `${userId}:${reason === '' ? outcome : reason}`),
    );
  }

  usersByAttempt(): string[][] {
    return this.attempts.map(({ attempt }) => attempt.members.map(({ userId }) => userId));
  }

  #turn(): void {
    for (let isBusy = true; isBusy; ) {
      isBusy = false;
      const due = this.#pending.filter(({ atMs }) => atMs <= this.nowMs);
      this.#pending = this.#pending.filter(({ atMs }) => atMs > this.nowMs);
      for (const { attempt, result } of due) {
        this.lane.onResult(attempt, result, this.nowMs);
        isBusy = true;
      }
      const attempt = this.lane.poll(this.nowMs);
      if (attempt !== undefined) {
        isBusy = true;
        this.attempts.push({ atMs: this.nowMs, attempt });
        const result = this.#answer(attempt, this.attempts.length);
        this.#pending.push({ atMs: this.nowMs + this.#latencyMs, attempt, result });
      }
      const records = this.lane.takeRecords();
      if (records.length > 0) {
        isBusy = true;
        this.records.push(...records);
        this.lane.onDurable();
      }
    }
  }
}

/** The body of an attempt, parsed. */
export function bodyOf(attempt: SenderAttempt): unknown {
  return JSON.parse(new TextDecoder().decode(attempt.request.body)) as unknown;
}
