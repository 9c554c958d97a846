import type { Rule } from '../definitions.ts';

/** By object: the partitions of a thread share what one of them has read. */
const texts = new WeakMap<Rule, string>();

/** A rule as text: two rules with equal ones are one version. */
export function ruleText(rule: Rule): string {
  let text = texts.get(rule);
  if (text === undefined) {
    text = JSON.stringify(rule);
    texts.set(rule, text);
  }
  return text;
}
