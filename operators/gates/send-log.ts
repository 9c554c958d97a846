import { type CellValue, NO_TIMER } from '../../engine/state/keyed-state.ts';
import type { Cell } from '../router/operator-contract.ts';
import type { Scope } from '../router/scope.ts';

/** A message that was let go: reserved until the sender says what became of it. */
export interface Send {
  readonly deliveryId: string;
  /** When it was reserved, then when it was accepted (E29). Unix ms. */
  readonly atMs: number;
  readonly isSent: boolean;
}

/** Forgetting is not urgent, so that timers of many users come due together. */
const FORGET_STEP_MS = 60_000;

export function sendsOf(value: CellValue | undefined): Send[] {
  if (value === undefined) return [];
  const sends: Send[] = [];
  for (let i = 0; i < value.length; i += 3) {
    const [deliveryId, atMs, isSent] = value.slice(i, i + 3) as [string, number, boolean];
    sends.push({ deliveryId, atMs, isSent });
  }
  return sends;
}

function rowOf(sends: readonly Send[]): CellValue {
  return sends.flatMap(({ deliveryId, atMs, isSent }) => [deliveryId, atMs, isSent]);
}

/** So many of a user's messages are remembered at most; a limit allows fewer. */
export const SENDS_MAX = 1_000;

/** Which messages a gate has to remember, and for how long. */
export interface Memory {
  /** Only the newest so many. */
  readonly sendsMax: number;
  /** Not longer than this after the message was accepted. Infinity: as long as the campaign. */
  readonly forMs: number;
}

/**
 * The messages that a gate has let go to one user. A reservation counts like a message that was
 * sent, and stays until the sender says what became of it.
 */
export function keepSends(scope: Scope, sends: readonly Send[], memory: Memory): void {
  const kept = pruned(sends, scope.nowMs, memory);
  if (kept.length === 0) scope.drop('');
  else scope.put('', rowOf(kept), forgetAtMs(kept, memory));
}

function pruned(sends: readonly Send[], nowMs: number, { sendsMax, forMs }: Memory): Send[] {
  return sends.filter(({ atMs, isSent }) => !isSent || nowMs - atMs < forMs).slice(-sendsMax);
}

function forgetAtMs(sends: readonly Send[], { forMs }: Memory): number {
  if (forMs === Infinity || sends.some(({ isSent }) => !isSent)) return NO_TIMER;
  const newestMs = Math.max(...sends.map(({ atMs }) => atMs));
  return Math.ceil((newestMs + forMs) / FORGET_STEP_MS) * FORGET_STEP_MS;
}

export function release(scope: Scope, deliveryId: string, memory: Memory): void {
  const sends = sendsOf(scope.get(''));
  if (sends.length === 0) return;
  keepSends(
    scope,
    sends.filter((one) => one.deliveryId !== deliveryId || one.isSent),
    memory,
  );
}

export function markSent(scope: Scope, deliveryId: string, atMs: number, memory: Memory): void {
  const sends = sendsOf(scope.get(''));
  const marked = sends.map((one) =>
    one.deliveryId === deliveryId ? { deliveryId, atMs, isSent: true } : one,
  );
  if (sends.some((one) => one.deliveryId === deliveryId)) keepSends(scope, marked, memory);
}

/** One user from now on: the messages to both ids (E24). */
export function mergedSends(scope: Scope, mine: Cell, theirs: Cell, memory: Memory): Cell {
  const byId = new Map<string, Send>();
  for (const send of [...sendsOf(theirs.value), ...sendsOf(mine.value)]) {
    const known = byId.get(send.deliveryId);
    if (known === undefined || !known.isSent) byId.set(send.deliveryId, send);
  }
  const sends = [...byId.values()].sort(
    (a, b) => a.atMs - b.atMs || (a.deliveryId < b.deliveryId ? -1 : 1),
  );
  const kept = pruned(sends, scope.nowMs, memory);
  return { value: rowOf(kept), dueAtMs: forgetAtMs(kept, memory) };
}
