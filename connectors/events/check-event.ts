import {
  AHEAD_CLAMP_MS,
  type IncomingEvent,
  RecordFlag,
  RecordKind,
} from '../../engine/envelope/records.ts';
import type { UserId } from '../../engine/state/alias-table.ts';
import { instantOf } from '../../engine/time/duration.ts';
import { checkProperties, isPlainObject } from './check-properties.ts';
import {
  AHEAD_HISTORY_MS,
  BEHIND_HISTORY_MS,
  type EventLimits,
  MESSAGE_ID_CHARS_MAX,
  USER_ID_CHARS_MAX,
} from './event-limits.ts';

import { describe, type Rejection, rejection } from './rejection.ts';

/** What a door knows of an event besides the event. Doors keep one and change its fields. */
export interface EventContext {
  readonly limits: EventLimits;
  /** Time of receipt, Unix ms. */
  receivedAtMs: number;
  /** Bytes of the event as it came. */
  byteLength: number;
  /** The type that the address says (`/v1/track`); it wins over the event's own. */
  type: string | undefined;
  /** `sentAt` of the batch, for events that have none of their own. */
  sentAt: unknown;
  /** Position of the event in its request or payload; in a file, its line. */
  index: number;
  /** A unique and stable id, for an event that brings none. */
  messageIdOf(index: number): string;
}

type RawEvent = Record<string, unknown>;

const NO_IDS: readonly UserId[] = [];

const KINDS = new Map<unknown, RecordKind>([
  ['track', RecordKind.track],
  ['identify', RecordKind.identify],
  ['page', RecordKind.page],
  ['screen', RecordKind.screen],
  ['alias', RecordKind.alias],
  ['group', RecordKind.group],
]);

/** One to fill again and again. */
export function emptyEvent(): IncomingEvent {
  return {
    kind: RecordKind.track,
    userId: '',
    isAnonymous: false,
    name: '',
    eventAtMs: 0,
    flags: 0,
    messageId: '',
    properties: {},
    joins: NO_IDS,
  };
}

/**
 * Checks one decoded event of the Segment spec and fills `out`, whose properties then belong to
 * `raw`. Walks the properties once and allocates nothing for an ordinary track event.
 * @returns why the event is refused; `out` is then half filled
 */
export function checkEvent(
  raw: unknown,
  context: EventContext,
  out: IncomingEvent,
): Rejection | undefined {
  const { limits } = context;
  if (context.byteLength > limits.eventBytesMax) {
    return rejection(
      'ERR_EVENT_TOO_LARGE',
      `An event must have at most ${limits.eventBytesMax} bytes, got ${context.byteLength}.`,
      { limit: 'eventBytesMax', max: limits.eventBytesMax, got: context.byteLength },
    );
  }
  if (!isPlainObject(raw)) {
    return rejection('ERR_EVENT_SHAPE', `An event must be an object, got ${describe(raw)}.`);
  }
  return (
    checkKind(raw, context, out) ??
    checkUser(raw, out) ??
    checkMessageId(raw, context, out) ??
    checkTime(raw, context, out) ??
    checkNameAndProperties(raw, limits, out)
  );
}

function checkKind(raw: RawEvent, context: EventContext, out: IncomingEvent) {
  const type = context.type ?? raw.type;
  const kind = KINDS.get(type);
  if (kind === undefined) {
    return rejection(
      'ERR_EVENT_TYPE',
      `type must be track, identify, page, screen, alias or group, got ${describe(type)}.`,
    );
  }
  out.kind = kind;
  return undefined;
}

/** `userId` wins over `anonymousId`; an identify that carries both joins them (SPEC 1.2). */
function checkUser(raw: RawEvent, out: IncomingEvent): Rejection | undefined {
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
  return undefined;
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
  return undefined;
}

function isAbsent(id: unknown): boolean {
  return id === undefined || id === null || id === '';
}

/** @returns the id as text, or why it is none */
function textOfId(id: unknown, field: string): string | Rejection {
  // A larger number is already another one than was sent: two users would become one.
  if (typeof id === 'bigint' || (typeof id === 'number' && isExact(id))) return String(id);
  if (typeof id !== 'string') {
    return rejection(
      'ERR_EVENT_USER',
      `${field} must be a text or a number below 2^53, got ${describe(id)}.`,
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
  if (!id.isWellFormed()) {
    return rejection(
      'ERR_EVENT_USER',
      `${field} must be well-formed Unicode, got a lone surrogate.`,
      { field },
    );
  }
  return id;
}

function isExact(number: number): boolean {
  return Number.isFinite(number) && Math.abs(number) <= Number.MAX_SAFE_INTEGER;
}

function checkMessageId(raw: RawEvent, context: EventContext, out: IncomingEvent) {
  const id = raw.messageId;
  if (id === undefined || id === null) {
    out.messageId = context.messageIdOf(context.index);
    return undefined;
  }
  if (typeof id !== 'string' || id === '' || id.length > MESSAGE_ID_CHARS_MAX) {
    return rejection(
      'ERR_EVENT_MESSAGE_ID',
      `messageId must be a text of 1 to ${MESSAGE_ID_CHARS_MAX} characters, got ${describe(id)}.`,
      { max: MESSAGE_ID_CHARS_MAX },
    );
  }
  if (!id.isWellFormed()) {
    return rejection(
      'ERR_EVENT_MESSAGE_ID',
      'messageId must be well-formed Unicode, got a lone surrogate.',
    );
  }
  out.messageId = id;
  return undefined;
}

/**
 * Event time with Segment's skew correction, `receivedAt − (sentAt − originalTimestamp)`. Client
 * libraries send `sentAt` with either `originalTimestamp` or `timestamp`; what the device's clock
 * said is the first of these that is there. Without `sentAt`, `timestamp` is taken as it is.
 */
function checkTime(raw: RawEvent, context: EventContext, out: IncomingEvent) {
  const receivedAtMs = context.receivedAtMs;
  out.flags = 0;
  const timestamp = raw.timestamp ?? undefined;
  const original = raw.originalTimestamp ?? timestamp;
  if (original === undefined) {
    out.eventAtMs = receivedAtMs;
    return undefined;
  }
  const sentAt = raw.sentAt ?? context.sentAt ?? undefined;
  let atMs: number;
  if (sentAt === undefined) {
    const field = timestamp === undefined ? 'originalTimestamp' : 'timestamp';
    const stated = timestamp ?? original;
    atMs = instantOfField(stated);
    if (Number.isNaN(atMs)) return badTime(field, stated);
  } else {
    const originalMs = instantOfField(original);
    if (Number.isNaN(originalMs)) {
      return badTime(raw.originalTimestamp == null ? 'timestamp' : 'originalTimestamp', original);
    }
    const sentMs = instantOfField(sentAt);
    if (Number.isNaN(sentMs)) return badTime('sentAt', sentAt);
    atMs = receivedAtMs - (sentMs - originalMs);
  }
  const aheadMs = atMs - receivedAtMs;
  if (aheadMs > AHEAD_HISTORY_MS || aheadMs < -BEHIND_HISTORY_MS) {
    out.flags = RecordFlag.historyOnly;
  } else if (aheadMs > AHEAD_CLAMP_MS) {
    atMs = receivedAtMs;
    out.flags = RecordFlag.clamped;
  }
  out.eventAtMs = atMs;
  return undefined;
}

function instantOfField(value: unknown): number {
  if (typeof value === 'string') return instantOf(value);
  return value instanceof Date ? value.getTime() : Number.NaN;
}

function badTime(field: string, value: unknown): Rejection {
  return rejection(
    'ERR_EVENT_TIME',
    `${field} must be an ISO 8601 instant with a zone, got ${describe(value)}.`,
    { field },
  );
}

function checkNameAndProperties(raw: RawEvent, limits: EventLimits, out: IncomingEvent) {
  switch (out.kind) {
    case RecordKind.track:
      return (
        checkTrackName(raw.event, limits, out) ?? take(raw.properties, 'properties', limits, out)
      );
    case RecordKind.alias:
      out.name = '';
      out.properties = {};
      return undefined;
    case RecordKind.group:
      out.name = '';
      return take(raw.traits, 'traits', limits, out) ?? keepGroupId(raw, out);
    case RecordKind.identify:
      out.name = '';
      return (
        take(raw.traits ?? traitsOfContext(raw.context), 'traits', limits, out) ??
        keepAnonymousId(raw, out)
      );
    default:
      // Rules name pages as events `Page` and `Screen`; which one it was stands in `name`.
      out.name = out.kind === RecordKind.page ? 'Page' : 'Screen';
      return take(pageProperties(raw), 'properties', limits, out);
  }
}

/** What the user was called before: it fills the payload's `ObjectId` when no trait does. */
function keepAnonymousId({ anonymousId }: RawEvent, out: IncomingEvent): undefined {
  const isKnown = typeof anonymousId === 'string' && anonymousId !== '' && !out.isAnonymous;
  if (!isKnown || anonymousId.length > USER_ID_CHARS_MAX || !anonymousId.isWellFormed()) return;
  if (!Object.hasOwn(out.properties, 'anonymousId')) {
    out.properties = { ...out.properties, anonymousId };
  }
}

/** Beside the group's traits, so that history can tell which group it was. */
function keepGroupId({ groupId }: RawEvent, out: IncomingEvent): undefined {
  const isNumber = typeof groupId === 'number' && isExact(groupId);
  const isText = typeof groupId === 'string' && groupId.length <= USER_ID_CHARS_MAX;
  if (!isNumber && !(isText && groupId.isWellFormed())) return;
  if (!Object.hasOwn(out.properties, 'groupId')) out.properties = { ...out.properties, groupId };
}

function checkTrackName(name: unknown, limits: EventLimits, out: IncomingEvent) {
  if (typeof name !== 'string' || name.trim() === '') {
    return rejection(
      'ERR_EVENT_NAME',
      `event must be the name of what was tracked, got ${describe(name)}.`,
    );
  }
  if (name.length > limits.nameCharsMax) {
    return rejection(
      'ERR_EVENT_NAME',
      `event must have at most ${limits.nameCharsMax} characters, got ${name.length}.`,
      { limit: 'nameCharsMax', max: limits.nameCharsMax, got: name.length },
    );
  }
  if (!name.isWellFormed()) {
    return rejection('ERR_EVENT_NAME', 'event must be well-formed Unicode, got a lone surrogate.');
  }
  out.name = name;
  return undefined;
}

function traitsOfContext(context: unknown): unknown {
  return isPlainObject(context) ? context.traits : undefined;
}

/** A page's `name` and `category` stand beside its properties in the Segment spec. */
function pageProperties(raw: RawEvent): unknown {
  const { name, category } = raw;
  const properties = raw.properties ?? {};
  if (!isPlainObject(properties)) return properties;
  const hasName = typeof name === 'string' && !Object.hasOwn(properties, 'name');
  const hasCategory = typeof category === 'string' && !Object.hasOwn(properties, 'category');
  if (!hasName && !hasCategory) return properties;
  return { ...properties, ...(hasName && { name }), ...(hasCategory && { category }) };
}

function take(value: unknown, field: string, limits: EventLimits, out: IncomingEvent) {
  if (value === undefined || value === null) {
    out.properties = {};
    return undefined;
  }
  if (!isPlainObject(value)) {
    return rejection(
      'ERR_EVENT_PROPERTIES',
      `${field} must be an object, got ${describe(value)}.`,
      { field },
    );
  }
  out.properties = value;
  return checkProperties(value, field, limits);
}
