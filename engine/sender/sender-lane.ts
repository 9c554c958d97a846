import type { OutgoingRequest, TransportResult } from './transport.ts';

/**
 * What the runner needs of the logic of one lane. The logic is pure: it sees bytes of the log,
 * results and the time it is told; `operators/delivery` has it. The runner does the waiting,
 * sending and storing.
 *
 *   out.<webhook> ─▶ offer ─▶ poll ─▶ transport ─▶ onResult ─▶ takeChanges ─▶ done.<webhook>
 *
 * @typeParam D the definitions that the logic asks for; opaque here
 */
export interface SenderLane<D> {
  /** How many more deliveries it has room for; at 0 the rest stays in the log. */
  readonly room: number;
  /** Deliveries held in memory, unsettled. */
  readonly pendingCount: number;
  /** Everything of `out` up to and with this offset is settled. */
  readonly base: number;

  update(definitions: D, nowMs: number): void;
  /** Takes in one envelope of `out`, in order of offset. Copies what it keeps. */
  offer(offset: number, bytes: Uint8Array, nowMs: number): void;
  /** Deliveries in an envelope of `out`; quick, and changes nothing. */
  countOf(bytes: Uint8Array): number;
  /**
   * The next request to make now. Asked again until it has none.
   * @param wallMs what the receiver's clock shows, as far as known: the system's
   */
  poll(nowMs: number, wallMs: number): SenderAttempt | undefined;
  onResult(attempt: SenderAttempt, result: TransportResult, nowMs: number): void;
  /** When `poll` may next have something, Unix ms, if nothing else happens; or undefined. */
  nextWakeAtMs(nowMs: number): number | undefined;

  /**
   * What has happened since the last call, to be appended to `done`, as much as fits an envelope.
   * The caller has one append in flight: it calls `changesDurable` before it takes the next ones.
   */
  takeChanges(): LaneChanges | undefined;
  changesDurable(): void;
  /**
   * Campaigns that are complete by changes that are durable; each is named once. To be asked after
   * the recovery and after an update.
   */
  takeCompleted(): readonly string[];

  /** An envelope for `done` without a change in it: it takes the lane over. */
  claim(): Uint8Array;
  /** The state as of the changes taken last; call it right after those that were all. */
  snapshot(isClean: boolean): Uint8Array;
  /** Recovery, in this order: `restore` (if there is a snapshot), `replay`…, `recovered`. */
  restore(snapshot: Uint8Array): void;
  /** @returns the outcomes in it, which may not have reached the partitions yet */
  replay(bytes: Uint8Array): readonly LaneOutcome[];
  /** @param tail the last offset of `out` that a sender before this one may have seen */
  recovered(tail: number, nowMs: number): void;
}

export interface SenderAttempt {
  /** Names the attempt within its lane. */
  readonly handle: number;
  readonly webhookId: string;
  readonly campaignId: string;
  /** 1 for the first. */
  readonly attempt: number;
  readonly startedAtMs: number;
  readonly members: readonly AttemptMember[];
  readonly request: OutgoingRequest;
}

export interface AttemptMember {
  readonly id: string;
  readonly userId: string;
  readonly qualifiedAtMs: number;
}

export interface LaneChanges {
  /** One envelope for `done`; the caller owns it. */
  readonly bytes: Uint8Array;
  /** Records in it. */
  readonly count: number;
  /** What it settles: told to the observer once it is durable. */
  readonly outcomes: readonly LaneOutcome[];
  /** Campaigns that are complete by it: to be told once it is durable. */
  readonly completed: readonly string[];
  /** Nothing more has happened; else the rest is to be taken next. */
  readonly isAll: boolean;
}

/** The final word on one delivery. */
export interface LaneOutcome {
  readonly deliveryId: string;
  readonly campaignId: string;
  readonly userId: string;
  readonly isAnonymous: boolean;
  /** The user's partition is to know of it. */
  readonly isWanted: boolean;
  readonly outcome: 'delivered' | 'failed' | 'suppressed';
  /** Absent when it was delivered. */
  readonly reason?: string;
  readonly atMs: number;
}
