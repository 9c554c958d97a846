/**
 * What was due of one user before something was received for them. While users are on their way the
 * time of a partition stands still for all (0005), but of this one everything received before is
 * known.
 */
import type { TimerRef } from '../../engine/partition/due-timers.ts';
import type { PartitionState } from '../../engine/partition/partition-state.ts';
import type { Key } from '../../engine/state/key.ts';

export interface DueTimer {
  readonly ref: TimerRef;
  readonly atMs: number;
}

/** The user's timers that are due before `receivedAtMs`, in the order in which they fire. */
export function dueBefore(
  state: PartitionState,
  user: Key,
  receivedAtMs: number,
  compare: (a: TimerRef, b: TimerRef) => number,
): readonly DueTimer[] {
  const { windows, cells, timeMs } = state;
  // One that was opened late is due since then; what was due before is gone by now.
  const timer = (ref: TimerRef, dueAtMs: number) => ({ ref, atMs: Math.max(dueAtMs, timeMs) });
  const ofWindows = windows.findOfUser(user).map((slot) => timer(slot * 2, windows.dueAtMs(slot)));
  const ofCells = cells.cellsOfUser(user).map((slot) => timer(slot * 2 + 1, cells.dueAtMs(slot)));
  return [...ofWindows, ...ofCells]
    .filter(({ atMs }) => atMs < receivedAtMs)
    .sort((a, b) => a.atMs - b.atMs || compare(a.ref, b.ref));
}
