import type { CellValue } from '../../../engine/state/keyed-state.ts';
import type { SequenceRule } from '../../definitions.ts';
import type { Scope } from '../../router/scope.ts';
import { eventsOf, eventsRow, type InOrderState, mergedInOrder, takeInOrder } from '../in-order.ts';
import { forgetAtMs, hasRoom, LATE_MS, matchOfEvent } from '../rule-cells.ts';
import type { RuleKind } from '../rule-kind.ts';
import { type Chains, chainFold, mergedChains, noChains } from './chains.ts';

type State = InOrderState<Chains>;

/**
 * A chain of one event a step in order of event time, from first to last at most `within`
 * (SPEC 2.1). A role is the number of the step; an event may be several.
 */
export const sequenceKind: RuleKind<SequenceRule> = {
  kind: 'sequence',
  inputs: ({ steps }) =>
    steps.map((step, role) => ({ ...step, role, opensOnly: false, takesHistory: false })),
  roleNames: (role) => `step ${role + 1}`,
  onEvent: (scope, role) => {
    const rule = scope.node.rule as SequenceRule;
    const match = matchOfEvent(scope, rule.match);
    if (match === undefined) return;
    const row = scope.get(match);
    // A step whose first one is still on its way is remembered too.
    if (row === undefined && (!scope.mayOpen || !hasRoom(scope))) return;
    if (role === 0 && !scope.mayOpen) return;
    const before = row === undefined ? emptyState(rule) : stateOf(rule, row);
    const { eventAtMs: atMs, eventIdLo: idLo, eventIdHi: idHi } = scope.event;
    const event = { atMs, idLo, idHi, meaning: 1 << role };
    const fold = chainFold(rule.steps.length, rule.withinMs);
    const { state, fires } = takeInOrder(before, event, fold, scope.state.reorderWindowMs);
    keep(scope, rule, match, state);
    if (fires > 0) scope.qualify(scope.occurrence(match), scope.nowMs);
  },
  onTimer: (scope, match) => scope.drop(match),
  merge: (scope, mine, theirs) => {
    const rule = scope.node.rule as SequenceRule;
    const fold = chainFold(rule.steps.length, rule.withinMs);
    const [a, b] = [stateOf(rule, mine.value), stateOf(rule, theirs.value)];
    const merged = mergedInOrder(a, b, fold, mergedChains);
    return { value: rowOf(merged), dueAtMs: Math.max(mine.dueAtMs, theirs.dueAtMs) };
  },
};

function keep(scope: Scope, rule: SequenceRule, match: string, state: State): void {
  const newestMs = Math.max(...state.recent.map(({ atMs }) => atMs));
  const firstSteps = state.recent.filter(({ meaning }) => (meaning & 1) === 1);
  const startsMs = Math.max(...state.base.startAtMs, ...firstSteps.map(({ atMs }) => atMs));
  const neededUntilMs = Math.max(startsMs + rule.withinMs, newestMs);
  // A later step may still be on its way, from a phone that was offline.
  scope.put(match, rowOf(state), forgetAtMs(neededUntilMs + LATE_MS));
}

function emptyState({ steps }: SequenceRule): State {
  return { base: noChains(steps.length), recent: [], fired: 0 };
}

function rowOf({ base, recent, fired }: State): CellValue {
  return [base.startAtMs, base.endAtMs, eventsRow(recent), fired];
}

function stateOf({ steps }: SequenceRule, row: CellValue): State {
  const [startAtMs, endAtMs, recent, fired] = row as [number[], number[], number[], number];
  if (startAtMs.length !== steps.length) return emptyState({ steps } as SequenceRule);
  return { base: { startAtMs, endAtMs }, recent: eventsOf(recent), fired };
}
