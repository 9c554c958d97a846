import type { EnvelopeReader } from '../../engine/envelope/envelope-reader.ts';
import { LapseError } from '../../engine/errors/errors.ts';
import type { PartitionState } from '../../engine/partition/partition-state.ts';
import { type Key, rehash } from '../../engine/state/key.ts';
import { type CellValue, NO_TIMER } from '../../engine/state/keyed-state.ts';
import { isTimeZone } from '../../engine/time/zone.ts';
import { type CampaignCounters, countDecision } from '../campaign-counters.ts';
import type { FilterContext } from '../filters/compile.ts';
import type { Occurrence } from '../gates/candidate.ts';
import type { PartitionCampaign } from '../partition-definitions.ts';
import type { Decision, Report } from '../report/decision.ts';
import { countInReport, type ReportCounts } from '../report/report-counts.ts';
import type { KeptProperties } from '../rules/inaction/kept-properties.ts';
import type { Inaction } from '../rules/inaction/windows.ts';
import type { CampaignBook } from './campaign-book.ts';
import type { CampaignEntry } from './campaign-entry.ts';
import { bucketOf, type EventView } from './event-view.ts';
import type { RuleNode } from './rule-nodes.ts';

/** What an operator is told and may do. One object for all calls of a partition. */
export interface ScopeOptions {
  readonly state: PartitionState;
  readonly book: CampaignBook;
  readonly event: EventView;
  readonly counters: CampaignCounters;
  readonly windows: Inaction;
  readonly kept: KeptProperties;
  readonly reports: ReportCounts;
  readonly onReport: ((report: Report) => void) | undefined;
  readonly onQualified: (scope: Scope, occurrence: Occurrence, atMs: number) => void;
}

// A BOM is a character of the id like any other, and must not be left out.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The call at hand: one user, one operator of one campaign, and the keyed state of the two. Pure:
 * everything in it is a function of state and record.
 */
export class Scope {
  readonly state: PartitionState;
  readonly book: CampaignBook;
  /** The event at hand; only meaningful in `onEvent` and `onAttribute`. */
  readonly event: EventView;
  readonly counters: CampaignCounters;
  /** The windows of inaction rules, which have a store of their own. */
  readonly windows: Inaction;
  readonly kept: KeptProperties;
  /** What reports count, by campaign and hour. */
  readonly reports: ReportCounts;
  /** The envelope and the place of the event in it, for what keeps bytes as they came. */
  envelope: EnvelopeReader | undefined;
  index = 0;
  key!: Key;
  /** The version of the rule at hand, when the operator is one. */
  node!: RuleNode;
  entry!: CampaignEntry;
  /** The operator's number in keyed state. */
  operator = 0;
  /** Whether it may take the user in: running, published before the event, not retired. */
  mayOpen = false;
  readonly #onReport: ScopeOptions['onReport'];
  readonly #onQualified: ScopeOptions['onQualified'];

  constructor(options: ScopeOptions) {
    this.state = options.state;
    this.book = options.book;
    this.event = options.event;
    this.counters = options.counters;
    this.windows = options.windows;
    this.kept = options.kept;
    this.reports = options.reports;
    this.#onReport = options.onReport;
    this.#onQualified = options.onQualified;
  }

  /** Time of the record at hand, Unix ms; at or after partition time. */
  get nowMs(): number {
    return this.state.nowMs;
  }

  get campaign(): PartitionCampaign {
    return this.entry.campaign;
  }

  get timezone(): string {
    return this.book.settings.timezone;
  }

  get userId(): string {
    const { bytes, start, length } = this.key;
    return decoder.decode(bytes.subarray(start, start + length));
  }

  /** Points the scope at the operator of a rule's version. */
  useRule(node: RuleNode, key: Key): void {
    this.node = node;
    this.key = key;
    this.operator = node.number;
  }

  /** The user has met the rule at hand. @param atMs when, Unix ms */
  qualify(occurrence: Occurrence, atMs: number): void {
    const { operator } = this;
    this.#onQualified(this, occurrence, atMs);
    this.operator = operator;
  }

  /** Says what has been decided of the user and the campaign at hand. @param atMs Unix ms */
  report(decision: Decision, atMs: number = this.nowMs): void {
    countDecision(this.counters, decision);
    const { entry } = this;
    countInReport(this.reports, entry.id, decision, atMs);
    this.#onReport?.({ ...decision, atMs, campaignId: entry.id, userId: this.userId });
  }

  /** The event at hand as what a message tells of. */
  occurrence(match = ''): Occurrence {
    const { eventIdLo: lo, eventIdHi: hi, eventAtMs, properties } = this.event;
    return { lo, hi, eventAtMs, match, properties };
  }

  get(match: string): CellValue | undefined {
    const slot = this.state.cells.find(this.key, this.operator, match);
    return slot === -1 ? undefined : this.state.cells.valueOf(slot);
  }

  /** When the timer of a cell is due, `NO_TIMER` without one. Unix ms. */
  dueAtMs(match: string): number {
    const slot = this.state.cells.find(this.key, this.operator, match);
    return slot === -1 ? Infinity : this.state.cells.dueAtMs(slot);
  }

  /** Match values of the operator's cells, in order. */
  matches(): string[] {
    const { cells } = this.state;
    return cells.cellsOf(this.key, this.operator).map((slot) => cells.matchOf(slot));
  }

  /**
   * Keeps a value for the user, the operator and a match value.
   * @param dueAtMs when its timer fires; one that is overdue fires at once. `NO_TIMER` for none
   * @returns false when it is too large to be kept, which is counted
   */
  put(match: string, value: CellValue, dueAtMs: number): boolean {
    const { cells, nowMs } = this.state;
    const before = cells.count;
    // A record may be ahead of partition time: what it sets is not due before its own time.
    const atMs = dueAtMs === NO_TIMER ? NO_TIMER : Math.max(dueAtMs, nowMs);
    try {
      cells.put(this.key, this.operator, match, value, atMs);
    } catch (error) {
      if (!(error instanceof LapseError && error.domain === 'user')) throw error;
      this.counters.statesRefused++;
      return false;
    }
    if (cells.count > before && this.operator === this.node?.number) this.book.opened(this.node);
    return true;
  }

  drop(match: string): void {
    const slot = this.state.cells.find(this.key, this.operator, match);
    if (slot === -1) return;
    this.state.cells.remove(slot);
    if (this.operator === this.node?.number) this.book.closed(this.node, 1);
  }

  /** The user's attributes at this position of the log, without cleared ones. */
  profile(): Record<string, unknown> {
    rehash(this.key);
    return this.state.profiles.attributesOf(this.key);
  }

  /** The profile as filters look at it. */
  profileContext(): FilterContext {
    rehash(this.key);
    const { nowMs, timezone } = this;
    const properties = this.profile();
    return { properties, nowMs, userBucket: bucketOf(this.key), timezone };
  }

  /** The user's zone, else the account's (E45). */
  userTimezone(): string {
    const { timezone, Tz } = this.profile();
    const own = timezone ?? Tz;
    return typeof own === 'string' && isTimeZone(own) ? own : this.timezone;
  }
}
