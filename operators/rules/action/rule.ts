import type { ActionRule } from '../../definitions.ts';
import type { RuleKind } from '../rule-kind.ts';

/** A user does something: fires when the event is processed, and keeps nothing. */
export const actionKind: RuleKind<ActionRule> = {
  kind: 'action',
  inputs: ({ on }) => [{ ...on, role: 0, opensOnly: true, takesHistory: false }],
  onEvent: (scope) => scope.qualify(scope.occurrence(), scope.nowMs),
  onTimer: () => undefined,
  merge: (_scope, mine) => mine,
};
