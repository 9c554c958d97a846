/** Every kind of rule that can be written under `qualify.live`; a new kind is a line here. */
import type { Rule } from '../definitions.ts';
import { actionForm } from './action/schema.ts';
import { countForm } from './count/schema.ts';
import { dateForm } from './date/schema.ts';
import { inactionForm } from './inaction/schema.ts';
import { quietForm } from './quiet/schema.ts';
import type { RuleForm, RuleSpan } from './rule-form.ts';
import { sequenceForm } from './sequence/schema.ts';

export const RULE_FORMS: { readonly [K in Rule['kind']]: RuleForm<Extract<Rule, { kind: K }>> } = {
  action: actionForm,
  inaction: inactionForm,
  sequence: sequenceForm,
  count: countForm,
  quiet: quietForm,
  date: dateForm,
};

export const ruleLimits = Object.fromEntries(
  Object.entries(RULE_FORMS).map(([kind, { limits }]) => [kind, limits]),
);

export function spanOfRule(rule: Rule): RuleSpan | undefined {
  // A form gets the rules of its own kind only.
  return (RULE_FORMS[rule.kind] as RuleForm<Rule>).spanOf(rule);
}
