type Leave = Extract<OracleRecord, { kind: 'leave' }>;

/**
 * The slow, obvious way from what stands in the input to what must come out (SPEC 1.3, 2.1):
 * plain lists, walked whole for every record. It shares no code with the engine. One oracle a
 * partition; what a join takes from one to another goes by the hand of whoever runs them.
 */
import type { Coverage } from './coverage.ts';
import { compare, matches, nameOf, userKey, valueText } from './oracle-filters.ts';
import { profileOf } from './oracle-profile.ts';
import type {
  Attribute,
  Cancel,
  OracleEvent,
  OracleRecord,
  OracleUser,
  Owed,
  Post,
  Version,
  Window,
} from './oracle-records.ts';
import { dueAtMs, endOf, inOrderOfFiring, isSame } from './oracle-windows.ts';
import type { DefinitionsPlan, EventConfig } from './workload.ts';

const DAY_MS = 86_400_000;
const REORDER_MS = 5_000;
const WINDOWS_MAX = 25;
const RESTARTS_MAX = 100;

export class Oracle {
  readonly owed: Owed[] = [];
  timeMs = 0;
  /** Of the record at hand, whose user's it may be alone. */
  #nowMs = 0;
  #plan: DefinitionsPlan = { webhooks: [], campaigns: [] };
  #versions: Version[] = [];
  #windows: Window[] = [];
  #cancels: Cancel[] = [];
  #seen: { user: string; messageId: string; atMs: number }[] = [];
  readonly #profiles = new Map<string, Map<string, Attribute>>();
  readonly #aliases = new Map<string, OracleUser>();
  /** Ids of events that went on to another id's partition. */
  readonly sentOn: string[] = [];
  readonly #post: Post;
  #count = 0;

  readonly #coverage: Coverage;

  constructor(post: Post, coverage: Coverage) {
    this.#post = post;
    this.#coverage = coverage;
  }

  get openWindows(): number {
    return this.#windows.length;
  }

  take(record: OracleRecord): void {
    if (record.kind === 'claim') return;
    const isAtDeadline = this.#windows.some((window) => dueAtMs(window) === record.receivedAtMs);
    if (record.kind === 'event' && isAtDeadline) {
      this.#coverage.met('event received at a deadline');
    }
    const isAhead = 'isAhead' in record && record.isAhead;
    if (!isAhead) {
      this.#passTime(record.kind === 'tick' ? record.receivedAtMs : record.receivedAtMs - 1);
      this.timeMs = Math.max(this.timeMs, record.receivedAtMs);
    }
    this.#nowMs = Math.max(this.timeMs, isAhead ? record.receivedAtMs : 0);
    if (record.kind === 'event') this.#event(record);
    else if (record.kind === 'leave') this.#leave(record);
    else if (record.kind === 'moved') this.#moved(record.to, record.endOf);
    else if (record.kind === 'definitions') this.#define(record.plan, record.publishedAtMs);
  }

  #passTime(untilMs: number): void {
    this.#fire(this.#windows.filter((window) => dueAtMs(window) <= untilMs));
  }

  /** What was due of a user before somebody joined him has fired, however far time is here. */
  #fireBefore(user: OracleUser, joinedAtMs: number): void {
    const key = userKey(user);
    const isMine = (window: Window) => userKey(window) === key;
    this.#fire(this.#windows.filter((one) => isMine(one) && dueAtMs(one) < joinedAtMs));
  }

  #fire(due: Window[]): void {
    due.sort(inOrderOfFiring);
    for (const window of due) {
      this.#windows = this.#windows.filter((other) => other !== window);
      if (window.version.isDropped) this.#coverage.met('window of a removed campaign ended');
      else {
        this.#coverWindow(window);
        const { user, isAnonymous } = window;
        const event = { ...window.newest, user, isAnonymous };
        this.#qualify(window.version.campaign, event, dueAtMs(window));
      }
    }
  }

  #coverWindow({ version, rule, firstAtMs, anchorAtMs, matched }: Window): void {
    const coverage = this.#coverage;
    coverage.met('inaction qualified');
    if (rule.graceMs > 0) coverage.met('inaction qualified after a grace');
    if (matched !== undefined) coverage.met('inaction qualified for a matched value');
    if (version.isRetired) coverage.met('window of an old version qualified');
    const isLongest = firstAtMs + rule.maxExtendMs < anchorAtMs + rule.withinMs;
    if (isLongest) coverage.met('window at its longest extension');
  }

  #define(plan: DefinitionsPlan, publishedAtMs: number): void {
    this.#plan = plan;
    const atMs = Math.max(publishedAtMs, this.timeMs);
    const current = plan.campaigns
      .filter(({ state }) => state === 'running')
      .map(({ id, rule }) => {
        const known = this.#versions.find(
          (version) => !version.isRetired && version.campaign === id && isSame(version.rule, rule),
        );
        if (known !== undefined) return known;
        const version: Version = {
          campaign: id,
          rule,
          publishedAtMs: atMs,
          isRetired: false,
          isDropped: false,
          number: this.#count++,
        };
        this.#versions.push(version);
        return version;
      });
    for (const version of this.#versions) {
      if (current.includes(version)) continue;
      version.isRetired = true;
      const campaign = plan.campaigns.find(({ id }) => id === version.campaign);
      if (campaign?.state !== 'running') version.isDropped = true;
    }
  }

  #event(event: OracleEvent): void {
    const asked = this.#versions
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
      this.#fireBefore(event, this.#nowMs);
    }
    if (event.type === 'identify') {
      this.#identify(event);
      return;
    }
    for (const version of asked) this.#cancel(version, event);
    if (event.historyOnly) return;
    for (const version of asked) this.#open(version, event);
    for (const version of asked) {
      const { rule } = version;
      if (version.isRetired || !('action' in rule) || event.eventAtMs < version.publishedAtMs) {
        continue;
      }
      if (!matches(rule.action, event)) continue;
      this.#coverage.met('action qualified');
      this.#qualify(version.campaign, event, this.#nowMs);
    }
  }

  /** By name alone. */
  #asksFor(version: Version, event: OracleEvent): boolean {
    const { rule } = version;
    const isNamed = (config: EventConfig) => nameOf(config.event) === nameOf(event.name);
    if (version.isDropped || event.type === 'identify') return false;
    if ('action' in rule) return !version.isRetired && isNamed(rule.action);
    if (!version.isRetired && isNamed(rule.inaction.did)) return true;
    const isLive = !version.isRetired || this.#windows.some((window) => window.version === version);
    return isLive && rule.inaction.without.some(isNamed);
  }

  #isDuplicate(event: OracleEvent): boolean {
    const user = userKey(event);
    const { messageId } = event;
    const before = this.#seen.findLast((one) => one.user === user && one.messageId === messageId);
    if (before !== undefined && this.timeMs - before.atMs <= DAY_MS) return true;
    this.#seen.push({ user, messageId, atMs: this.timeMs });
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
    const windows = this.#windows.filter(isMine);
    if (windows.length > 0) this.#coverage.met('join with open windows');
    if ((this.#profiles.get(key)?.size ?? 0) > 0) this.#coverage.met('join with a profile');
    const cancels = this.#cancels.filter(
      ({ event, timeMs }) => isMine(event) && timeMs >= this.#nowMs - REORDER_MS,
    );
    this.#post.send(token, to, {
      windows: windows.map(asItStands),
      cancels: cancels.map(asItStands),
      profile: this.#profiles.get(key) ?? new Map(),
      joinedAtMs,
    });
    this.#windows = this.#windows.filter((window) => !isMine(window));
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
      this.#cancelBy(this.#versionLike(version), { ...event, ...to }, timeMs);
    }
    const windows = [...luggage.windows].sort((a, b) => a.anchorAtMs - b.anchorAtMs);
    for (const window of windows) {
      this.#adopt({ ...window, version: this.#versionLike(window.version), ...to });
    }
  }

  /** The version that another partition means; one that is not known here is a retired one. */
  #versionLike(other: Version): Version {
    const known = this.#versions.find(
      ({ campaign, rule, publishedAtMs }) =>
        campaign === other.campaign &&
        publishedAtMs === other.publishedAtMs &&
        isSame(rule, other.rule),
    );
    if (known !== undefined) return known;
    const version = { ...other, isRetired: true, number: this.#count++ };
    this.#versions.push(version);
    return version;
  }

  /** E23: of two that are tied, repeats that restart keep the later one, others the earlier. */
  #adopt(window: Window): void {
    const { version, rule, matched } = window;
    const endsAtMs = endOf(window);
    const isCancelled = this.#cancels.some(
      ({ version: other, event, timeMs }) =>
        other === version &&
        userKey(event) === userKey(window) &&
        (rule.match === undefined || valueText(event.facts, rule.match.without) === matched) &&
        timeMs >= this.#nowMs - REORDER_MS &&
        event.eventAtMs > window.anchorAtMs &&
        event.eventAtMs <= endsAtMs,
    );
    if (isCancelled) {
      this.#coverage.met('moved window cancelled on arrival');
      return;
    }
    const mine = this.#windows.filter(
      (other) => other.version === version && userKey(other) === userKey(window),
    );
    const [tied] = mine
      .filter((other) => rule.onRepeat !== 'parallel' && other.matched === matched)
      .sort((a, b) => a.anchorAtMs - b.anchorAtMs);
    if (tied !== undefined) {
      this.#coverage.met('moved window tied with another');
      const stays = rule.onRepeat === 'restart' ? endOf(tied) >= endsAtMs : endOf(tied) <= endsAtMs;
      if (stays) return;
      this.#windows = this.#windows.filter((other) => other !== tied);
    } else if (mine.length >= WINDOWS_MAX) return;
    const notBeforeMs = Math.max(window.notBeforeMs, this.timeMs);
    this.#windows.push({ ...window, notBeforeMs, number: this.#count++ });
  }

  #cancel(version: Version, event: OracleEvent): void {
    const { rule } = version;
    if (!('inaction' in rule)) return;
    const { match, without } = rule.inaction;
    for (const config of without) {
      if (nameOf(config.event) !== nameOf(event.name) || !matches(config, event)) continue;
      if (match !== undefined && valueText(event.facts, match.without) === undefined) continue;
      this.#cancelBy(version, event);
    }
  }

  /** By an event that is known to match. */
  #cancelBy(version: Version, event: OracleEvent, timeMs = this.#nowMs): void {
    const { rule } = version;
    if (!('inaction' in rule)) return;
    const { match } = rule.inaction;
    const matched = match && valueText(event.facts, match.without);
    const cancelled = this.#windows.filter(
      (window) =>
        window.version === version &&
        userKey(window) === userKey(event) &&
        window.matched === matched &&
        event.eventAtMs > window.anchorAtMs &&
        event.eventAtMs <= endOf(window),
    );
    this.#windows = this.#windows.filter((window) => !cancelled.includes(window));
    for (const window of cancelled) {
      this.#coverage.met('window cancelled');
      if (event.eventAtMs === endOf(window)) {
        this.#coverage.met('window cancelled by an event at its very end');
      }
      if (endOf(window) < this.#nowMs) this.#coverage.met('window cancelled within its grace');
    }
    this.#cancels.push({ version, event, timeMs });
  }

  #open(version: Version, event: OracleEvent): void {
    const { rule } = version;
    if (!('inaction' in rule) || version.isRetired) return;
    const { did, match, onRepeat, withinMs } = rule.inaction;
    if (event.eventAtMs < version.publishedAtMs) return;
    if (nameOf(did.event) !== nameOf(event.name) || !matches(did, event)) return;
    const matched = match && valueText(event.facts, match.did);
    if (match !== undefined && matched === undefined) return;
    const isOvertaken = this.#cancels.some(
      (cancel) =>
        cancel.version === version &&
        userKey(cancel.event) === userKey(event) &&
        (match === undefined || valueText(cancel.event.facts, match.without) === matched) &&
        cancel.timeMs >= this.#nowMs - REORDER_MS &&
        cancel.event.eventAtMs > event.eventAtMs &&
        cancel.event.eventAtMs <= event.eventAtMs + withinMs,
    );
    if (isOvertaken) {
      this.#coverage.met('did overtaken by its without');
      return;
    }
    const mine = this.#windows.filter(
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
    this.#windows.push({
      version,
      rule: rule.inaction,
      user: event.user,
      isAnonymous: event.isAnonymous,
      matched,
      firstAtMs: event.eventAtMs,
      anchorAtMs: event.eventAtMs,
      newest: event,
      restarts: 0,
      notBeforeMs: this.#nowMs,
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
    window.notBeforeMs = this.#nowMs;
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
