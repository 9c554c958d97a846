import type { ConditionReport } from '../health/conditions.ts';
import type { HistogramCounts } from '../metrics/histogram.ts';
import type { ThreadError } from '../worker/protocol.ts';

/**
 * What the main thread says to the sender's thread.
 * @typeParam D what it is to go by
 */
export type ToSenderThread<D> =
  | { readonly kind: 'drain' }
  /** Answered by `defined` with the same id. */
  | { readonly kind: 'define'; readonly id: number; readonly definitions: D };

/** What the sender's thread says to the main thread. */
export type FromSenderThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'stats'; readonly stats: SenderStats }
  | { readonly kind: 'warning'; readonly lane: string; readonly error: ThreadError }
  | { readonly kind: 'condition'; readonly report: ConditionReport }
  /** All lanes go by the definitions of that id. */
  | { readonly kind: 'defined'; readonly id: number }
  /** It has delivered all that its cap allows; said again after a restart. */
  | { readonly kind: 'completed'; readonly campaign: string }
  | { readonly kind: 'failed'; readonly error: ThreadError }
  | { readonly kind: 'drained' };

/** Counted since the thread started. */
export interface SenderStats {
  readonly lanes: readonly LaneStats[];
  /** From qualification to the first byte of the first attempt, ms, by campaign. */
  readonly triggerLatency: readonly (readonly [campaignId: string, HistogramCounts])[];
}

export interface LaneStats {
  readonly webhookId: string;
  /** Deliveries in memory, unsettled. */
  readonly pending: number;
  readonly unread: UnreadDeliveries;
  /** Attempts by answer: a status, or a transport error's code. */
  readonly attempts: readonly (readonly [answer: string, count: number])[];
  /** Outcomes by campaign, outcome and reason. */
  readonly outcomes: readonly OutcomeCount[];
  readonly attemptDuration: HistogramCounts;
}

/** Deliveries that stand in a lane's log and are not taken by the sender. */
export interface UnreadDeliveries {
  /** Less than there are while a long backlog is being counted. */
  readonly count: number;
  /** Since the oldest was stored, ms; 0 without any. */
  readonly ageMs: number;
}

export interface OutcomeCount {
  readonly campaignId: string;
  readonly outcome: 'delivered' | 'failed' | 'suppressed';
  /** Empty when delivered. */
  readonly reason: string;
  readonly count: number;
}
