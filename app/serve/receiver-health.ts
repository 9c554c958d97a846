/**
 * Tells how the receivers are doing: when one begins to fail, what failed since, when it takes
 * messages again, and each kind of final failure. A few lines per webhook, never one per message.
 */
import { externalError, type LapseError } from '../../engine/errors/errors.ts';
import type { ConditionReporter } from '../../engine/health/conditions.ts';
import type { LaneOutcome } from '../../engine/sender/sender-lane.ts';
import type { TransportResult } from '../../engine/sender/transport.ts';
import { formatDuration, HOUR_MS, MINUTE_MS } from '../../engine/time/duration.ts';

export interface ReceiverHealthOptions {
  readonly now: () => number;
  readonly conditions: ConditionReporter;
  readonly onWarning: (lane: string, error: LapseError) => void;
  /** Whether an answer is what the webhook counts as success. */
  readonly isTaken: (lane: string, result: TransportResult) => boolean;
}

/** Between two lines with counts. */
export const REPORT_MS = 5 * MINUTE_MS;
/** A receiver that takes messages, and has refused none for so long, is well again. */
export const WELL_AFTER_MS = MINUTE_MS;
/** A kind of final failure is told again when it was not told for so long. */
const TELL_AGAIN_MS = HOUR_MS;

interface Health {
  isFailing: boolean;
  isTold: boolean;
  /** A receiver that fails now and then is told by counts alone until this instant. */
  quietUntilMs: number;
  reportAtMs: number;
  failedAtMs: number;
  takenAtMs: number;
  /** Since the last report. */
  attempts: number;
  readonly failures: Map<string, number>;
  readonly finals: Map<string, number>;
  /** When each kind of final failure was told. */
  readonly toldAtMs: Map<string, number>;
}

export class ReceiverHealth {
  readonly #options: ReceiverHealthOptions;
  readonly #lanes = new Map<string, Health>();

  constructor(options: ReceiverHealthOptions) {
    this.#options = options;
  }

  attempt(lane: string, result: TransportResult): void {
    const nowMs = this.#options.now();
    const health = this.#laneOf(lane);
    if (health.reportAtMs < Number.POSITIVE_INFINITY) health.attempts++;
    if (this.#options.isTaken(lane, result)) {
      health.takenAtMs = nowMs;
      return;
    }
    const answer = 'error' in result ? result.error : `HTTP ${result.status}`;
    health.failures.set(answer, (health.failures.get(answer) ?? 0) + 1);
    health.failedAtMs = nowMs;
    if (health.isFailing) return;
    health.isFailing = true;
    if (health.reportAtMs === Number.POSITIVE_INFINITY) {
      // Attempts before the first failure are none of its story.
      health.attempts = 1;
      health.reportAtMs = nowMs + REPORT_MS;
    }
    if (nowMs < health.quietUntilMs) return;
    health.isTold = true;
    const sentence = `Webhook '${lane}' did not take a message: ${answer}. Lapse tries again, and says every ${formatDuration(REPORT_MS)} how many attempts fail.`;
    this.#options.conditions.begin('webhook-failing', whereOf(lane), sentence);
  }

  outcome(lane: string, { campaignId, outcome, reason = '' }: LaneOutcome): void {
    // Cancelled by its campaign's end, which somebody wanted.
    if (outcome !== 'failed' || reason === 'cancelled') return;
    const nowMs = this.#options.now();
    const { finals, toldAtMs, reportAtMs } = this.#laneOf(lane);
    finals.set(reason, (finals.get(reason) ?? 0) + 1);
    if (reportAtMs === Number.POSITIVE_INFINITY) {
      this.#laneOf(lane).reportAtMs = nowMs + REPORT_MS;
    }
    if (nowMs < (toldAtMs.get(reason) ?? Number.NEGATIVE_INFINITY) + TELL_AGAIN_MS) return;
    toldAtMs.set(reason, nowMs);
    const sentence = `A message of campaign '${campaignId}' to webhook '${lane}' failed for good: ${reason}. More of this kind are counted, not told one by one.`;
    this.#options.onWarning(lane, externalError('ERR_DELIVERY_FAILED', sentence));
  }

  /** To be called now and then: tells what is due. */
  tick(): void {
    const nowMs = this.#options.now();
    for (const [lane, health] of this.#lanes) {
      if (health.isFailing && isWell(health, nowMs)) this.#recover(lane, health, nowMs);
      if (nowMs >= health.reportAtMs) this.#report(lane, health, nowMs);
    }
  }

  removed(lane: string): void {
    this.#lanes.delete(lane);
    this.#options.conditions.over('webhook-failing', whereOf(lane));
  }

  #recover(lane: string, health: Health, nowMs: number): void {
    health.isFailing = false;
    if (!health.isTold) return;
    health.isTold = false;
    health.quietUntilMs = nowMs + REPORT_MS;
    this.#options.conditions.over('webhook-failing', whereOf(lane));
  }

  #report(lane: string, health: Health, nowMs: number): void {
    const { attempts, failures, finals } = health;
    const failed = sumOf(failures);
    const lost = sumOf(finals);
    const parts = [
      ...(failed === 0 ? [] : [`${failed} of ${attempts} attempts failed (${listOf(failures)})`]),
      ...(lost === 0 ? [] : [`${lost} messages failed for good (${listOf(finals)})`]),
    ];
    if (parts.length > 0) {
      const sentence = `Webhook '${lane}', last ${formatDuration(REPORT_MS)}: ${parts.join('; ')}.`;
      this.#options.onWarning(lane, externalError('ERR_WEBHOOK_FAILING', sentence));
    }
    health.attempts = 0;
    failures.clear();
    finals.clear();
    // Nothing to count: the next failure sets it again.
    const isOver = !health.isFailing && parts.length === 0;
    health.reportAtMs = isOver ? Number.POSITIVE_INFINITY : nowMs + REPORT_MS;
  }

  #laneOf(lane: string): Health {
    let health = this.#lanes.get(lane);
    if (health === undefined) {
      health = {
        isFailing: false,
        isTold: false,
        quietUntilMs: Number.NEGATIVE_INFINITY,
        reportAtMs: Number.POSITIVE_INFINITY,
        failedAtMs: Number.NEGATIVE_INFINITY,
        takenAtMs: Number.NEGATIVE_INFINITY,
        attempts: 0,
        failures: new Map(),
        finals: new Map(),
        toldAtMs: new Map(),
      };
      this.#lanes.set(lane, health);
    }
    return health;
  }
}

function isWell({ failedAtMs, takenAtMs }: Health, nowMs: number): boolean {
  return takenAtMs > failedAtMs && nowMs - failedAtMs >= WELL_AFTER_MS;
}

function whereOf(lane: string): string {
  return `webhook ${lane}`;
}

function sumOf(counts: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}

/** `503 × HTTP 503, 12 × timeout`, the most frequent first. */
function listOf(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([what, count]) => `${count} × ${what}`)
    .join(', ');
}
