import type { CellValue } from '../../engine/state/keyed-state.ts';
import { NO_TIMER } from '../../engine/state/keyed-state.ts';
import type { Goal } from '../definitions.ts';
import { propertyReader } from '../filters/property.ts';
import type { PartitionCampaign } from '../partition-definitions.ts';
import { partOperator } from '../router/campaign-entry.ts';
import type { Cell, EventListener, OperatorInput } from '../router/operator-contract.ts';
import type { Scope } from '../router/scope.ts';

export type GoalGroup = 'target' | 'control';

/** A user's clock: from the first accepted send, or from when a control user's would have left. */
interface GoalClock {
  readonly startAtMs: number;
  readonly group: GoalGroup;
  readonly hasConverted: boolean;
}

function clockOf([startAtMs, isControl, hasConverted]: CellValue): GoalClock {
  return {
    startAtMs: startAtMs as number,
    group: isControl === true ? 'control' : 'target',
    hasConverted: hasConverted === true,
  };
}

function rowOf({ startAtMs, group, hasConverted }: GoalClock): CellValue {
  return [startAtMs, group === 'control', hasConverted];
}

/** Starts a user's clock, unless it has started already (SPEC 6: the first accepted send). */
export function startGoalClock(scope: Scope, group: GoalGroup, atMs: number): void {
  scope.operator = partOperator(scope.entry.index, 'goal');
  if (scope.get('') !== undefined) return;
  // Kept as long as the campaign: it says that the user has had their clock.
  scope.put('', rowOf({ startAtMs: atMs, group, hasConverted: false }), NO_TIMER);
  scope.reports.add(scope.entry.id, `reached.${group}`, atMs);
}

/** The earlier clock stays; a conversion of either id is the user's (E66). */
export function mergedGoalClocks(mine: Cell, theirs: Cell): Cell {
  const [a, b] = [clockOf(mine.value), clockOf(theirs.value)];
  const first = a.startAtMs <= b.startAtMs ? a : b;
  const hasConverted = a.hasConverted || b.hasConverted;
  return { value: rowOf({ ...first, hasConverted }), dueAtMs: NO_TIMER };
}

const readers = new WeakMap<Goal, (properties: Record<string, unknown>) => unknown>();

function revenueOf(goal: Goal, properties: Record<string, unknown>): number | undefined {
  if (goal.revenue === undefined) return undefined;
  let read = readers.get(goal);
  if (read === undefined) {
    read = propertyReader(goal.revenue);
    readers.set(goal, read);
  }
  const value = read(properties);
  const amount = typeof value === 'bigint' ? Number(value) : value;
  return typeof amount === 'number' && Number.isFinite(amount) ? amount : undefined;
}

const listener: EventListener = {
  onEvent: (scope) => {
    const { goal } = scope.campaign;
    scope.operator = partOperator(scope.entry.index, 'goal');
    const row = scope.get('');
    if (row === undefined || goal === undefined) return;
    const clock = clockOf(row);
    const { eventAtMs, properties } = scope.event;
    // After the send and up to the end of the time, the end included (E63).
    const isInTime = eventAtMs > clock.startAtMs && eventAtMs <= clock.startAtMs + goal.withinMs;
    if (clock.hasConverted || !isInTime) return;
    scope.put('', rowOf({ ...clock, hasConverted: true }), NO_TIMER);
    scope.report({ type: 'converted', group: clock.group, revenue: revenueOf(goal, properties) });
  },
};

/** The goal as an operator: its event converts users whose clock runs. */
export function goalListener(
  campaign: PartitionCampaign,
): { listener: EventListener; inputs: readonly OperatorInput[] } | undefined {
  if (campaign.goal === undefined) return undefined;
  return {
    listener,
    inputs: [{ ...campaign.goal.on, role: 0, opensOnly: false, takesHistory: true }],
  };
}
