import { type IncomingEvent, RecordKind } from '../../engine/envelope/records.ts';
import type { UserId } from '../../engine/state/alias-table.ts';
import type { RawEvent } from './check-event.ts';
import { IDS_OF_NOBODY, USER_ID_CHARS_MAX } from './event-limits.ts';
import { describe, type Rejection, rejection } from './rejection.ts';

export const NO_IDS: readonly UserId[] = [];

/** `userId` wins over `anonymousId`; an identify that carries both joins them (SPEC 1.2). */
export function checkUser(raw: RawEvent, out: IncomingEvent): Rejection | undefined {
  const { userId, anonymousId } = raw;
  out.isAnonymous = isAbsent(userId);
  const field = out.isAnonymous ? 'anonymousId' : 'userId';
  const id = out.isAnonymous ? anonymousId : userId;
  if (isAbsent(id)) {
    return rejection(
      'ERR_EVENT_USER',
      'An event must have a userId or an anonymousId that is not empty, got neither.',
    );
  }
  const text = textOfId(id, field);
  if (typeof text !== 'string') return text;
  out.userId = text;
  out.joins = NO_IDS;
  if (out.kind === RecordKind.alias) return checkAlias(raw, out);
  if (out.kind !== RecordKind.identify || out.isAnonymous || isAbsent(anonymousId))
    return undefined;
  const joined = textOfId(anonymousId, 'anonymousId');
  if (typeof joined !== 'string') return joined;
  out.joins = [{ id: joined, isAnonymous: true }];
  return refuseNobody(text, 'userId') ?? refuseNobody(joined, 'anonymousId');
}

/** The id before may have been a user's or an anonymous one: the Segment spec allows both. */
function checkAlias({ previousId, anonymousId }: RawEvent, out: IncomingEvent) {
  const isNamed = !isAbsent(previousId);
  if (out.isAnonymous || (!isNamed && isAbsent(anonymousId))) {
    return rejection(
      'ERR_EVENT_ALIAS',
      'An alias must have a userId and a previousId that are not empty, got only one of them.',
    );
  }
  const field = isNamed ? 'previousId' : 'anonymousId';
  const id = textOfId(isNamed ? previousId : anonymousId, field);
  if (typeof id !== 'string') return id;
  out.joins = isNamed
    ? [
        { id, isAnonymous: true },
        { id, isAnonymous: false },
      ]
    : [{ id, isAnonymous: true }];
  return refuseNobody(out.userId, 'userId') ?? refuseNobody(id, field);
}

function isAbsent(id: unknown): boolean {
  return id === undefined || id === null || id === '';
}

/** @returns the id as text, or why it is none */
function textOfId(id: unknown, field: string): string | Rejection {
  // A larger double is already another number than was sent: two users would become one.
  if (typeof id === 'bigint' || (typeof id === 'number' && isExact(id))) return String(id);
  if (typeof id !== 'string') {
    return rejection(
      'ERR_EVENT_USER',
      `${field} must be a text or a whole number of at most 64 bits, got ${describe(id)}.`,
      { field },
    );
  }
  if (id.length > USER_ID_CHARS_MAX) {
    return rejection(
      'ERR_EVENT_USER',
      `${field} must have at most ${USER_ID_CHARS_MAX} characters, got ${id.length}.`,
      { field, max: USER_ID_CHARS_MAX, got: id.length },
    );
  }
  return id;
}

function isExact(number: number): boolean {
  return Number.isFinite(number) && Math.abs(number) <= Number.MAX_SAFE_INTEGER;
}

/** Joined with it, users who have nothing to do with one another would be one for good. */
function refuseNobody(id: string, field: string): Rejection | undefined {
  if (!IDS_OF_NOBODY.has(id.trim().toLowerCase())) return undefined;
  return rejection(
    'ERR_EVENT_NOBODY',
    `${field} must name one user to be joined, got ${describe(id)}, which stands for nobody.`,
    { field },
  );
}
