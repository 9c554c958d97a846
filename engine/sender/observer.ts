import type { LapseError } from '../errors/errors.ts';
import type { LaneOutcome, SenderAttempt } from './sender-lane.ts';
import type { TransportResult } from './transport.ts';

/** Where metrics hang: plain calls on the sending path, so they must be quick and not throw. */
export interface SenderObserver {
  attempt(lane: string, attempt: SenderAttempt, result: TransportResult): void;
  /** Called once the outcome is durable; after a crash not again. */
  outcome(lane: string, outcome: LaneOutcome): void;
  /** A campaign has delivered all that its cap allows. Told again after a restart. */
  campaignCompleted(lane: string, campaignId: string): void;
  /** From qualification to the first byte of the first attempt, once a delivery. */
  triggerLatencyMs(lane: string, campaignId: string, latencyMs: number): void;
  /** The log keeps refusing; attempts wait meanwhile. May be called often. */
  logUnavailable(lane: string, error: unknown): void;
  /** The log takes what the lane does; may be called often. */
  logAvailable(lane: string): void;
  /** A snapshot could not be stored, or not trimmed behind: the next recovery reads more. */
  snapshotFailed(lane: string, error: unknown): void;
  snapshotStored(lane: string): void;
  /** This lane stopped for good, the others go on; its deliveries are still in the log. */
  laneFailed(lane: string, error: LapseError): void;
  /** The webhook is no longer defined: what is owed to it stays in the log. */
  laneRemoved(lane: string, pendingCount: number): void;
}

export const silentObserver: SenderObserver = {
  attempt() {},
  outcome() {},
  campaignCompleted() {},
  triggerLatencyMs() {},
  logUnavailable() {},
  logAvailable() {},
  snapshotFailed() {},
  snapshotStored() {},
  laneFailed() {},
  laneRemoved() {},
};
