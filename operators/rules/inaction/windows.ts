import type { PartitionState } from '../../../engine/partition/partition-state.ts';
import { fnv1a32OfText, type Hash64 } from '../../../engine/state/hash.ts';
import type { Key } from '../../../engine/state/key.ts';
import type { KeptBytes } from '../../../engine/state/window-table.ts';
import type { CampaignCounters } from '../../campaign-counters.ts';
import type { InactionRule } from '../../definitions.ts';
import { type PropertyReader, propertyReader } from '../../filters/property.ts';
import type { RuleNode } from '../../router/rule-nodes.ts';
import { matchText } from '../match-value.ts';
import type { KeptProperties } from './kept-properties.ts';

/** At most so many open windows a user and campaign. */
export const OPEN_WINDOWS_MAX = 25;
/** After so many restarts a window is left to run out. */
export const RESTARTS_MAX = 100;

/** The event at hand, as the rules see it. */
export interface EventAtHand {
  readonly key: Key;
  /** Under the log's secret. */
  readonly userPrint: Hash64;
  readonly eventAtMs: number;
  readonly eventIdLo: number;
  readonly eventIdHi: number;
  /** Decoded when first asked for. */
  readonly properties: Record<string, unknown>;
}

/** A window as another partition had it. */
export interface WindowAtHand {
  readonly anchorAtMs: number;
  readonly extendedMs: number;
  readonly restarts: number;
  /** It fires not before, Unix ms. */
  readonly dueAtMs: number;
  readonly eventIdLo: number;
  readonly eventIdHi: number;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** What became of a `did`. */
export type Opening = 'opened' | 'restarted' | 'kept' | 'cancelled' | 'refused' | 'unmatched';

/** When a window ends, grace apart: from the newest `did`, but not beyond the longest extension. */
export function deadlineOf(rule: InactionRule, anchorAtMs: number, extendedMs: number): number {
  return Math.min(anchorAtMs + rule.withinMs, anchorAtMs - extendedMs + rule.maxExtendMs);
}

/**
 * X and then not Y within T, for one user and rule (SPEC 2.1): a `did` opens a window, a
 * `without` after it closes it, and what is left at its end qualifies.
 */
export class Inaction {
  readonly #state: PartitionState;
  readonly #kept: KeptProperties;
  readonly #readers = new Map<string, PropertyReader>();
  readonly #counters: Pick<CampaignCounters, 'restartsCapped' | 'cancelsUnmatched'>;

  constructor(
    state: PartitionState,
    kept: KeptProperties,
    counters: Pick<CampaignCounters, 'restartsCapped' | 'cancelsUnmatched'>,
  ) {
    this.#state = state;
    this.#kept = kept;
    this.#counters = counters;
  }

  /** A `without` has come. @returns how many windows it closed; the caller counts them off */
  cancel(node: RuleNode, rule: InactionRule, event: EventAtHand): number {
    const text = rule.match && this.#textOf(event.properties, rule.match.without);
    if (rule.match !== undefined && text === undefined) {
      this.#counters.cancelsUnmatched++;
      return 0;
    }
    const match = hashOf(text);
    const { windows, recentCancels } = this.#state;
    let closed = 0;
    const count = windows.find(event.key, node.number);
    for (let i = 0; i < count; i++) {
      const slot = windows.found[i]!;
      const anchorAtMs = windows.anchorAtMs(slot);
      if (event.eventAtMs <= anchorAtMs) continue;
      if (event.eventAtMs > deadlineOf(rule, anchorAtMs, windows.extendedMs(slot))) continue;
      if (!this.#isTied(slot, rule, match, text)) continue;
      windows.cancel(slot);
      closed++;
    }
    // Its `did` may still be on the way.
    recentCancels.add(
      event.userPrint,
      node.number,
      this.#printOf(text),
      event.eventAtMs,
      this.#state.nowMs,
      this.#state.timeMs,
    );
    return closed;
  }

  /** A `did` has come. */
  open(node: RuleNode, rule: InactionRule, event: EventAtHand, kept: KeptBytes): Opening {
    const text = rule.match && this.#textOf(event.properties, rule.match.did);
    if (rule.match !== undefined && text === undefined) return 'unmatched';
    const match = hashOf(text);
    const { windows, recentCancels, nowMs, isAhead } = this.#state;
    const { key, eventAtMs } = event;
    if (recentCancels.count > 0) {
      const print = this.#printOf(text);
      const untilMs = eventAtMs + rule.withinMs;
      if (recentCancels.has(event.userPrint, node.number, print, eventAtMs, untilMs, nowMs)) {
        return 'cancelled';
      }
    }
    const count = windows.find(key, node.number);
    if (rule.onRepeat !== 'parallel') {
      let open = -1;
      for (let i = 0; i < count; i++) {
        const slot = windows.found[i]!;
        const endsAtMs = deadlineOf(rule, windows.anchorAtMs(slot), windows.extendedMs(slot));
        // One that has run out and only waits for its grace is not prolonged any more.
        if (eventAtMs > endsAtMs || !this.#isTied(slot, rule, match, text)) continue;
        // Behind it one may stand that an event ahead of its time has opened. They are found in any
        // order, and in another one after a recovery.
        if (open === -1 || windows.anchorAtMs(slot) < windows.anchorAtMs(open)) open = slot;
      }
      if (open !== -1) return this.#repeat(open, rule, event, kept);
    }
    if (count >= OPEN_WINDOWS_MAX) return 'refused';
    windows.open(
      key,
      node.number,
      {
        anchorAtMs: eventAtMs,
        eventIdLo: event.eventIdLo,
        eventIdHi: event.eventIdHi,
        match,
        nowMs,
        isAhead,
      },
      kept,
    );
    return 'opened';
  }

  /**
   * A `without` of the same user's other id, known by the fingerprint of its match value.
   * @returns how many windows it closed; the caller counts them off
   */
  cancelBy(key: Key, node: RuleNode, rule: InactionRule, match: number, atMs: number): number {
    const { windows } = this.#state;
    let closed = 0;
    const count = windows.find(key, node.number);
    for (let i = 0; i < count; i++) {
      const slot = windows.found[i]!;
      const anchorAtMs = windows.anchorAtMs(slot);
      if (atMs <= anchorAtMs) continue;
      if (atMs > deadlineOf(rule, anchorAtMs, windows.extendedMs(slot))) continue;
      const { did } = rule.match ?? {};
      if (did !== undefined) {
        const text = this.#textOf(this.#kept.propertiesOf(slot), did);
        if (this.#printOf(text) !== match) continue;
      }
      windows.cancel(slot);
      closed++;
    }
    return closed;
  }

  /**
   * A window of the same user's other id (E23). Of two that are tied, the one that ends later
   * stays when repeats restart, the one that ends earlier when the first is kept.
   * @returns `kept` when one that stood here stays instead, `restarted` when it gave way
   */
  adopt(
    key: Key,
    node: RuleNode,
    rule: InactionRule,
    window: WindowAtHand,
    kept: KeptBytes,
  ): Opening {
    const text = rule.match && this.#textOf(window.properties, rule.match.did);
    const match = hashOf(text);
    const { windows, recentCancels, timeMs, nowMs } = this.#state;
    const { anchorAtMs, extendedMs } = window;
    const { number } = node;
    const endsAtMs = deadlineOf(rule, anchorAtMs, extendedMs);
    const user = { lo: 0, hi: 0 };
    this.#state.fingerprints.ofUser(key, user);
    if (recentCancels.has(user, number, this.#printOf(text), anchorAtMs, endsAtMs, nowMs)) {
      return 'cancelled';
    }
    const count = windows.find(key, number);
    for (let i = 0; i < count; i++) {
      const slot = windows.found[i]!;
      const isSame =
        windows.eventIdLoOf(slot) === window.eventIdLo &&
        windows.eventIdHiOf(slot) === window.eventIdHi;
      // One message sent under both ids opened both: it is one after the join.
      if (isSame && rule.onRepeat === 'parallel') return 'kept';
    }
    let replaced = -1;
    for (let i = 0; i < count && rule.onRepeat !== 'parallel'; i++) {
      const slot = windows.found[i]!;
      if (!this.#isTied(slot, rule, match, text)) continue;
      // There may be two, one of which waits for its grace, and they are found in any order.
      if (replaced !== -1 && windows.anchorAtMs(slot) > windows.anchorAtMs(replaced)) continue;
      replaced = slot;
    }
    if (replaced !== -1) {
      const otherAnchorAtMs = windows.anchorAtMs(replaced);
      const otherEndsAtMs = deadlineOf(rule, otherAnchorAtMs, windows.extendedMs(replaced));
      const staysAsItIs =
        rule.onRepeat === 'restart' ? otherEndsAtMs >= endsAtMs : otherEndsAtMs <= endsAtMs;
      if (staysAsItIs) return 'kept';
    }
    if (replaced !== -1) windows.cancel(replaced);
    else if (count >= OPEN_WINDOWS_MAX) return 'refused';
    const dueAtMs = Math.max(window.dueAtMs, timeMs);
    windows.open(key, number, { ...window, match, nowMs: dueAtMs, isAhead: true }, kept);
    return replaced === -1 ? 'opened' : 'restarted';
  }

  #repeat(slot: number, rule: InactionRule, event: EventAtHand, kept: KeptBytes): Opening {
    const { windows, nowMs, isAhead } = this.#state;
    // The window runs from the newest: one that comes late and is older changes nothing.
    if (rule.onRepeat === 'keepFirst' || event.eventAtMs < windows.anchorAtMs(slot)) return 'kept';
    if (windows.restartsOf(slot) >= RESTARTS_MAX) {
      this.#counters.restartsCapped++;
      return 'kept';
    }
    windows.restart(slot, event.key, event.eventAtMs, kept, { nowMs, isAhead });
    return 'restarted';
  }

  /** Equal hashes are confirmed on the value itself, for a wrong tie would cancel a window. */
  #isTied(slot: number, rule: InactionRule, match: number, text: string | undefined): boolean {
    if (rule.match === undefined) return true;
    if (!this.#state.windows.mayMatch(slot, match)) return false;
    return this.#textOf(this.#kept.propertiesOf(slot), rule.match.did) === text;
  }

  /** The match value by which a window and what cancels it are tied; empty without one. */
  matchOf(rule: InactionRule, role: 'did' | 'without', properties: Record<string, unknown>) {
    return rule.match === undefined ? '' : (this.#textOf(properties, rule.match[role]) ?? '');
  }

  /** What a match value is known by where its text is not kept; 0 for rules without `match`. */
  #printOf(text: string | undefined): number {
    return text === undefined ? 0 : this.#state.fingerprints.ofText(text);
  }

  /** A match value as text; undefined without one. */
  #textOf(properties: Record<string, unknown>, path: string): string | undefined {
    let read = this.#readers.get(path);
    if (read === undefined) {
      read = propertyReader(path);
      this.#readers.set(path, read);
    }
    const value = read(properties);
    return value === undefined ? undefined : matchText(value);
  }
}

/** 0 is kept for rules without `match`. */
function hashOf(text: string | undefined): number {
  return text === undefined ? 0 : fnv1a32OfText(text) || 1;
}
