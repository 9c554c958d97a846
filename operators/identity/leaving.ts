import type { Leave } from '../../engine/envelope/records.ts';
import type { UserId } from '../../engine/state/alias-table.ts';
import { type Key, keyOf } from '../../engine/state/key.ts';
import { partOf, REPORTS } from '../router/campaign-entry.ts';
import type { CellOwners } from '../router/cell-owners.ts';
import { RULES_MAX } from '../router/rule-nodes.ts';
import type { Scope } from '../router/scope.ts';
import type { MovedPart } from './parts.ts';

type Send = (part: MovedPart) => void;

/**
 * Takes what a partition knows of a user out of its stores (SPEC 1.2, E23): the profile, the
 * cancelling events of the last seconds, open windows, cells. From then on the id is an alias.
 */
export class Leaving {
  readonly #scope: Scope;
  readonly #owners: CellOwners;

  constructor(parts: { readonly scope: Scope; readonly owners: CellOwners }) {
    this.#scope = parts.scope;
    this.#owners = parts.owners;
  }

  /**
   * Gives the parts to `send`, from the begin to the end. A leave that comes a second time finds
   * nothing more to move.
   */
  leave({ from, to, token, joinedAtMs }: Leave, send: Send): void {
    const { profiles, aliases } = this.#scope.state;
    send({ kind: 'begin', to, joinedAtMs });
    const key = keyOf(from.id, from.isAnonymous);
    const profile = profiles.take(key);
    if (profile !== undefined) {
      const names = Object.keys(profile.attributes);
      send({
        kind: 'profile',
        to,
        names,
        values: names.map((name) => profile.attributes[name]),
        saidAtMs: names.map((name) => profile.saidAtMs[name]!),
      });
    }
    this.#sendCancels(key, to, send);
    this.#sendWindows(key, to, send);
    this.#sendCells(key, to, send);
    aliases.set(key, to, joinedAtMs);
    send({ kind: 'end', to, token });
  }

  #sendCancels(key: Key, to: UserId, send: Send): void {
    const { recentCancels, fingerprints, nowMs } = this.#scope.state;
    const user = { lo: 0, hi: 0 };
    fingerprints.ofUser(key, user);
    recentCancels.forEach(user, nowMs, (rule, match, eventAtMs, receivedAtMs) => {
      const identity = this.#owners.identityOf(rule);
      if (!('rule' in identity)) return;
      send({ kind: 'cancel', to, rule: identity.rule, match, eventAtMs, receivedAtMs });
    });
  }

  #sendWindows(key: Key, to: UserId, send: Send): void {
    const { windows, timeMs } = this.#scope.state;
    const { book } = this.#scope;
    const slots = windows.findOfUser(key).sort((a, b) => this.#compare(a, b));
    for (const slot of slots) {
      const node = book.nodes.nodeOf(windows.ruleOf(slot));
      const { campaignId, rule, publishedAtMs, isDropped } = node;
      send({
        kind: 'window',
        to,
        rule: { campaignId, rule, publishedAtMs, isDropped },
        anchorAtMs: windows.anchorAtMs(slot),
        extendedMs: windows.extendedMs(slot),
        restarts: windows.restartsOf(slot),
        dueAtMs: Math.max(windows.dueAtMs(slot), timeMs),
        eventIdLo: windows.eventIdLoOf(slot),
        eventIdHi: windows.eventIdHiOf(slot),
        properties: this.#scope.kept.propertiesOf(slot),
      });
      windows.cancel(slot);
      book.closed(node, 1);
    }
  }

  #sendCells(key: Key, to: UserId, send: Send): void {
    const { state, book } = this.#scope;
    const { cells } = state;
    for (const slot of this.#owners.inOrder(cells, cells.cellsOfUser(key))) {
      const operator = cells.operatorOf(slot);
      // A user may be called what nobody should be.
      if (operator === REPORTS) continue;
      send({
        kind: 'cell',
        to,
        owner: this.#owners.identityOf(operator),
        match: cells.matchOf(slot),
        value: cells.valueOf(slot),
        dueAtMs: cells.dueAtMs(slot),
      });
      cells.remove(slot);
      const part = partOf(operator);
      if (part?.part === 'waiting') book.entryAt(part.index)!.waiting--;
      if (operator < RULES_MAX) book.closed(book.nodes.nodeOf(operator), 1);
    }
  }

  /** The table finds them in no order, and in another one after a recovery. */
  #compare(a: number, b: number): number {
    const { windows } = this.#scope.state;
    return (
      this.#scope.book.compare(windows.ruleOf(a), windows.ruleOf(b)) ||
      windows.anchorAtMs(a) - windows.anchorAtMs(b) ||
      windows.eventIdHiOf(a) - windows.eventIdHiOf(b) ||
      windows.eventIdLoOf(a) - windows.eventIdLoOf(b)
    );
  }
}
