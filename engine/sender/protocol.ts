import type { HistogramCounts } from '../histogram.ts';
import type { ThreadError } from '../worker/protocol.ts';

/** What the sender's thread says to the main thread. */
export type FromSenderThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'stats'; readonly stats: SenderStats }
  | { readonly kind: 'warning'; readonly lane: string; readonly error: ThreadError }
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
  /** Attempts by answer: a status, or a transport error's code. */
  readonly attempts: readonly (readonly [answer: string, count: number])[];
  /** Outcomes by campaign, outcome and reason. */
  readonly outcomes: readonly OutcomeCount[];
  readonly attemptDuration: HistogramCounts;
}

export interface OutcomeCount {
  readonly campaignId: string;
  readonly outcome: 'delivered' | 'failed';
  /** Empty when delivered. */
  readonly reason: string;
  readonly count: number;
}
