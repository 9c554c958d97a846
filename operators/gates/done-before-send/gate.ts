import type { EventMatch } from '../../definitions.ts';
import type { PartitionCampaign } from '../../partition-definitions.ts';
import { partOperator } from '../../router/campaign-entry.ts';
import type { OperatorInput } from '../../router/operator-contract.ts';
import type { Scope } from '../../router/scope.ts';
import { candidateOf, candidateRow } from '../candidate.ts';
import type { Gate } from '../gate.ts';

/** The goal's event; a `without` has the roles behind it. */
const GOAL = 0;

function inputOf(match: EventMatch, role: number): OperatorInput {
  return { ...match, role, opensOnly: false, takesHistory: true };
}

/**
 * Gate 7: what the message would ask for has happened while it waited (E5): a `without` of the
 * rule, or the goal's event. Candidates that wait are marked when the event comes.
 */
export const doneBeforeSendGate: Gate = {
  name: 'done-before-send',
  title: 'done meanwhile',
  askedAt: 'due',
  isUsed: (campaign) => campaign.suppressIfDone && doneInputs(campaign).length > 0,
  asksControlGroup: true,
  ask: (_scope, { isDone }) => (isDone ? 'done-before-send' : undefined),
  inputs: doneInputs,
  roleNames: (role) => (role === GOAL ? 'goal' : 'without'),
  onEvent: (scope, role) => {
    if (scope.entry.waiting === 0) return;
    const { cells } = scope.state;
    scope.operator = partOperator(scope.entry.index, 'waiting');
    for (const slot of cells.cellsOf(scope.key, scope.operator)) {
      const candidate = candidateOf(cells.matchOf(slot), cells.valueOf(slot));
      const { isDone, occurrence, deliveryId } = candidate;
      if (isDone || scope.event.eventAtMs <= occurrence.eventAtMs) continue;
      if (role !== GOAL && !isTied(scope, occurrence.match)) continue;
      scope.put(deliveryId, candidateRow({ ...candidate, isDone: true }), cells.dueAtMs(slot));
    }
  },
};

function doneInputs({ rule, goal }: PartitionCampaign): OperatorInput[] {
  const withouts = rule.kind === 'inaction' ? rule.without : [];
  return [
    ...(goal === undefined ? [] : [inputOf(goal.on, GOAL)]),
    ...withouts.map((one, i) => inputOf(one, GOAL + 1 + i)),
  ];
}

/** A `without` counts for the candidates of its match value. */
function isTied(scope: Scope, match: string): boolean {
  const { rule } = scope.campaign;
  if (rule.kind !== 'inaction' || rule.match === undefined) return true;
  return scope.windows.matchOf(rule, 'without', scope.event.properties) === match;
}
