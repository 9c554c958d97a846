import type { InactionRule } from '../../definitions.ts';
import type { OperatorInput } from '../../router/operator-contract.ts';
import type { Scope } from '../../router/scope.ts';
import type { RuleKind } from '../rule-kind.ts';

// A `without` is heard before a `did`: an event that is both cancels first and then opens.
const WITHOUT = 0;
const DID = 1;

/**
 * X and then not Y within T (SPEC 2.1). Its windows have columns of their own, see `windows.ts`,
 * because there may be millions; the pipeline tells it when one comes due.
 */
export const inactionKind: RuleKind<InactionRule> = {
  kind: 'inaction',
  inputs: ({ did, without }): readonly OperatorInput[] => [
    ...without.map((one) => ({ ...one, role: WITHOUT, opensOnly: false, takesHistory: true })),
    { ...did, role: DID, opensOnly: true, takesHistory: false },
  ],
  roleNames: (role) => (role === WITHOUT ? 'without' : 'did'),
  onEvent: (scope, role) => (role === WITHOUT ? cancel(scope) : open(scope)),
  onTimer: () => undefined,
  merge: (_scope, mine) => mine,
};

function cancel(scope: Scope): void {
  const { node, book, counters } = scope;
  const closed = scope.windows.cancel(node, node.rule as InactionRule, scope.event);
  counters.windowsCancelled += closed;
  book.closed(node, closed);
}

function open(scope: Scope): void {
  const { node, book, counters } = scope;
  const kept = scope.kept.keep(scope.envelope!, scope.index);
  if (kept === undefined) {
    counters.windowsRefused++;
    return;
  }
  const opening = scope.windows.open(node, node.rule as InactionRule, scope.event, kept);
  if (opening === 'opened') {
    counters.windowsOpened++;
    book.opened(node);
  } else if (opening === 'refused') counters.windowsRefused++;
  else if (opening === 'unmatched') counters.windowsUnmatched++;
  else if (opening === 'cancelled') counters.windowsOvertaken++;
}
