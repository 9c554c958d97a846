import { LapseError } from '../../engine/errors/errors.ts';
import type { PartitionState } from '../../engine/partition/partition-state.ts';
import { type Key, keyOf } from '../../engine/state/key.ts';
import type { CampaignCounters } from '../campaign-counters.ts';
import type { Inaction } from '../rules/inaction.ts';
import type { KeptProperties } from '../rules/kept-properties.ts';
import type { RuleBook, RuleNode } from '../rules/rule-book.ts';
import type { MovedCancel, MovedPart, MovedProfile, MovedWindow } from './parts.ts';

/** Brings what another partition knew of a user together with what is known here (E23). */
export class Arriving {
  readonly #state: PartitionState;
  readonly #book: RuleBook;
  readonly #kept: KeptProperties;
  readonly #inaction: Inaction;
  readonly #counters: CampaignCounters;

  constructor(parts: {
    readonly state: PartitionState;
    readonly book: RuleBook;
    readonly kept: KeptProperties;
    readonly inaction: Inaction;
    readonly counters: CampaignCounters;
  }) {
    this.#state = parts.state;
    this.#book = parts.book;
    this.#kept = parts.kept;
    this.#inaction = parts.inaction;
    this.#counters = parts.counters;
  }

  /** @param onClosed told of a rule's windows that are closed by it */
  take(part: MovedPart, onClosed: (node: RuleNode, windows: number) => void): void {
    const key = keyOf(part.to.id, part.to.isAnonymous);
    switch (part.kind) {
      case 'profile':
        this.#takeProfile(key, part);
        return;
      case 'cancel': {
        const node = this.#book.nodeOfIdentity(part.rule);
        const closed = this.#takeCancel(key, node, part);
        this.#counters.windowsCancelled += closed;
        onClosed(node, closed);
        return;
      }
      case 'window':
        this.#takeWindow(key, part);
        return;
      case 'end':
        this.#counters.joins++;
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
    try {
      this.#state.profiles.join(key, { attributes, saidAtMs: said });
    } catch (error) {
      if (!(error instanceof LapseError && error.domain === 'user')) throw error;
      this.#counters.profilesRefused++;
    }
  }

  #takeCancel(key: Key, node: RuleNode, { match, eventAtMs, receivedAtMs }: MovedCancel): number {
    if (node.rule.kind !== 'inaction') return 0;
    const { recentCancels, timeMs } = this.#state;
    recentCancels.add(key.hashLo, key.hashHi, node.number, match, eventAtMs, receivedAtMs, timeMs);
    return this.#inaction.cancelBy(key, node, node.rule, match, eventAtMs);
  }

  #takeWindow(key: Key, moved: MovedWindow): void {
    const node = this.#book.nodeOfIdentity(moved.rule);
    const { rule } = node;
    if (rule.kind !== 'inaction') return;
    const kept = this.#kept.keepProperties(key, moved.properties);
    if (kept === undefined) {
      this.#counters.windowsRefused++;
      return;
    }
    const adopted = this.#inaction.adopt(key, node, rule, moved, kept);
    if (adopted === 'opened') {
      this.#counters.windowsMoved++;
      this.#book.opened(node);
    } else if (adopted === 'cancelled') this.#counters.windowsCancelled++;
    else if (adopted === 'refused') this.#counters.windowsRefused++;
    else this.#counters.windowsMerged++;
  }
}
