import type { KeyedState } from '../../engine/state/keyed-state.ts';
import { candidateOf } from '../gates/candidate.ts';
import type { GateChain } from '../gates/chain.ts';
import { GATES } from '../gates/gates.ts';
import { mergedGoalClocks } from '../goals/goal.ts';
import type { CampaignBook } from './campaign-book.ts';
import {
  type CampaignPart,
  EVERY_CAMPAIGN,
  partOf,
  partOperator,
  REPORTS,
} from './campaign-entry.ts';
import type { CellOwner } from './operator-contract.ts';
import type { RuleIdentity } from './rule-nodes.ts';
import type { Scope } from './scope.ts';

/** Names the owner of a cell in every partition: its operator number is a partition's own. */
export type CellOwnerIdentity =
  | { readonly rule: RuleIdentity }
  | { readonly campaign: string; readonly part: CampaignPart }
  | { readonly every: true };

/** An hour of a report is forgotten. */
const REPORT: CellOwner = {
  onTimer: (scope, match) => scope.drop(match),
  merge: (_scope, mine) => mine,
};

const GOAL: CellOwner = {
  onTimer: () => undefined,
  merge: (_scope, mine, theirs) => mergedGoalClocks(mine, theirs),
};

function gateOf(part: string): CellOwner {
  const gate = GATES.find((one) => one.part === part)!;
  return { onTimer: gate.onTimer!, merge: gate.merge! };
}

/** Which operator a cell belongs to, by its number. Walks nothing; knows no kind of operator. */
export class CellOwners {
  readonly #book: CampaignBook;
  readonly #chain: GateChain;

  constructor(book: CampaignBook, chain: GateChain) {
    this.#book = book;
    this.#chain = chain;
  }

  identityOf(operator: number): CellOwnerIdentity {
    if (operator === EVERY_CAMPAIGN) return { every: true };
    const found = partOf(operator);
    if (found !== undefined) {
      return { campaign: this.#book.entryAt(found.index)!.id, part: found.part };
    }
    const { campaignId, rule, publishedAtMs, isDropped } = this.#book.nodes.nodeOf(operator);
    return { rule: { campaignId, rule, publishedAtMs, isDropped } };
  }

  operatorOf(identity: CellOwnerIdentity): number {
    if ('every' in identity) return EVERY_CAMPAIGN;
    if ('rule' in identity) return this.#book.nodes.ofIdentity(identity.rule).number;
    return partOperator(this.#book.entryFor(identity.campaign).index, identity.part);
  }

  /**
   * Points the scope at the operator of a cell.
   * @returns the operator; undefined when its campaign is gone, and the cell with it
   */
  use(scope: Scope, operator: number): CellOwner | undefined {
    const { key } = scope;
    if (operator === REPORTS) {
      scope.operator = operator;
      return REPORT;
    }
    if (operator === EVERY_CAMPAIGN) {
      scope.operator = operator;
      return gateOf('every-campaign');
    }
    const found = partOf(operator);
    if (found === undefined) {
      const node = this.#book.nodes.nodeOf(operator);
      const entry = this.#book.entryOf(node.campaignId);
      scope.useRule(node, key);
      if (entry === undefined || node.isDropped) return undefined;
      scope.entry = entry;
      return node.kind;
    }
    const entry = this.#book.entryAt(found.index);
    scope.operator = operator;
    if (entry === undefined || this.#book.entryOf(entry.id) === undefined) return undefined;
    scope.entry = entry;
    if (found.part === 'goal') return GOAL;
    return found.part === 'repeat' ? gateOf('repeat') : this.#waiting();
  }

  /** Cells of one user in an order that is the same in every partition. */
  inOrder(cells: KeyedState, slots: readonly number[]): readonly number[] {
    return slots.slice().sort((a, b) => this.compare(cells, a, b));
  }

  /** Removes a cell whose campaign is gone. */
  drop(scope: Scope, slot: number): void {
    const operator = scope.state.cells.operatorOf(slot);
    scope.state.cells.remove(slot);
    if (operator < EVERY_CAMPAIGN) this.#book.closed(this.#book.nodes.nodeOf(operator), 1);
    const found = partOf(operator);
    if (found?.part === 'waiting') this.#book.entryAt(found.index)!.waiting--;
    scope.counters.windowsDropped++;
  }

  /** Order of two cells of one user that are due together: campaign, operator, match value. */
  compare(cells: KeyedState, a: number, b: number): number {
    const [left, right] = [cells.operatorOf(a), cells.operatorOf(b)];
    const [ours, theirs] = [this.campaignOf(left), this.campaignOf(right)];
    if (ours !== theirs) return ours < theirs ? -1 : 1;
    if (left !== right) return rankOf(left) - rankOf(right);
    // Of messages that are due together, that of the first qualification goes first.
    const order = partOf(left)?.part === 'waiting' ? compareWaiting(cells, a, b) : 0;
    if (order !== 0) return order;
    const [one, other] = [cells.matchOf(a), cells.matchOf(b)];
    return one < other ? -1 : Number(one > other);
  }

  campaignOf(operator: number): string {
    if (operator === EVERY_CAMPAIGN || operator === REPORTS) return '';
    const found = partOf(operator);
    if (found === undefined) return this.#book.nodes.nodeOf(operator).campaignId;
    return this.#book.entryAt(found.index)!.id;
  }

  #waiting(): CellOwner {
    return {
      onTimer: (scope, match, _value, dueAtMs) => {
        const slot = scope.state.cells.find(scope.key, scope.operator, match);
        this.#chain.wake(scope, scope.entry, slot, dueAtMs);
      },
      merge: (_scope, mine) => mine,
    };
  }
}

function compareWaiting(cells: KeyedState, a: number, b: number): number {
  const one = candidateOf('', cells.valueOf(a));
  const other = candidateOf('', cells.valueOf(b));
  return (
    one.qualifiedAtMs - other.qualifiedAtMs || one.occurrence.eventAtMs - other.occurrence.eventAtMs
  );
}

/** Rules by version, then the parts of a campaign: the same in every partition. */
function rankOf(operator: number): number {
  const found = partOf(operator);
  return found === undefined ? operator : EVERY_CAMPAIGN + operator;
}
