import type { LapseError } from '../../engine/errors/errors.ts';
import { externalError, messageOf } from '../../engine/errors/errors.ts';
import type { ConditionReporter } from '../../engine/health/conditions.ts';
import { Histogram } from '../../engine/metrics/histogram.ts';
import type { SenderObserver } from '../../engine/sender/observer.ts';
import type {
  LaneStats,
  OutcomeCount,
  SenderStats,
  UnreadDeliveries,
} from '../../engine/sender/protocol.ts';
import type { LaneOutcome, SenderAttempt } from '../../engine/sender/sender-lane.ts';
import type { TransportResult } from '../../engine/sender/transport.ts';
import type { ReceiverHealth } from './receiver-health.ts';

interface LaneCounts {
  readonly attempts: Map<string, number>;
  /** By campaign, outcome and reason. */
  readonly outcomes: Map<string, { -readonly [K in keyof OutcomeCount]: OutcomeCount[K] }>;
  readonly attemptDuration: Histogram;
}

/** A lane that another process has taken, or a log that is not ours, is the end of this process. */
const FATAL_CODES = new Set(['ERR_FENCED', 'ERR_LOG_GONE']);

export interface SenderCalls {
  readonly receivers: ReceiverHealth;
  readonly onWarning: (lane: string, error: LapseError) => void;
  /** A campaign has delivered all that its cap allows. */
  readonly onCompleted: (campaignId: string) => void;
  /** This process must end: it must not go on half alive. */
  readonly onFatal: (error: LapseError) => void;
}

/** Counts what the lanes do, for /metrics and the terminal. */
export class SenderCounts implements SenderObserver {
  readonly #calls: SenderCalls;
  readonly #conditions: ConditionReporter;
  readonly #lanes = new Map<string, LaneCounts>();
  readonly #triggerLatency = new Map<string, Histogram>();

  constructor(conditions: ConditionReporter, calls: SenderCalls) {
    this.#conditions = conditions;
    this.#calls = calls;
  }

  attempt(lane: string, _attempt: SenderAttempt, result: TransportResult): void {
    const counts = this.#laneOf(lane);
    const answer = 'error' in result ? result.error : String(result.status);
    counts.attempts.set(answer, (counts.attempts.get(answer) ?? 0) + 1);
    counts.attemptDuration.record(result.durationMs);
    this.#calls.receivers.attempt(lane, result);
  }

  outcome(lane: string, settled: LaneOutcome): void {
    this.#calls.receivers.outcome(lane, settled);
    const { campaignId, outcome, reason = '' } = settled;
    const { outcomes } = this.#laneOf(lane);
    const key = `${campaignId}\n${outcome}\n${reason}`;
    const entry = outcomes.get(key);
    if (entry === undefined) outcomes.set(key, { campaignId, outcome, reason, count: 1 });
    else entry.count++;
  }

  campaignCompleted(_lane: string, campaignId: string): void {
    this.#calls.onCompleted(campaignId);
  }

  triggerLatencyMs(_lane: string, campaignId: string, latencyMs: number): void {
    let histogram = this.#triggerLatency.get(campaignId);
    if (histogram === undefined) {
      histogram = new Histogram();
      this.#triggerLatency.set(campaignId, histogram);
    }
    histogram.record(Math.max(0, latencyMs));
  }

  logUnavailable(lane: string, error: unknown): void {
    const sentence = `The log does not take the outcomes of webhook '${lane}', so its attempts wait: ${messageOf(error)}`;
    this.#conditions.begin('sender-stuck', whereOf(lane), sentence);
  }

  logAvailable(lane: string): void {
    this.#conditions.over('sender-stuck', whereOf(lane));
  }

  snapshotFailed(lane: string, error: unknown): void {
    const sentence = `Could not store a snapshot of webhook '${lane}', or forget what lies before it: ${messageOf(error)}`;
    this.#conditions.begin('snapshots-failing', whereOf(lane), sentence);
  }

  snapshotStored(lane: string): void {
    this.#conditions.over('snapshots-failing', whereOf(lane));
  }

  laneFailed(lane: string, error: LapseError): void {
    if (FATAL_CODES.has(error.code)) {
      this.#calls.onFatal(error);
      return;
    }
    const sentence = `The lane of webhook '${lane}' has stopped until the next start: ${error.message}`;
    this.#conditions.begin('sender-stuck', whereOf(lane), sentence);
  }

  laneRemoved(lane: string, pendingCount: number): void {
    this.logAvailable(lane);
    this.snapshotStored(lane);
    this.#calls.receivers.removed(lane);
    const sentence = `The webhook '${lane}' is no longer defined; ${pendingCount} deliveries stay in its lane.`;
    this.#calls.onWarning(lane, externalError('ERR_WEBHOOK_REMOVED', sentence));
  }

  toStats(
    pending: ReadonlyMap<string, number>,
    unread: ReadonlyMap<string, UnreadDeliveries>,
  ): SenderStats {
    for (const lane of pending.keys()) this.#laneOf(lane);
    const lanes = Array.from(
      this.#lanes,
      ([webhookId, counts]): LaneStats => ({
        webhookId,
        pending: pending.get(webhookId) ?? 0,
        unread: unread.get(webhookId) ?? { count: 0, ageMs: 0 },
        attempts: [...counts.attempts],
        outcomes: [...counts.outcomes.values()],
        attemptDuration: counts.attemptDuration.toCounts(),
      }),
    );
    const triggerLatency = Array.from(
      this.#triggerLatency,
      ([campaignId, histogram]) => [campaignId, histogram.toCounts()] as const,
    );
    return { lanes, triggerLatency };
  }

  #laneOf(lane: string): LaneCounts {
    let counts = this.#lanes.get(lane);
    if (counts === undefined) {
      counts = { attempts: new Map(), outcomes: new Map(), attemptDuration: new Histogram() };
      this.#lanes.set(lane, counts);
    }
    return counts;
  }
}

function whereOf(lane: string): string {
  return `webhook ${lane}`;
}
