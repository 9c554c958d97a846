import type { Rule } from '../definitions.ts';
import { actionKind } from './action/rule.ts';
import { countKind } from './count/rule.ts';
import { dateKind } from './date/rule.ts';
import { inactionKind } from './inaction/rule.ts';
import { quietKind } from './quiet/rule.ts';
import type { RuleKind } from './rule-kind.ts';
import { sequenceKind } from './sequence/rule.ts';

/** The kinds of live rules. A new one is a folder beside the others and a line here. */
const KINDS: readonly RuleKind[] = [
  actionKind,
  inactionKind,
  sequenceKind,
  countKind,
  quietKind,
  dateKind,
];

const byName = new Map(KINDS.map((kind) => [kind.kind, kind]));

export function ruleKindOf(name: Rule['kind']): RuleKind {
  const kind = byName.get(name);
  if (kind === undefined) throw new Error(`No rule kind is called "${name}".`);
  return kind;
}
