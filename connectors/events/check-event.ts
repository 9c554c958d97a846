import { type IncomingEvent, RecordKind } from '../../engine/envelope/records.ts';
import { checkProperties, isPlainObject } from './check-properties.ts';
import { checkTime } from './check-time.ts';
import { checkUser, NO_IDS } from './check-user.ts';
import { type EventLimits, MESSAGE_ID_CHARS_MAX, USER_ID_CHARS_MAX } from './event-limits.ts';
import { describe, type Rejection, rejection } from './rejection.ts';
import type { Repairs } from './repairs.ts';

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
  /** Of the door; added to. */
  readonly repairs: Repairs;
}

export type RawEvent = Record<string, unknown>;

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
 * Checks one decoded event of the Segment spec, whose texts are well-formed, and fills `out`, whose properties then belong to
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
  out.messageId = id;
  return undefined;
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
  if (!isKnown || anonymousId.length > USER_ID_CHARS_MAX) return;
  if (!Object.hasOwn(out.properties, 'anonymousId')) {
    out.properties = { ...out.properties, anonymousId };
  }
}

/** Beside the group's traits, so that history can tell which group it was. */
function keepGroupId({ groupId }: RawEvent, out: IncomingEvent): undefined {
  const isNumber = typeof groupId === 'bigint' || Number.isSafeInteger(groupId);
  const isText = typeof groupId === 'string' && groupId.length <= USER_ID_CHARS_MAX;
  if (!isNumber && !isText) return;
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
  out.name = name;
  return undefined;
}

function traitsOfContext(context: unknown): unknown {
  return isPlainObject(context) ? context.traits : undefined;
}

/** A page's `name` and `category` stand beside its properties in the Segment spec. */
function pageProperties(raw: RawEvent): unknown {
  const { name, category } = raw;
  const properties = isEmptyList(raw.properties) ? {} : (raw.properties ?? {});
  if (!isPlainObject(properties)) return properties;
  const hasName = typeof name === 'string' && !Object.hasOwn(properties, 'name');
  const hasCategory = typeof category === 'string' && !Object.hasOwn(properties, 'category');
  if (!hasName && !hasCategory) return properties;
  return { ...properties, ...(hasName && { name }), ...(hasCategory && { category }) };
}

function take(value: unknown, field: string, limits: EventLimits, out: IncomingEvent) {
  if (value === undefined || value === null || isEmptyList(value)) {
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

/** How PHP writes an empty map. */
function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
