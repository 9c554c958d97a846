import { compareKeys, emptyKey, rehash } from '../engine/state/key.ts';
import { type LifeAction, lifeAfter } from './campaign-life.ts';
import type { Control } from './campaign-pipeline.ts';
import type { GateChain } from './gates/chain.ts';
import type { PartitionDefinitions } from './partition-definitions.ts';
import { hearProfiles } from './profile/hear-attributes.ts';
import { type CampaignEntry, partOperator } from './router/campaign-entry.ts';
import type { CellOwners } from './router/cell-owners.ts';
import type { RuleNode } from './router/rule-nodes.ts';
import type { Scope } from './router/scope.ts';

/** Takes changes of definitions and of campaigns' lives, with what they do to users' state. */
export class Lives {
  readonly #scope: Scope;
  readonly #chain: GateChain;
  readonly #owners: CellOwners;

  constructor(scope: Scope, chain: GateChain, owners: CellOwners) {
    this.#owners = owners;
    this.#scope = scope;
    this.#chain = chain;
  }

  change(control: Control, atMs: number): void {
    this.#take(control, atMs);
    for (const node of this.#scope.book.attributeNodes.takeAdded()) {
      hearProfiles(this.#scope, node);
    }
  }

  #take(control: Control, atMs: number): void {
    const { book } = this.#scope;
    if (control.type === 'definitions') {
      const publishedAtMs = Math.max(atMs, control.publishedAtMs ?? atMs);
      const before = new Set(book.definitions.campaigns.map(({ id }) => id));
      this.#drop(book.apply(control.definitions, publishedAtMs));
      for (const { id } of control.definitions.campaigns) before.delete(id);
      for (const id of before) this.#cancelWaiting(id);
      this.#cancelDrafts(control.definitions.campaigns);
    } else if (control.type === 'delta') {
      this.#drop(book.applyDelta(control, Math.max(atMs, control.publishedAtMs ?? atMs)));
      for (const { kind, id } of control.removed ?? [])
        if (kind === 'campaign') this.#cancelWaiting(id);
      this.#cancelDrafts(control.campaigns ?? []);
    } else if (control.type === 'publish') {
      if (book.entryOf(control.campaign)?.life === 'draft')
        book.live(control.campaign, 'running', atMs);
    } else this.#act(control.campaign, control.action, atMs);
  }

  /** What has become a draft again sends nothing more, like what is stopped. */
  #cancelDrafts(campaigns: PartitionDefinitions['campaigns']): void {
    for (const { id, state } of campaigns) if (state === 'draft') this.#cancelWaiting(id);
  }

  #act(campaignId: string, action: LifeAction, atMs: number): void {
    const { book } = this.#scope;
    const entry = book.entryOf(campaignId);
    const next = entry === undefined ? undefined : lifeAfter(entry.life, action);
    if (entry === undefined || next === undefined) return;
    this.#drop(book.live(campaignId, next, atMs));
    if (action === 'resume') this.#resume(entry);
    else if (action === 'stop' || action === 'archive') this.#cancelWaiting(campaignId);
  }

  /** What waited for the campaign to go on is asked again, in order of user. */
  #resume(entry: CampaignEntry): void {
    if (entry.waiting === 0) return;
    for (const slot of this.#waitingOf(entry, (dueAtMs) => dueAtMs === Infinity)) {
      this.#chain.wake(this.#scope, entry, slot, this.#scope.nowMs);
    }
  }

  #cancelWaiting(campaignId: string): void {
    const { book } = this.#scope;
    const entry = book.entryFor(campaignId);
    if (entry.waiting === 0) return;
    for (const slot of this.#waitingOf(entry, () => true)) {
      this.#chain.cancel(this.#scope, entry, slot, 'not-running');
    }
  }

  *#waitingOf(entry: CampaignEntry, isWanted: (dueAtMs: number) => boolean): Generator<number> {
    const { cells } = this.#scope.state;
    const operator = partOperator(entry.index, 'waiting');
    const [a, b] = [emptyKey(), emptyKey()];
    const slots = [...cells.slotsWhere((one) => one === operator)]
      .filter((slot) => isWanted(cells.dueAtMs(slot)))
      .sort((left, right) => {
        cells.keyOf(left, a);
        cells.keyOf(right, b);
        return compareKeys(a, b) || this.#owners.compare(cells, left, right);
      });
    for (const slot of slots) {
      const key = emptyKey();
      cells.keyOf(slot, key);
      key.bytes = key.bytes.slice(key.start, key.start + key.length);
      key.start = 0;
      rehash(key);
      this.#scope.key = key;
      this.#scope.entry = entry;
      yield slot;
    }
  }

  /** Windows and cells of versions that send nothing any more. */
  #drop(nodes: readonly RuleNode[]): void {
    if (nodes.length === 0) return;
    const { state, book, counters } = this.#scope;
    const numbers = new Set(nodes.map(({ number }) => number));
    for (const slot of [...state.cells.slotsWhere((operator) => numbers.has(operator))]) {
      const node = book.nodes.nodeOf(state.cells.operatorOf(slot));
      state.cells.remove(slot);
      book.closed(node, 1);
      counters.windowsDropped++;
    }
  }
}
