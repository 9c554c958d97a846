import type { Delivery, DeliveryPosition } from './delivery.ts';
import type { BatchSnapshot, CapPlaces } from './lane-records.ts';

/** A delivery in memory. */
export interface Entry extends DeliveryPosition {
  readonly delivery: Delivery;
  /** When the lane took it in, Unix ms. */
  readonly joinedAtMs: number;
  /** May have been sent by itself before a crash, so it must keep its own id. */
  readonly isAlone: boolean;
  /** The day on which its place under the cap counts; undefined: it has none. */
  capDay: number | undefined;
  isSettled: boolean;
  batch: Batch | undefined;
}

/**
 * - `recovering`: members are still to be read from the log
 * - `forming`: its record is not durable yet
 * - `ready`: may be sent now
 * - `waiting`: for its next attempt
 * - `held`: until its campaign is no longer paused
 * - `inFlight`: being sent
 * - `settled`: done with
 */
export type BatchState =
  | 'recovering'
  | 'forming'
  | 'ready'
  | 'waiting'
  | 'held'
  | 'inFlight'
  | 'settled';

/** Deliveries of one campaign that travel, and are retried, as one request. */
export interface Batch {
  readonly webhookId: string;
  readonly positions: readonly DeliveryPosition[];
  /** In the order of `positions`; complete unless `recovering`. */
  readonly members: Entry[];
  state: BatchState;
  /** Attempts that failed. */
  attempts: number;
  retryAtMs: number;
  /** Of the member that expires first: no attempt starts at or after it. */
  expiresAtMs: number;
  /** The places under a cap that its members have; undefined: they have none. */
  readonly places: CapPlaces | undefined;
  /** Sent without a record in the log: after a crash it can only be guessed. */
  isUnrecorded: boolean;
}

/** A batch of loaded members. */
export function batchOf(webhookId: string, members: Entry[], state: BatchState): Batch {
  const { capDay, delivery } = members[0]!;
  const batch: Batch = {
    webhookId,
    positions: members.map(({ offset, index }) => ({ offset, index })),
    members,
    state,
    attempts: 0,
    retryAtMs: 0,
    expiresAtMs: Math.min(...members.map((member) => member.delivery.expiresAtMs)),
    places: capDay === undefined ? undefined : { campaignId: delivery.campaignId, day: capDay },
    isUnrecorded: false,
  };
  for (const member of members) member.batch = batch;
  return batch;
}

export function campaignOf(batch: Batch): string {
  return batch.members[0]!.delivery.campaignId;
}

/** May be given up; an attempt in flight may finish. */
export function isIdle(value: Entry | Batch): boolean {
  if (!('members' in value)) return !value.isSettled && value.batch === undefined;
  return value.state !== 'settled' && value.state !== 'inFlight';
}

export function batchSnapshot(batch: Batch): BatchSnapshot {
  const { webhookId, attempts, retryAtMs, positions: members, places } = batch;
  const snapshot = { webhookId, attempts, retryAtMs, members };
  return places === undefined ? snapshot : { ...snapshot, places };
}
