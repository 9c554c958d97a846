import type { Delivery, DeliveryPosition } from './delivery.ts';

/** A delivery in memory. */
export interface Entry extends DeliveryPosition {
  readonly delivery: Delivery;
  /** When the lane took it in, Unix ms. */
  readonly joinedAtMs: number;
  /** May have been sent by itself before a crash, so it must keep its own id. */
  readonly isAlone: boolean;
  isSettled: boolean;
  batch: Batch | undefined;
}

/**
 * - `recovering`: members are still to be read from the log
 * - `forming`: its record is not durable yet
 * - `ready`: may be sent now
 * - `waiting`: for its next attempt
 * - `inFlight`: being sent
 * - `settled`: done with
 */
export type BatchState = 'recovering' | 'forming' | 'ready' | 'waiting' | 'inFlight' | 'settled';

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
  /** Sent without a record in the log: after a crash it can only be guessed. */
  isUnrecorded: boolean;
}

/** A batch of loaded members. */
export function batchOf(webhookId: string, members: Entry[], state: BatchState): Batch {
  const batch: Batch = {
    webhookId,
    positions: members.map(({ offset, index }) => ({ offset, index })),
    members,
    state,
    attempts: 0,
    retryAtMs: 0,
    expiresAtMs: Math.min(...members.map((member) => member.delivery.expiresAtMs)),
    isUnrecorded: false,
  };
  for (const member of members) member.batch = batch;
  return batch;
}

export function campaignOf(batch: Batch): string {
  return batch.members[0]!.delivery.campaignId;
}

/** Waiting for the deadline at `atMs`; an attempt in flight may finish. */
export function isExpirable(value: Entry | Batch, atMs: number): boolean {
  if (!('members' in value)) return !value.isSettled && value.batch === undefined;
  const isIdle = value.state !== 'settled' && value.state !== 'inFlight';
  return isIdle && value.expiresAtMs === atMs;
}
