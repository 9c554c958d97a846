import type { TransportErrorCode } from '../../engine/sender/transport.ts';
import type { CapSnapshot } from './caps.ts';
import type { DeliveryPosition } from './delivery.ts';
import type { OutcomeFlags } from './outcome-flags.ts';

/**
 * What a lane writes to `done.<webhook>`. With the lane's last snapshot and the deliveries of
 * `out.<webhook>` these records are its whole state, and they tell the story of every delivery
 * after the deliveries themselves have been forgotten.
 */
export type LaneRecord = FormedRecord | RetryRecord | SettledRecord;

/** Several deliveries became one request. Durable before the request is first made. */
export interface FormedRecord {
  readonly kind: 'formed';
  readonly webhookId: string;
  readonly members: readonly DeliveryPosition[];
  /** The places under a cap that its members have taken. */
  readonly places?: CapPlaces;
}

export interface CapPlaces {
  readonly campaignId: string;
  /** The calendar day on which they count. */
  readonly day: number;
}

/** How one request went. */
export interface AttemptFacts {
  /** From 1. */
  readonly attempt: number;
  readonly startedAtMs: number;
  /** The status of the answer, or why there was none. */
  readonly answer: number | TransportErrorCode;
  readonly durationMs: number;
}

/** An attempt failed and another one is planned. */
export interface RetryRecord extends AttemptFacts {
  readonly kind: 'retry';
  readonly webhookId: string;
  readonly members: readonly DeliveryPosition[];
  readonly retryAtMs: number;
  /** Until when the receiver asked the whole lane to wait; 0 when it did not. */
  readonly holdUntilMs: number;
}

/** The final word on deliveries of one campaign: on a batch, or on one that was never sent. */
export interface SettledRecord {
  readonly kind: 'settled';
  /** Of the request, or of the delivery itself if there was none. */
  readonly webhookId: string;
  readonly campaignId: string;
  readonly outcome: 'delivered' | 'failed' | 'suppressed';
  /** `expired`, `cancelled`, `http-400`, …; empty when delivered. */
  readonly reason: string;
  readonly atMs: number;
  /** The attempt that decided it; absent when it was decided between attempts. */
  readonly last?: AttemptFacts;
  readonly members: readonly SettledMember[];
}

export interface SettledMember extends DeliveryPosition, OutcomeFlags {
  readonly id: string;
  readonly userId: string;
}

/** The state of a lane, without the deliveries: they are read again from the log. */
export interface LaneSnapshot {
  /** How far `out` has been read. Everything up to here that is not in `open` is settled. */
  readonly readTo: number;
  readonly open: readonly OpenEnvelope[];
  readonly batches: readonly BatchSnapshot[];
  readonly rateArrivalAtMs: number;
  readonly holdUntilMs: number;
  /** Up to here a run that crashed may have sent deliveries by themselves, unrecorded; or 0. */
  readonly aloneUpTo: number;
  /** True when nothing was in flight: no request can have gone out that is not recorded. */
  readonly isClean: boolean;
  /** How often campaigns have been delivered. */
  readonly caps: readonly CapSnapshot[];
}

/** An envelope of `out` that is not known to be settled whole. */
export interface OpenEnvelope {
  readonly offset: number;
  /** Deliveries in it; 0 beyond `readTo`, where it has not been read. */
  readonly count: number;
  /** Indexes of those that are settled. */
  readonly settled: readonly number[];
}

export interface BatchSnapshot {
  readonly webhookId: string;
  /** Attempts that failed. */
  readonly attempts: number;
  readonly retryAtMs: number;
  readonly members: readonly DeliveryPosition[];
  readonly places?: CapPlaces;
}
