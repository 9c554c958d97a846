import { LapseError } from '../../engine/errors/errors.ts';
import { type Key, keyOf } from '../../engine/state/key.ts';
import type { GateChain } from '../gates/chain.ts';
import { hearAttributes } from '../profile/hear-attributes.ts';
import { partOf } from '../router/campaign-entry.ts';
import type { CellOwners } from '../router/cell-owners.ts';
import type { Scope } from '../router/scope.ts';
import type { MovedCancel, MovedCell, MovedPart, MovedProfile, MovedWindow } from './parts.ts';

/** Brings what another partition knew of a user together with what is known here (E23, E24). */
export class Arriving {
  readonly #scope: Scope;
  readonly #owners: CellOwners;
  readonly #chain: GateChain;

  constructor(parts: {
    readonly scope: Scope;
    readonly owners: CellOwners;
    readonly chain: GateChain;
  }) {
    this.#chain = parts.chain;
    this.#scope = parts.scope;
    this.#owners = parts.owners;
  }

  take(part: MovedPart): void {
    const key = keyOf(part.to.id, part.to.isAnonymous);
    switch (part.kind) {
      case 'profile':
        this.#takeProfile(key, part);
        return;
      case 'cancel':
        this.#takeCancel(key, part);
        return;
      case 'window':
        this.#takeWindow(key, part);
        return;
      case 'cell':
        this.#takeCell(key, part);
        return;
      case 'end':
        this.#scope.counters.joins++;
        return;
      case 'begin':
    }
  }

  #takeProfile(key: Key, { names, values, saidAtMs }: MovedProfile): void {
    const attributes: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    const said: Record<string, number> = Object.create(null) as Record<string, number>;
    names.forEach((name, i) => {
      attributes[name] = values[i];
      said[name] = saidAtMs[i]!;
    });
    const { state, counters } = this.#scope;
    try {
      state.profiles.join(key, { attributes, saidAtMs: said });
      hearAttributes(this.#scope, key, names);
    } catch (error) {
      if (!(error instanceof LapseError && error.domain === 'user')) throw error;
      counters.profilesRefused++;
    }
  }

  #takeCancel(key: Key, { rule: identity, match, eventAtMs, receivedAtMs }: MovedCancel): void {
    const { book, state, counters, windows } = this.#scope;
    const node = book.nodes.ofIdentity(identity);
    if (node.rule.kind !== 'inaction') return;
    const { number, rule } = node;
    const user = { lo: 0, hi: 0 };
    state.fingerprints.ofUser(key, user);
    state.recentCancels.add(user, number, match, eventAtMs, receivedAtMs, state.timeMs);
    const closed = windows.cancelBy(key, node, rule, match, eventAtMs);
    counters.windowsCancelled += closed;
    book.closed(node, closed);
  }

  #takeWindow(key: Key, moved: MovedWindow): void {
    const { book, counters, windows, kept } = this.#scope;
    const node = book.nodes.ofIdentity(moved.rule);
    const { rule } = node;
    if (rule.kind !== 'inaction') return;
    const bytes = kept.keepProperties(key, moved.properties);
    if (bytes === undefined) {
      counters.windowsRefused++;
      return;
    }
    const adopted = windows.adopt(key, node, rule, moved, bytes);
    if (adopted === 'opened') {
      counters.windowsMoved++;
      book.opened(node);
    } else if (adopted === 'cancelled') counters.windowsCancelled++;
    else if (adopted === 'refused') counters.windowsRefused++;
    else counters.windowsMerged++;
  }

  #takeCell(key: Key, { owner: identity, match, value, dueAtMs }: MovedCell): void {
    const scope = this.#scope;
    scope.key = key;
    const operator = this.#owners.operatorOf(identity);
    const owner = this.#owners.use(scope, operator);
    if (owner === undefined) {
      scope.counters.windowsDropped++;
      return;
    }
    scope.operator = operator;
    const { cells } = scope.state;
    const known = cells.find(key, operator, match);
    const theirs = { value, dueAtMs };
    if (known === -1) {
      const isKept = scope.put(match, value, dueAtMs);
      if (!isKept || partOf(operator)?.part !== 'waiting') return;
      scope.entry.waiting++;
      this.#chain.arrive(scope, scope.entry, cells.find(key, operator, match));
      return;
    }
    const mine = { value: cells.valueOf(known), dueAtMs: cells.dueAtMs(known) };
    const merged = owner.merge(scope, mine, theirs);
    if (merged === undefined) scope.drop(match);
    else scope.put(match, merged.value, merged.dueAtMs);
  }
}
