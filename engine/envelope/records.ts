/**
 * What travels in an envelope: the kinds of records, their flags, and the form in which a door
 * hands an event over.
 */

import { LapseError } from '../errors/errors.ts';
import type { UserId } from '../state/alias-table.ts';

/** Kinds below 16 are events of a user; the rest carry no user. */
export const RecordKind = {
  track: 1,
  identify: 2,
  page: 3,
  screen: 4,
  alias: 5,
  /** A user belongs to a group. Kept for history; no rule asks for it. */
  group: 6,
  /** Carries only time: everything received at or before it stands before it in the log. */
  tick: 16,
  /** A change of definitions; the body is JSON. */
  control: 17,
  /** A new owner of the partition; the body is JSON. */
  claim: 18,
  /** A user's id has become another's: what is known of it goes there. The body is JSON. */
  leave: 19,
  /** A part of what is known of a user, from another partition. The body is msgpack. */
  moved: 20,
  /** What became of a delivery, from the sender; see `outcomes.ts`. The body is JSON. */
  outcome: 21,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** An event time further ahead than this is taken as the time of receipt (E14). */
export const AHEAD_CLAMP_MS = 5 * 60_000;

export const RecordFlag = {
  /** The user is known by `anonymousId` only. */
  anonymous: 1,
  /** The event time lay more than 5 min ahead and was taken as the time of receipt. */
  clamped: 2,
  /** Too old or too far ahead to trigger: may still cancel and convert (E15). */
  historyOnly: 4,
  /** Came to another partition first, by an id that is this user's by now. */
  moved: 8,
  /**
   * Received later than partition time says, which something on its way holds back (0005): time
   * does not go on with this record, and its user has a time of his own.
   */
  ahead: 16,
} as const;

/**
 * An event as a door hands it over, checked and with its times settled. Doors fill one and the
 * same object again and again; the envelope writer copies what it needs.
 */
export interface IncomingEvent {
  /** One of the kinds below 16. */
  kind: RecordKind;
  userId: string;
  isAnonymous: boolean;
  /** The event's name; empty for identify, alias and group. */
  name: string;
  /** Event time, Unix ms. */
  eventAtMs: number;
  /** `RecordFlag`s except `anonymous`. */
  flags: number;
  /** Names the event for de-duplication and ids; a door that gets none makes one. */
  messageId: string;
  /** Properties or traits. */
  properties: Readonly<Record<string, unknown>>;
  /** Other ids of the same user, which the event joins with it (SPEC 1.2). @default none */
  joins?: readonly UserId[];
}

/** The body of a `leave` record. */
export interface Leave {
  /** Comes out again behind everything that was moved, so that who waits for it knows. */
  readonly token: string;
  readonly from: UserId;
  readonly to: UserId;
  /** Time of receipt of what joined them, Unix ms. */
  readonly joinedAtMs: number;
}

/** @throws LapseError `ERR_ENVELOPE_CORRUPT` when the body of a `leave` record is none */
export function leaveFrom(body: unknown): Leave {
  const { token, from, to, joinedAtMs } = (body ?? {}) as Partial<Leave>;
  if (typeof token === 'string' && isUserId(from) && isUserId(to) && Number.isFinite(joinedAtMs)) {
    return { token, from, to, joinedAtMs: joinedAtMs! };
  }
  throw new LapseError(
    'ERR_ENVELOPE_CORRUPT',
    'A record of a leave must say who leaves, for whom and when, it does not.',
  );
}

/** @throws LapseError `ERR_ENVELOPE_CORRUPT` when the body of a `claim` record is none */
export function epochFrom(body: unknown): number {
  const { epoch } = (body ?? {}) as { epoch?: unknown };
  if (Number.isSafeInteger(epoch)) return epoch as number;
  throw new LapseError(
    'ERR_ENVELOPE_CORRUPT',
    'A record of a claim must say an epoch, it does not.',
  );
}

function isUserId(value: unknown): value is UserId {
  const { id, isAnonymous } = (value ?? {}) as Partial<UserId>;
  return typeof id === 'string' && typeof isAnonymous === 'boolean';
}

/**
 * How event names compare (E74): case and white space do not matter, so `Added To Cart`,
 * `added to cart` and `AddedToCart` are one event.
 */
export function normalizeEventName(name: string): string {
  return name.toLowerCase().replace(/\s+/g, '');
}
