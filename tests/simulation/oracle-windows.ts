/** The oracle's windows: what opens, restarts, cancels and takes them over, when they are due. */
import type { Coverage } from './coverage.ts';
import { matches, nameOf, userKey, valueText } from './oracle-filters.ts';
import type { Cancel, OracleClock, OracleEvent, Version, Window } from './oracle-records.ts';

const REORDER_MS = 5_000;
const WINDOWS_MAX = 25;
const RESTARTS_MAX = 100;

/** The open windows of a partition, and what has cancelled a moment ago. */
export class OracleWindows {
  readonly #clock: OracleClock;
  readonly #coverage: Coverage;
  #open: Window[] = [];
  #cancels: Cancel[] = [];
  #count = 0;
  readonly #mayOpen: (version: Version, eventAtMs: number) => boolean;

  constructor(
    clock: OracleClock,
    coverage: Coverage,
    mayOpen: (version: Version, eventAtMs: number) => boolean,
  ) {
    this.#mayOpen = mayOpen;
    this.#clock = clock;
    this.#coverage = coverage;
  }

  get open(): readonly Window[] {
    return this.#open;
  }

  remove(windows: readonly Window[]): void {
    this.#open = this.#open.filter((window) => !windows.includes(window));
  }

  cancelsOf(key: string): Cancel[] {
    return this.#cancels.filter(
      (cancel) => userKey(cancel.event) === key && this.#isRecent(cancel),
    );
  }

  cancel(version: Version, event: OracleEvent): void {
    const { rule } = version;
    if (!('inaction' in rule)) return;
    const { match, without } = rule.inaction;
    for (const config of without) {
      if (nameOf(config.event) !== nameOf(event.name) || !matches(config, event)) continue;
      if (match !== undefined && valueText(event.facts, match.without) === undefined) continue;
      this.cancelBy(version, event);
    }
  }

  /** By an event that is known to match. */
  cancelBy(version: Version, event: OracleEvent, timeMs = this.#clock.nowMs): void {
    const { rule } = version;
    if (!('inaction' in rule)) return;
    const { match } = rule.inaction;
    const matched = match && valueText(event.facts, match.without);
    const cancelled = this.#open.filter(
      (window) =>
        window.version === version &&
        userKey(window) === userKey(event) &&
        window.matched === matched &&
        event.eventAtMs > window.anchorAtMs &&
        event.eventAtMs <= endOf(window),
    );
    this.#open = this.#open.filter((window) => !cancelled.includes(window));
    for (const window of cancelled) {
      this.#coverage.met('window cancelled');
      if (event.eventAtMs === endOf(window)) {
        this.#coverage.met('window cancelled by an event at its very end');
      }
      if (endOf(window) < this.#clock.nowMs)
        this.#coverage.met('window cancelled within its grace');
    }
    this.#cancels.push({ version, event, timeMs });
  }

  openBy(version: Version, event: OracleEvent): void {
    const { rule } = version;
    if (!('inaction' in rule) || !this.#mayOpen(version, event.eventAtMs)) return;
    const { did, match, onRepeat, withinMs } = rule.inaction;
    if (nameOf(did.event) !== nameOf(event.name) || !matches(did, event)) return;
    const matched = match && valueText(event.facts, match.did);
    if (match !== undefined && matched === undefined) return;
    const isOvertaken = this.#cancels.some(
      (cancel) =>
        cancel.version === version &&
        userKey(cancel.event) === userKey(event) &&
        (match === undefined || valueText(cancel.event.facts, match.without) === matched) &&
        this.#isRecent(cancel) &&
        cancel.event.eventAtMs > event.eventAtMs &&
        cancel.event.eventAtMs <= event.eventAtMs + withinMs,
    );
    if (isOvertaken) {
      this.#coverage.met('did overtaken by its without');
      return;
    }
    const mine = this.#open.filter(
      (window) => window.version === version && userKey(window) === userKey(event),
    );
    const open = mine.filter(
      (window) => window.matched === matched && event.eventAtMs <= endOf(window),
    );
    if (onRepeat !== 'parallel' && open.length > 0) {
      this.#repeat(open, event, onRepeat);
      return;
    }
    if (mine.length >= WINDOWS_MAX) {
      this.#coverage.met('window limit reached');
      return;
    }
    if (mine.length > 0) this.#coverage.met('window beside another');
    this.#open.push({
      version,
      rule: rule.inaction,
      user: event.user,
      isAnonymous: event.isAnonymous,
      matched,
      firstAtMs: event.eventAtMs,
      openedBy: String(event.facts.id),
      anchorAtMs: event.eventAtMs,
      newest: event,
      restarts: 0,
      notBeforeMs: this.#clock.nowMs,
      number: this.#count++,
    });
  }

  /** One that has run out and waits for its grace may stand beside the one that followed it. */
  #repeat(open: readonly Window[], event: OracleEvent, onRepeat: 'restart' | 'keepFirst'): void {
    const [window] = [...open].sort((a, b) => a.anchorAtMs - b.anchorAtMs) as [Window];
    if (onRepeat === 'keepFirst' || event.eventAtMs < window.anchorAtMs) {
      this.#coverage.met('window kept at a repeat');
      return;
    }
    if (window.restarts >= RESTARTS_MAX) {
      this.#coverage.met('window restarted as often as it may be');
      return;
    }
    window.anchorAtMs = event.eventAtMs;
    window.newest = event;
    window.restarts++;
    this.#coverage.met('window restarted');
    window.notBeforeMs = this.#clock.nowMs;
  }

  /** E23: of two that are tied, repeats that restart keep the later one, others the earlier. */
  adopt(window: Window): void {
    const { version, rule, matched } = window;
    const endsAtMs = endOf(window);
    const isCancelled = this.#cancels.some(
      (cancel) =>
        cancel.version === version &&
        userKey(cancel.event) === userKey(window) &&
        (rule.match === undefined ||
          valueText(cancel.event.facts, rule.match.without) === matched) &&
        this.#isRecent(cancel) &&
        cancel.event.eventAtMs > window.anchorAtMs &&
        cancel.event.eventAtMs <= endsAtMs,
    );
    if (isCancelled) {
      this.#coverage.met('moved window cancelled on arrival');
      return;
    }
    const mine = this.#open.filter(
      (other) => other.version === version && userKey(other) === userKey(window),
    );
    const [tied] = mine
      .filter((other) => rule.onRepeat !== 'parallel' && other.matched === matched)
      .sort((a, b) => a.anchorAtMs - b.anchorAtMs);
    if (tied !== undefined) {
      this.#coverage.met('moved window tied with another');
      const stays = rule.onRepeat === 'restart' ? endOf(tied) >= endsAtMs : endOf(tied) <= endsAtMs;
      if (stays) return;
      this.#open = this.#open.filter((other) => other !== tied);
    } else if (mine.length >= WINDOWS_MAX) return;
    if (window.notBeforeMs > this.#clock.timeMs)
      this.#coverage.met('moved window not due yet here');
    const notBeforeMs = Math.max(window.notBeforeMs, this.#clock.timeMs);
    this.#open.push({ ...window, notBeforeMs, number: this.#count++ });
  }

  #isRecent({ timeMs }: Cancel): boolean {
    return timeMs >= this.#clock.nowMs - REORDER_MS;
  }
}

export function endOf({ rule, anchorAtMs, firstAtMs }: Window): number {
  return Math.min(anchorAtMs + rule.withinMs, firstAtMs + rule.maxExtendMs);
}

export function dueAtMs(window: Window): number {
  return Math.max(endOf(window) + window.rule.graceMs, window.notBeforeMs);
}
