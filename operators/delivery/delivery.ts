/**
 * What the partitions' owners write into the lane of a webhook (`out.<webhook>`) and what the
 * sender writes of it (`done.<webhook>`).
 */

/** The message owed for one qualification. */
export interface Delivery {
  /** `msg_…`, derived from campaign, user, window and occurrence. */
  readonly id: string;
  readonly campaignId: string;
  readonly userId: string;
  /** When the rule was met, Unix ms: the deadline, or the event's receipt. */
  readonly qualifiedAtMs: number;
  /** When gates let it go; `ttl` counts from here. */
  readonly dueAtMs: number;
  /** No attempt starts after this. */
  readonly expiresAtMs: number;
  /** JSON: this user's element of `profiles`, or the subject of templates. */
  readonly body: string;
  /** `body` is `{profile, event}`: the rest is rendered at the attempt. @default false */
  readonly hasSubject?: boolean;
  /** The user is known by an anonymous id only. @default false */
  readonly isAnonymous?: boolean;
  /** What becomes of it goes back to the user's partition. @default false */
  readonly wantsOutcome?: boolean;
}

/** Names a delivery within its lane: the envelope's offset and the place in it. */
export interface DeliveryPosition {
  readonly offset: number;
  readonly index: number;
}
