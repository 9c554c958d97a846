import { RecordKind } from '../engine/envelope/records.ts';
import type { EventQuery, EventStanding } from '../engine/intake/event-standing.ts';
import type { PartitionState } from '../engine/partition/partition-state.ts';
import { hash64 } from '../engine/state/hash.ts';
import { keyOf } from '../engine/state/key.ts';
import type { Routes } from './router/routes.ts';

/** Kinds of records that are something a user does. */
export const ACTIVITY: ReadonlySet<number> = new Set<number>([
  RecordKind.track,
  RecordKind.page,
  RecordKind.screen,
]);

const encoder = new TextEncoder();

/** Whether an event that is about to come would be new; it is not remembered by this. */
export function standingOf(
  { kind, userId, isAnonymous, name, messageId }: EventQuery,
  routes: Routes,
  state: PartitionState,
): EventStanding {
  // A join holds for whatever comes, and is told apart by what it joins.
  if (kind === RecordKind.alias) return 'new';
  const isRouted = routes.withAny(name) !== undefined;
  const isAsked = kind === RecordKind.identify || (ACTIVITY.has(kind) && isRouted);
  if (!isAsked) return 'unasked';
  const key = keyOf(userId, isAnonymous);
  const bytes = encoder.encode(messageId);
  const id = { lo: 0, hi: 0 };
  hash64(bytes, 0, bytes.length, 0, id);
  state.fingerprints.ofEvent(key, id.lo, id.hi, id);
  return state.dedupe.has(id.lo, id.hi, state.timeMs) ? 'known' : 'new';
}
