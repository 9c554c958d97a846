/**
 * What was due of one user before something was received for him. While users are on their way the
 * time of a partition stands still for all (0005), but of this one everything received before is
 * known.
 */
import type { PartitionState } from '../../engine/partition/partition-state.ts';
import type { Key } from '../../engine/state/key.ts';
import type { RuleBook } from './rule-book.ts';

export interface DueWindow {
  readonly slot: number;
  readonly atMs: number;
}

/** The user's windows that fire before `receivedAtMs`, in the order in which they do. */
export function dueBefore(
  { windows, timeMs }: PartitionState,
  book: RuleBook,
  user: Key,
  receivedAtMs: number,
): readonly DueWindow[] {
  const due = [...book.nodes()].flatMap((node) => {
    const slots = windows.found.subarray(0, windows.find(user, node.number));
    // One that was opened late is due since then; what was due before is gone by now.
    return Array.from(slots, (slot) => ({ slot, atMs: Math.max(windows.dueAtMs(slot), timeMs) }));
  });
  return due
    .filter(({ atMs }) => atMs < receivedAtMs)
    .sort(
      (a, b) =>
        a.atMs - b.atMs ||
        book.compare(windows.ruleOf(a.slot), windows.ruleOf(b.slot)) ||
        windows.anchorAtMs(a.slot) - windows.anchorAtMs(b.slot) ||
        windows.eventIdHiOf(a.slot) - windows.eventIdHiOf(b.slot) ||
        windows.eventIdLoOf(a.slot) - windows.eventIdLoOf(b.slot),
    );
}
