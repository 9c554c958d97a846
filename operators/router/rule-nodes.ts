import { LapseError } from '../../engine/errors/errors.ts';
import type { Rule } from '../definitions.ts';
import { ruleKindOf } from '../rules/kinds.ts';
import type { RuleKind } from '../rules/rule-kind.ts';
import { NumberSet } from './number-set.ts';
import { ruleText } from './rule-text.ts';

/** One version of a campaign's rule. Its state holds its number, so it outlives an edit. */
export interface RuleNode {
  readonly number: number;
  readonly campaignId: string;
  readonly rule: Rule;
  readonly kind: RuleKind;
  /** Events before this do not open or trigger (E16). Unix ms. */
  readonly publishedAtMs: number;
  /** A newer version has taken over: opens nothing more, but what is open runs out. */
  isRetired: boolean;
  /** Its campaign was removed, stopped or made a draft: what is open sends nothing any more. */
  isDropped: boolean;
  /** Windows and cells of all users. */
  openStates: number;
}

/** Names a rule in every partition: its number is a partition's own. */
export interface RuleIdentity {
  readonly campaignId: string;
  readonly rule: Rule;
  readonly publishedAtMs: number;
  readonly isDropped: boolean;
}

export interface FrozenRule extends RuleIdentity {
  readonly number: number;
  readonly isRetired: boolean;
  readonly openStates: number;
}

/** Operator numbers below this are versions of rules. */
export const RULES_MAX = 65_535;
const NO_NODES: readonly RuleNode[] = [];

/** The versions of rules that are in use, by number and by campaign. */
export class RuleNodes {
  readonly #nodes: (RuleNode | undefined)[] = [];
  readonly #ofCampaign = new Map<string, RuleNode[]>();
  /** Retired and without state: their numbers may be given again. */
  readonly #over = new NumberSet(RULES_MAX);
  readonly #isRemembered: (rule: number) => boolean;

  /** @param isRemembered whether the state holds a number beside open windows and cells */
  constructor(isRemembered: (rule: number) => boolean) {
    this.#isRemembered = isRemembered;
  }

  nodeOf(number: number): RuleNode {
    const node = this.#nodes[number];
    if (node === undefined) throw new LapseError('ERR_RULE_UNKNOWN', `No rule ${number} is known.`);
    return node;
  }

  /** All versions of a campaign's rule, in order of number. */
  ofCampaign(campaignId: string): readonly RuleNode[] {
    return this.#ofCampaign.get(campaignId) ?? NO_NODES;
  }

  /** The version that takes new users in. */
  currentOf(campaignId: string): RuleNode | undefined {
    return this.ofCampaign(campaignId).find((node) => !node.isRetired);
  }

  all(): RuleNode[] {
    return this.#nodes.filter((node) => node !== undefined);
  }

  add(campaignId: string, rule: Rule, publishedAtMs: number): RuleNode {
    const number = this.#freeNumber();
    if (number >= RULES_MAX) {
      throw new LapseError(
        'ERR_RULES_MAX',
        `At most ${RULES_MAX} versions of rules may be in use, with open windows included.`,
        { domain: 'user' },
      );
    }
    const node: RuleNode = {
      number,
      campaignId,
      rule,
      kind: ruleKindOf(rule.kind),
      publishedAtMs,
      isRetired: false,
      isDropped: false,
      openStates: 0,
    };
    this.#place(node);
    return node;
  }

  retire(node: RuleNode): void {
    node.isRetired = true;
    if (node.openStates === 0) this.#over.add(node.number);
  }

  /** @returns whether it is over: retired, and nothing of it is open any more */
  countStates(node: RuleNode, change: number): boolean {
    node.openStates += change;
    if (node.openStates > 0) {
      this.#over.delete(node.number);
      return false;
    }
    if (node.isRetired) this.#over.add(node.number);
    return node.isRetired;
  }

  /**
   * The rule that another partition means. One that is forgotten here, because nothing of it was
   * open any more, is added as retired, for the state that arrives.
   */
  ofIdentity(identity: RuleIdentity): RuleNode {
    const text = ruleText(identity.rule);
    const known = this.ofCampaign(identity.campaignId).find(
      (node) => node.publishedAtMs === identity.publishedAtMs && ruleText(node.rule) === text,
    );
    if (known !== undefined) return known;
    const node = this.add(identity.campaignId, identity.rule, identity.publishedAtMs);
    node.isDropped = identity.isDropped;
    this.retire(node);
    return node;
  }

  freeze(): FrozenRule[] {
    return this.all().map(({ kind: _, ...rule }) => ({ ...rule }));
  }

  restore(rules: readonly FrozenRule[]): void {
    this.#nodes.length = 0;
    this.#ofCampaign.clear();
    this.#over.clear();
    for (const rule of rules) this.#place({ ...rule, kind: ruleKindOf(rule.rule.kind) });
  }

  #place(node: RuleNode): void {
    const before = this.#nodes[node.number];
    if (before !== undefined) this.#forget(before);
    this.#nodes[node.number] = node;
    const siblings = this.#ofCampaign.get(node.campaignId);
    if (siblings === undefined) this.#ofCampaign.set(node.campaignId, [node]);
    else siblings.splice(siblings.findLastIndex((one) => one.number < node.number) + 1, 0, node);
    if (node.isRetired && node.openStates === 0) this.#over.add(node.number);
  }

  #forget(node: RuleNode): void {
    this.#over.delete(node.number);
    const left = this.ofCampaign(node.campaignId).filter((one) => one !== node);
    if (left.length === 0) this.#ofCampaign.delete(node.campaignId);
    else this.#ofCampaign.set(node.campaignId, left);
  }

  /**
   * A number is given again once nothing holds it: no state, and no cancel of the last seconds,
   * which may yet move along with its user to where such a window is open.
   */
  #freeNumber(): number {
    let number = this.#over.lowest(0);
    while (number !== undefined && this.#isRemembered(number)) {
      number = this.#over.lowest(number + 1);
    }
    return number ?? this.#nodes.length;
  }
}

/** By campaign, then by version. */
export function compareNodes(a: RuleNode, b: RuleNode): number {
  if (a.campaignId !== b.campaignId) return a.campaignId < b.campaignId ? -1 : 1;
  return a.number - b.number;
}
