import type * as z from 'zod';
import type { Rule } from '../definitions.ts';
import type { Range } from '../schema/range.ts';

/** How long a rule may look over or wait, and under which of its keys that is written. */
export interface RuleSpan {
  readonly key: string;
  readonly ms: number;
}

/** What the definitions need to know of a kind of rule; each kind exports one. */
export interface RuleForm<R extends Rule> {
  /** What may be written under `qualify.live.<kind>`; its output is the rule. */
  readonly schema: z.ZodType<R>;
  readonly limits: Readonly<Record<string, Range>>;
  /** Undefined when the rule has no time of its own. */
  readonly spanOf: (rule: R) => RuleSpan | undefined;
}
