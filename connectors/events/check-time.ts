import { AHEAD_CLAMP_MS, type IncomingEvent, RecordFlag } from '../../engine/envelope/records.ts';
import { instantOf } from '../../engine/time/duration.ts';
import type { EventContext, RawEvent } from './check-event.ts';
import { AHEAD_HISTORY_MS, BEHIND_HISTORY_MS } from './event-limits.ts';
import { describe, type Rejection, rejection } from './rejection.ts';

/**
 * Event time with Segment's skew correction, `receivedAt − (sentAt − originalTimestamp)`. Client
 * libraries send `sentAt` with either `originalTimestamp` or `timestamp`; what the device's clock
 * said is the first of these that is there. Without a `sentAt` that can be read, `timestamp` is
 * taken as it is.
 */
export function checkTime(
  raw: RawEvent,
  context: EventContext,
  out: IncomingEvent,
): Rejection | undefined {
  const receivedAtMs = context.receivedAtMs;
  out.flags = 0;
  const sentAt = raw.sentAt ?? context.sentAt ?? undefined;
  const sentMs = sentAt === undefined ? Number.NaN : instantOfField(sentAt);
  // It tells of the sender's clock and not of the event, which is whole without it.
  if (sentAt !== undefined && Number.isNaN(sentMs)) context.repairs.sentAtIgnored++;
  const timestamp = raw.timestamp ?? undefined;
  const original = raw.originalTimestamp ?? timestamp;
  if (original === undefined) {
    out.eventAtMs = receivedAtMs;
    return undefined;
  }
  let atMs: number;
  if (Number.isNaN(sentMs)) {
    const field = timestamp === undefined ? 'originalTimestamp' : 'timestamp';
    const stated = timestamp ?? original;
    atMs = instantOfField(stated);
    if (Number.isNaN(atMs)) return badTime(field, stated);
  } else {
    const originalMs = instantOfField(original);
    if (Number.isNaN(originalMs)) {
      return badTime(raw.originalTimestamp == null ? 'timestamp' : 'originalTimestamp', original);
    }
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
