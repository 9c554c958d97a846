/**
 * Events that count in order of event time (SPEC 1.3): a list of those that may still be overtaken,
 * sorted, and what the ones before have led to. Judged anew with each event.
 */
import type { OracleUser, Version } from './oracle-records.ts';

const REORDER_MS = 5_000;

export interface JudgedEvent {
  readonly id: string;
  readonly atMs: number;
  /** Steps that it may be, or an amount. */
  readonly steps: readonly number[];
  readonly amount: number;
}

/** What a rule makes of one event after another; nothing is changed in place. */
export interface OrderModel<S> {
  readonly none: S;
  take(before: S, event: JudgedEvent): { readonly after: S; readonly isMet: boolean };
  join(mine: S, theirs: S): S;
}

export interface Ordered {
  readonly version: Version;
  readonly who: OracleUser;
  readonly matched: string | undefined;
  readonly settled: unknown;
  readonly recent: readonly JudgedEvent[];
  /** How often the rule was met by the recent ones, as far as it was told. */
  readonly told: number;
}

export function takeInOrder(
  before: Ordered,
  event: JudgedEvent,
  model: OrderModel<unknown>,
): { readonly after: Ordered; readonly isMet: boolean } {
  const place = before.recent.findLastIndex(({ atMs }) => atMs <= event.atMs) + 1;
  const recent = before.recent.toSpliced(place, 0, event);
  const met = timesMet(before.settled, recent, model);
  const settledBeforeMs = recent.at(-1)!.atMs - REORDER_MS;
  let { settled } = before;
  let told = Math.max(met, before.told);
  while (recent[0] !== event && recent[0]!.atMs < settledBeforeMs) {
    const { after, isMet } = model.take(settled, recent.shift()!);
    settled = after;
    if (isMet) told--;
  }
  const after = { ...before, settled, recent, told: Math.max(0, told) };
  return { after, isMet: met > before.told };
}

/** Of one user from now on; a join triggers nothing by itself. */
export function joinInOrder(mine: Ordered, theirs: Ordered, model: OrderModel<unknown>): Ordered {
  const own = mine.recent.filter(({ id }) => !theirs.recent.some((other) => other.id === id));
  const recent = [...own, ...theirs.recent].sort((a, b) => a.atMs - b.atMs);
  const settled = model.join(mine.settled, theirs.settled);
  const met = timesMet(settled, recent, model);
  return { ...mine, settled, recent, told: Math.max(met, mine.told + theirs.told) };
}

function timesMet(
  settled: unknown,
  recent: readonly JudgedEvent[],
  model: OrderModel<unknown>,
): number {
  let state = settled;
  let met = 0;
  for (const one of recent) {
    const { after, isMet } = model.take(state, one);
    state = after;
    if (isMet) met++;
  }
  return met;
}
