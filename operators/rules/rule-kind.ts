import type { Rule } from '../definitions.ts';
import type { CellOwner, EventListener, OperatorInput } from '../router/operator-contract.ts';
import type { Scope } from '../router/scope.ts';

/**
 * A kind of live rule (SPEC 2.1): which events it wants, what it keeps of a user, when it fires.
 * It qualifies users through `Scope.qualify` and knows neither gates nor deliveries.
 *
 * @example the smallest one
 * export const actionKind: RuleKind<ActionRule> = {
 *   kind: 'action',
 *   inputs: ({ on }) => [{ ...on, role: 0, opensOnly: true, takesHistory: false }],
 *   onEvent: (scope) => scope.qualify(scope.occurrence(), scope.nowMs),
 *   onTimer: () => undefined,
 *   merge: (_scope, mine) => mine,
 * };
 */
export interface RuleKind<R extends Rule = Rule> extends EventListener, CellOwner {
  readonly kind: R['kind'];
  inputs(rule: R): readonly OperatorInput[];
  /** Profile attributes whose changes it wants to hear of, as paths. @default none */
  attributes?(rule: R): readonly string[];
  /** One of those attributes has been set or cleared, or a join has brought it. */
  onAttribute?(scope: Scope): void;
}
