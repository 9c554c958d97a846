/**
 * The slow, obvious way from what stands in the input to what must come out (SPEC 1.3, 2.1):
 * plain lists, walked whole for every record. It shares no code with the engine. One oracle a
 * partition; what a join takes from one to another goes by the hand of whoever runs them.
 */
import type { Coverage } from './coverage.ts';
import { compare, matches, nameOf, userKey } from './oracle-filters.ts';
import { profileOf } from './oracle-profile.ts';
import type {
  Attribute,
  OracleClock,
  OracleEvent,
  OracleRecord,
  OracleUser,
  Owed,
  Post,
  Version,
  Window,
} from './oracle-records.ts';
import { OracleVersions } from './oracle-versions.ts';
import { dueAtMs, inOrderOfFiring, OracleWindows } from './oracle-windows.ts';
import type { DefinitionsPlan, EventConfig } from './workload.ts';

type Leave = Extract<OracleRecord, { kind: 'leave' }>;

const DAY_MS = 86_400_000;

export class Oracle {
  readonly owed: Owed[] = [];
  readonly #clock: OracleClock = { timeMs: 0, nowMs: 0 };
  #plan: DefinitionsPlan = { webhooks: [], campaigns: [] };
  readonly #versions = new OracleVersions();
  readonly #windows: OracleWindows;
  #seen: { user: string; messageId: string; atMs: number }[] = [];
  readonly #profiles = new Map<string, Map<string, Attribute>>();
  readonly #aliases = new Map<string, OracleUser>();
  /** Ids of events that went on to another id's partition. */
  readonly sentOn: string[] = [];
  readonly #post: Post;
  readonly #coverage: Coverage;

  constructor(post: Post, coverage: Coverage) {
    this.#post = post;
    this.#coverage = coverage;
    this.#windows = new OracleWindows(this.#clock, coverage);
  }

  get openWindows(): number {
    return this.#windows.open.length;
  }

  take(record: OracleRecord): void {
    if (record.kind === 'claim' || record.kind === 'outcome') return;
    const isAtDeadline = this.#windows.open.some(
      (window) => dueAtMs(window) === record.receivedAtMs,
    );
    if (record.kind === 'event' && isAtDeadline) {
      this.#coverage.met('event received at a deadline');
    }
    const isAhead = 'isAhead' in record && record.isAhead;
    if (!isAhead) {
      this.#passTime(record.kind === 'tick' ? record.receivedAtMs : record.receivedAtMs - 1);
      this.#clock.timeMs = Math.max(this.#clock.timeMs, record.receivedAtMs);
    }
    this.#clock.nowMs = Math.max(this.#clock.timeMs, isAhead ? record.receivedAtMs : 0);
    if (record.kind === 'event') this.#event(record);
    else if (record.kind === 'leave') this.#leave(record);
    else if (record.kind === 'moved') this.#moved(record.to, record.endOf);
    else if (record.kind === 'definitions') {
      this.#plan = record.plan;
      this.#versions.define(record.plan, Math.max(record.publishedAtMs, this.#clock.timeMs));
    }
  }

  #passTime(untilMs: number): void {
    this.#fire(this.#windows.open.filter((window) => dueAtMs(window) <= untilMs));
  }

  /** What was due of a user before somebody joined him has fired, however far time is here. */
  #fireBefore(user: OracleUser, joinedAtMs: number): void {
    const key = userKey(user);
    const isMine = (window: Window) => userKey(window) === key;
    this.#fire(this.#windows.open.filter((one) => isMine(one) && dueAtMs(one) < joinedAtMs));
  }

  #fire(due: Window[]): void {
    due.sort(inOrderOfFiring);
    for (const window of due) {
      this.#windows.remove([window]);
      if (window.version.isDropped) this.#coverage.met('window of a removed campaign ended');
      else {
        coverWindow(this.#coverage, window);
        const { user, isAnonymous } = window;
        const event = { ...window.newest, user, isAnonymous };
        this.#qualify(window.version.campaign, event, dueAtMs(window));
      }
    }
  }

  #event(event: OracleEvent): void {
    const asked = this.#versions.all
      .filter((version) => this.#asksFor(version, event))
      .sort((a, b) => compare(a.campaign, b.campaign) || a.number - b.number);
    // What nobody asks for is not remembered, so that it is no first one of a later duplicate.
    if (asked.length === 0 && event.type !== 'identify') return;
    if (this.#isDuplicate(event)) {
      this.#coverage.met('duplicate ignored');
      return;
    }
    if (this.#aliases.has(userKey(event))) {
      this.sentOn.push(String(event.facts.id));
      this.#coverage.met('event sent on to another id');
      return;
    }
    if (event.isAhead) {
      this.#coverage.met('event ahead of its partition');
      this.#fireBefore(event, this.#clock.nowMs);
    }
    if (event.type === 'identify') {
      this.#identify(event);
      return;
    }
    for (const version of asked) this.#windows.cancel(version, event);
    if (event.historyOnly) return;
    for (const version of asked) this.#windows.openBy(version, event);
    for (const version of asked) {
      const { rule } = version;
      if (version.isRetired || !('action' in rule) || event.eventAtMs < version.publishedAtMs) {
        continue;
      }
      if (!matches(rule.action, event)) continue;
      this.#coverage.met('action qualified');
      this.#qualify(version.campaign, event, this.#clock.nowMs);
    }
  }

  /** By name alone. */
  #asksFor(version: Version, event: OracleEvent): boolean {
    const { rule } = version;
    const isNamed = (config: EventConfig) => nameOf(config.event) === nameOf(event.name);
    if (version.isDropped || event.type === 'identify') return false;
    if ('action' in rule) return !version.isRetired && isNamed(rule.action);
    if (!version.isRetired && isNamed(rule.inaction.did)) return true;
    const isLive =
      !version.isRetired || this.#windows.open.some((window) => window.version === version);
    return isLive && rule.inaction.without.some(isNamed);
  }

  #isDuplicate(event: OracleEvent): boolean {
    const user = userKey(event);
    const { messageId } = event;
    const before = this.#seen.findLast((one) => one.user === user && one.messageId === messageId);
    if (before !== undefined && this.#clock.timeMs - before.atMs <= DAY_MS) return true;
    this.#seen.push({ user, messageId, atMs: this.#clock.timeMs });
    return false;
  }

  #identify(event: OracleEvent): void {
    const key = userKey(event);
    const profile = this.#profiles.get(key) ?? new Map<string, Attribute>();
    this.#profiles.set(key, profile);
    for (const [name, value] of Object.entries(event.facts)) {
      const known = profile.get(name);
      if (known !== undefined && known.saidAtMs > event.eventAtMs) continue;
      profile.set(name, { value, saidAtMs: event.eventAtMs });
    }
  }

  /**
   * What cancelled a moment ago goes along and stays: an event that comes by way of this partition
   * may have been overtaken by it here.
   */
  #leave({ from, to, token, joinedAtMs }: Leave): void {
    this.#fireBefore(from, joinedAtMs);
    const key = userKey(from);
    const isMine = (one: OracleUser) => userKey(one) === key;
    const windows = this.#windows.open.filter(isMine);
    if (windows.length > 0) this.#coverage.met('join with open windows');
    if ((this.#profiles.get(key)?.size ?? 0) > 0) this.#coverage.met('join with a profile');
    this.#post.send(token, to, {
      windows: windows.map(asItStands),
      cancels: this.#windows.cancelsOf(key).map(asItStands),
      profile: this.#profiles.get(key) ?? new Map(),
      joinedAtMs,
    });
    this.#windows.remove(windows);
    this.#profiles.delete(key);
    this.#aliases.set(key, to);
  }

  /** Goes on with the user when that one has left again meanwhile. */
  #moved(to: OracleUser, endOf: string | undefined): void {
    if (endOf === undefined) return;
    const luggage = this.#post.receive(endOf, to);
    const next = this.#aliases.get(userKey(to));
    if (next !== undefined) {
      this.#post.send(endOf, next, luggage);
      return;
    }
    this.#fireBefore(to, luggage.joinedAtMs);
    const profile = this.#profiles.get(userKey(to)) ?? new Map<string, Attribute>();
    this.#profiles.set(userKey(to), profile);
    for (const [name, attribute] of luggage.profile) {
      const known = profile.get(name);
      if (known === undefined || known.saidAtMs < attribute.saidAtMs) profile.set(name, attribute);
    }
    for (const { version, event, timeMs } of luggage.cancels) {
      this.#windows.cancelBy(this.#versions.like(version), { ...event, ...to }, timeMs);
    }
    const windows = [...luggage.windows].sort((a, b) => a.anchorAtMs - b.anchorAtMs);
    for (const window of windows) {
      this.#windows.adopt({ ...window, version: this.#versions.like(window.version), ...to });
    }
  }

  #qualify(campaignId: string, event: OracleEvent, atMs: number): void {
    const campaign = this.#plan.campaigns.find(({ id }) => id === campaignId);
    if (campaign === undefined) return;
    this.owed.push({
      campaign: campaignId,
      webhook: campaign.webhook,
      user: event.user,
      isAnonymous: event.isAnonymous,
      atMs,
      expiresAtMs: atMs + campaign.ttlMs,
      profile: profileOf(campaign, event, this.#profiles.get(userKey(event))),
      occurrence: String(event.facts.id),
    });
  }
}

/** With the version as it is now: this partition's oracle goes on before the other takes it. */
function asItStands<Part extends { readonly version: Version }>(part: Part): Part {
  return { ...part, version: { ...part.version } };
}

function coverWindow(
  coverage: Coverage,
  { version, rule, firstAtMs, anchorAtMs, matched }: Window,
): void {
  coverage.met('inaction qualified');
  if (rule.graceMs > 0) coverage.met('inaction qualified after a grace');
  if (matched !== undefined) coverage.met('inaction qualified for a matched value');
  if (version.isRetired) coverage.met('window of an old version qualified');
  const isLongest = firstAtMs + rule.maxExtendMs < anchorAtMs + rule.withinMs;
  if (isLongest) coverage.met('window at its longest extension');
}
