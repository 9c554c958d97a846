import type { CellValue } from '../../../engine/state/keyed-state.ts';
import type { CountRule } from '../../definitions.ts';
import type { Scope } from '../../router/scope.ts';
import { eventsOf, eventsRow, type InOrderState, mergedInOrder, takeInOrder } from '../in-order.ts';
import { forgetAtMs, hasRoom, LATE_MS, matchOfEvent, propertyOf } from '../rule-cells.ts';
import type { RuleKind } from '../rule-kind.ts';
import { countFold, type Enough, mergedUnused, type Unused } from './unused.ts';

type State = InOrderState<Unused>;

/** The N-th matching event, or enough of a property, inside a sliding window (SPEC 2.1). */
export const countKind: RuleKind<CountRule> = {
  kind: 'count',
  inputs: ({ on }) => [{ ...on, role: 0, opensOnly: true, takesHistory: false }],
  onEvent: (scope) => {
    const rule = scope.node.rule as CountRule;
    const match = matchOfEvent(scope, rule.match);
    const meaning = amountOf(scope, rule);
    if (meaning === undefined) scope.counters.amountsUnread++;
    if (match === undefined || meaning === undefined) return;
    const row = scope.get(match);
    if (row === undefined && !hasRoom(scope)) return;
    const before = row === undefined ? EMPTY : stateOf(row);
    const { eventAtMs: atMs, eventIdLo: idLo, eventIdHi: idHi } = scope.event;
    const fold = countFold(enoughOf(rule), rule.withinMs);
    const { reorderWindowMs } = scope.state;
    const event = { atMs, idLo, idHi, meaning };
    const { state, fires } = takeInOrder(before, event, fold, reorderWindowMs);
    const newestMs = state.recent.at(-1)!.atMs;
    scope.put(match, rowOf(state), forgetAtMs(newestMs + rule.withinMs + LATE_MS));
    if (fires > 0) scope.qualify(scope.occurrence(match), scope.nowMs);
  },
  onTimer: (scope, match) => scope.drop(match),
  merge: (scope, mine, theirs) => {
    const rule = scope.node.rule as CountRule;
    const fold = countFold(enoughOf(rule), rule.withinMs);
    const merged = mergedInOrder(stateOf(mine.value), stateOf(theirs.value), fold, mergedUnused);
    return { value: rowOf(merged), dueAtMs: Math.max(mine.dueAtMs, theirs.dueAtMs) };
  },
};

const EMPTY: State = { base: { events: [] }, recent: [], fired: 0 };

function enoughOf({ atLeast, sum }: CountRule): Enough {
  return sum === undefined ? { atLeast: atLeast! } : { sumGte: sum.gte };
}

/** @returns undefined when a sum is asked for and the event has no number there */
function amountOf(scope: Scope, { sum }: CountRule): number | undefined {
  if (sum === undefined) return 1;
  const value = propertyOf(scope, sum.property);
  const amount = typeof value === 'bigint' ? Number(value) : value;
  return typeof amount === 'number' && Number.isFinite(amount) ? amount : undefined;
}

function rowOf({ base, recent, fired }: State): CellValue {
  return [eventsRow(base.events), eventsRow(recent), fired];
}

function stateOf(row: CellValue): State {
  const [base, recent, fired] = row as [number[], number[], number];
  return { base: { events: eventsOf(base) }, recent: eventsOf(recent), fired };
}
