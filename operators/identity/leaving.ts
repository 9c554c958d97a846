import type { Leave } from '../../engine/envelope/records.ts';
import type { PartitionState } from '../../engine/partition/partition-state.ts';
import type { UserId } from '../../engine/state/alias-table.ts';
import { type Key, keyOf } from '../../engine/state/key.ts';
import type { KeptProperties } from '../rules/kept-properties.ts';
import type { RuleBook, RuleNode } from '../rules/rule-book.ts';
import type { MovedPart } from './parts.ts';

/**
 * Takes what a partition knows of a user out of its state (SPEC 1.2, E23): open windows, the
 * cancelling events of the last seconds, the profile. From then on the id is an alias.
 */
export class Leaving {
  readonly #state: PartitionState;
  readonly #book: RuleBook;
  readonly #kept: KeptProperties;

  constructor(state: PartitionState, book: RuleBook, kept: KeptProperties) {
    this.#state = state;
    this.#book = book;
    this.#kept = kept;
  }

  /**
   * Gives the parts to `send`, from the begin to the end. Said twice, a leave finds nothing more to move.
   * @param onClosed told of a rule's windows that are gone from here
   */
  leave(
    { from, to, token, joinedAtMs }: Leave,
    send: (part: MovedPart) => void,
    onClosed: (node: RuleNode, windows: number) => void,
  ): void {
    const { profiles, aliases } = this.#state;
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
    for (const node of this.#book.nodes()) {
      this.#sendCancels(key, to, node, send);
      const moved = this.#sendWindows(key, to, node, send);
      if (moved > 0) onClosed(node, moved);
    }
    aliases.set(key, to, joinedAtMs);
    send({ kind: 'end', to, token });
  }

  #sendCancels(key: Key, to: UserId, node: RuleNode, send: (part: MovedPart) => void): void {
    const { recentCancels, nowMs } = this.#state;
    const rule = this.#book.identityOf(node);
    const each = (match: number, eventAtMs: number, receivedAtMs: number) =>
      send({ kind: 'cancel', to, rule, match, eventAtMs, receivedAtMs });
    recentCancels.forEach(key.hashLo, key.hashHi, node.number, nowMs, each);
  }

  /** @returns how many windows have gone */
  #sendWindows(key: Key, to: UserId, node: RuleNode, send: (part: MovedPart) => void): number {
    const { windows, timeMs } = this.#state;
    const count = windows.find(key, node.number);
    const slots = windows.found.slice(0, count).sort((a, b) => this.#compare(a, b));
    for (const slot of slots) {
      send({
        kind: 'window',
        to,
        rule: this.#book.identityOf(node),
        anchorAtMs: windows.anchorAtMs(slot),
        extendedMs: windows.extendedMs(slot),
        restarts: windows.restartsOf(slot),
        dueAtMs: Math.max(windows.dueAtMs(slot), timeMs),
        eventIdLo: windows.eventIdLoOf(slot),
        eventIdHi: windows.eventIdHiOf(slot),
        properties: this.#kept.propertiesOf(slot),
      });
      windows.cancel(slot);
    }
    return count;
  }

  /** The table finds them in no order, and in another one after a recovery. */
  #compare(a: number, b: number): number {
    const { windows } = this.#state;
    return (
      windows.anchorAtMs(a) - windows.anchorAtMs(b) ||
      windows.eventIdHiOf(a) - windows.eventIdHiOf(b) ||
      windows.eventIdLoOf(a) - windows.eventIdLoOf(b)
    );
  }
}
