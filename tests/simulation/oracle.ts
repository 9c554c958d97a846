/**
 * The slow, obvious way from what stands in the input to what must come out (SPEC 1.3, 2.1):
 * plain lists, walked whole for every record. It shares no code with the engine. One oracle a
 * partition; what a join takes from one to another goes by the hand of whoever runs them.
 */
import type { Coverage } from './coverage.ts';
import { compare, matches, nameOf, userKey } from './oracle-filters.ts';
import { type Life, OracleGates } from './oracle-gates.ts';
import type {
  Attribute,
  Meeting,
  OracleClock,
  OracleEvent,
  OracleRecord,
  OracleReport,
  OracleTimer,
  OracleUser,
  Owed,
  Post,
  Version,
  Window,
} from './oracle-records.ts';
import { meetingOf, OracleStates } from './oracle-states.ts';
import { OracleVersions } from './oracle-versions.ts';
import { dueAtMs, OracleWindows } from './oracle-windows.ts';
import { isZone } from './oracle-zones.ts';
import { START_MS } from './wire.ts';
import type { CampaignPlan, DefinitionsPlan, EventConfig } from './workload.ts';

type Leave = Extract<OracleRecord, { kind: 'leave' }>;

const DAY_MS = 86_400_000;

/** What the oracle cannot know of itself. */
export interface OracleOptions {
  readonly post: Post;
  readonly coverage: Coverage;
  /** The name that the system has for a delivery. */
  readonly deliveryIdOf: (campaign: string, who: OracleUser, meeting: Meeting) => string;
  /** The place of an event among those of equal times. */
  readonly placeOf: (factsId: string) => readonly number[];
}

export class Oracle {
  readonly owed: Owed[] = [];
  readonly reports: OracleReport[] = [];
  readonly #clock: OracleClock = { timeMs: 0, nowMs: 0 };
  #plan: DefinitionsPlan | undefined;
  /** As they were last defined, those that are gone too. */
  readonly #campaigns = new Map<string, CampaignPlan>();
  readonly #lives = new Map<string, Life>();
  readonly #versions = new OracleVersions();
  readonly #windows: OracleWindows;
  readonly #states: OracleStates;
  readonly #gates: OracleGates;
  #seen: { user: string; messageId: string; atMs: number }[] = [];
  readonly #profiles = new Map<string, Map<string, Attribute>>();
  readonly #users = new Map<string, OracleUser>();
  readonly #aliases = new Map<string, OracleUser>();
  /** Ids of events that went on to another id's partition. */
  readonly sentOn: string[] = [];
  readonly #post: Post;
  readonly #placeOf: OracleOptions['placeOf'];
  readonly #coverage: Coverage;

  constructor({ post, coverage, deliveryIdOf, placeOf }: OracleOptions) {
    this.#placeOf = placeOf;
    this.#post = post;
    this.#coverage = coverage;
    const host = {
      clock: this.#clock,
      coverage,
      zoneOf: (who: OracleUser) => this.#zoneOf(who),
      profileOf: (who: OracleUser) => this.#profiles.get(userKey(who)) ?? new Map(),
    };
    const mayOpen = (version: Version, eventAtMs?: number) => this.#mayOpen(version, eventAtMs);
    this.#windows = new OracleWindows(this.#clock, coverage, mayOpen);
    this.#states = new OracleStates({
      ...host,
      mayOpen,
      qualify: ({ campaign }, meeting, atMs) => this.#qualify(campaign, meeting, atMs),
    });
    this.#gates = new OracleGates({
      ...host,
      owed: this.owed,
      reports: this.reports,
      plan: () => this.#plan!,
      campaignOf: (id) => this.#campaigns.get(id),
      lifeOf: (id) => this.#lives.get(id),
      endMsOf: ({ gates }) => START_MS + (gates.schedule?.endMs ?? Infinity),
      deliveryIdOf,
    });
  }

  get openWindows(): number {
    return this.#windows.open.length;
  }

  get waiting(): number {
    return this.#gates.waiting;
  }

  take(record: OracleRecord): void {
    if (record.kind === 'claim') return;
    const { receivedAtMs } = record;
    const isAtDeadline = this.#timers().some((timer) => timer.dueAtMs === receivedAtMs);
    if (record.kind === 'event' && isAtDeadline) {
      this.#coverage.met('event received at a deadline');
    }
    const isAhead = 'isAhead' in record && record.isAhead;
    if (!isAhead) {
      this.#passTime(record.kind === 'tick' ? receivedAtMs : receivedAtMs - 1);
      this.#clock.timeMs = Math.max(this.#clock.timeMs, receivedAtMs);
    }
    this.#clock.nowMs = Math.max(this.#clock.timeMs, isAhead ? receivedAtMs : 0);
    if (record.kind === 'event') this.#event(record);
    else if (record.kind === 'leave') this.#leave(record);
    else if (record.kind === 'moved') this.#moved(record.to, record.endOf);
    else if (record.kind === 'life') this.#act(record.campaign, record.action);
    else if (record.kind === 'outcome') {
      const { userId: user, isAnonymous } = record.outcome;
      // It follows its user, and stands in the log there.
      if (!this.#aliases.has(userKey({ user, isAnonymous }))) this.#gates.outcome(record.outcome);
    } else if (record.kind === 'definitions') {
      this.#define(record.plan, Math.max(record.publishedAtMs, this.#clock.timeMs));
    }
  }

  #define(plan: DefinitionsPlan, atMs: number): void {
    const before = new Set(this.#lives.keys());
    const gone = [...before].filter((id) => !plan.campaigns.some((one) => one.id === id));
    this.#plan = plan;
    for (const id of gone) this.#lives.delete(id);
    const drafts: string[] = [];
    for (const campaign of plan.campaigns) {
      const { id, state } = campaign;
      const life = this.#lives.get(id);
      this.#campaigns.set(id, campaign);
      this.#lives.set(
        id,
        life === undefined || life === 'draft' || state === 'draft' ? state : life,
      );
      if (state === 'draft' && life !== undefined) drafts.push(id);
    }
    const isLive = (id: string) => ['running', 'paused'].includes(this.#lives.get(id) ?? '');
    const isOver = (id: string) =>
      !['running', 'paused', 'completed'].includes(this.#lives.get(id) ?? '');
    const made = this.#versions.define(
      plan.campaigns.filter(({ id }) => isLive(id)),
      {
        isOver,
        atMs,
      },
    );
    this.#states.drop(({ isDropped }) => isDropped);
    for (const id of [...gone, ...drafts]) this.#gates.cancel(id);
    for (const version of made) {
      for (const who of this.#users.values()) {
        if (this.#profiles.has(userKey(who))) this.#states.hearAttributes(version, who, undefined);
      }
    }
  }

  #act(id: string, action: 'pause' | 'resume' | 'stop' | 'archive'): void {
    const life = this.#lives.get(id);
    const isLive = life === 'running' || life === 'paused';
    if (life === undefined) return;
    if (action === 'pause' && life === 'running') {
      this.#lives.set(id, 'paused');
      this.#coverage.met('campaign paused');
    } else if (action === 'resume' && life === 'paused') {
      this.#lives.set(id, 'running');
      this.#coverage.met('campaign went on after a pause');
      this.#gates.resume(id);
    } else if ((action === 'stop' && isLive) || (action === 'archive' && life !== 'archived')) {
      this.#lives.set(id, action === 'stop' ? 'stopped' : 'archived');
      this.#coverage.met(action === 'stop' ? 'campaign stopped' : 'campaign archived');
      this.#versions.drop(id);
      this.#states.drop(({ isDropped }) => isDropped);
      this.#gates.cancel(id);
    }
  }

  /** @param eventAtMs undefined: of no event */
  #mayOpen(version: Version, eventAtMs?: number): boolean {
    if (version.isRetired || this.#lives.get(version.campaign) !== 'running') return false;
    if (eventAtMs === undefined) return true;
    const { schedule } = this.#campaigns.get(version.campaign)!.gates;
    const endMs = START_MS + (schedule?.endMs ?? Infinity);
    return eventAtMs >= version.publishedAtMs && this.#clock.nowMs <= endMs;
  }

  #zoneOf(who: OracleUser): string {
    const profile = this.#profiles.get(userKey(who));
    const own = profile?.get('timezone')?.value;
    return isZone(own) ? own : this.#plan!.settings.timezone;
  }

  #timers(): OracleTimer[] {
    const windows = this.#windows.open.map(
      (window): OracleTimer => ({
        who: { user: window.user, isAnonymous: window.isAnonymous },
        dueAtMs: dueAtMs(window),
        campaign: window.version.campaign,
        rank: [
          0,
          window.version.number,
          window.anchorAtMs,
          ...this.#placeOf(window.openedBy),
          window.number,
        ],
        fire: () => this.#fireWindow(window),
      }),
    );
    return [...windows, ...this.#states.timers(), ...this.#gates.timers()];
  }

  #passTime(untilMs: number): void {
    for (;;) {
      const due = this.#timers().filter((timer) => timer.dueAtMs <= untilMs);
      const next = due.sort(inOrderOfFiring)[0];
      if (next === undefined) return;
      this.#clock.timeMs = Math.max(this.#clock.timeMs, next.dueAtMs);
      this.#clock.nowMs = this.#clock.timeMs;
      next.fire();
    }
  }

  /** What was due of a user before somebody joined them has fired, however far time is here. */
  #fireBefore(user: OracleUser, joinedAtMs: number): void {
    const { nowMs, timeMs } = this.#clock;
    for (;;) {
      const due = this.#timers()
        .filter(({ who }) => userKey(who) === userKey(user))
        .filter((timer) => Math.max(timer.dueAtMs, timeMs) < joinedAtMs);
      const next = due.sort(inOrderOfFiring)[0];
      if (next === undefined) break;
      this.#clock.nowMs = Math.max(next.dueAtMs, timeMs);
      next.fire();
    }
    this.#clock.nowMs = nowMs;
  }

  #fireWindow(window: Window): void {
    this.#windows.remove([window]);
    if (window.version.isDropped) {
      this.#coverage.met('window of a removed campaign ended');
      return;
    }
    coverWindow(this.#coverage, window);
    const { user, isAnonymous, version, anchorAtMs, matched = '' } = window;
    const event = { ...window.newest, user, isAnonymous, eventAtMs: anchorAtMs };
    const atMs = Math.max(dueAtMs(window), this.#clock.timeMs);
    const meeting = { ...meetingOf(event, matched), id: window.openedBy };
    this.#qualify(version.campaign, meeting, atMs);
  }

  #event(event: OracleEvent): void {
    const asked = this.#versions.all
      .filter((version) => this.#asksFor(version, event))
      .sort((a, b) => compare(a.campaign, b.campaign) || a.number - b.number);
    const listening = [...this.#campaigns.values()].filter((one) => this.#listensTo(one, event));
    // What nobody asks for is not remembered, so that it is no first one of a later duplicate.
    if (asked.length + listening.length === 0 && event.type !== 'identify') return;
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
    const ids = new Set([
      ...asked.map(({ campaign }) => campaign),
      ...listening.map(({ id }) => id),
    ]);
    for (const id of [...ids].sort(compare)) {
      for (const version of asked) if (version.campaign === id) this.#hear(version, event);
      for (const campaign of listening) if (campaign.id === id) this.#gates.hear(campaign, event);
    }
  }

  #hear(version: Version, event: OracleEvent): void {
    const { rule, campaign } = version;
    this.#windows.cancel(version, event);
    if (event.historyOnly) return;
    this.#windows.openBy(version, event);
    this.#states.hear(version, event);
    if (!('action' in rule) || !matches(rule.action, event)) return;
    if (!this.#mayOpen(version, event.eventAtMs)) return;
    this.#coverage.met('action qualified');
    this.#qualify(campaign, meetingOf(event, ''), this.#clock.nowMs);
  }

  /** By name alone. */
  #asksFor(version: Version, event: OracleEvent): boolean {
    const { rule, isRetired } = version;
    const isNamed = (config: EventConfig) => nameOf(config.event) === nameOf(event.name);
    if (version.isDropped || event.type === 'identify') return false;
    const isOpen =
      !isRetired ||
      this.#states.has(version) ||
      this.#windows.open.some((window) => window.version === version);
    if (!isOpen) return false;
    if ('action' in rule) return !isRetired && isNamed(rule.action);
    if ('count' in rule) return !isRetired && isNamed(rule.count.on);
    if ('sequence' in rule) return rule.sequence.steps.some(isNamed);
    if ('quiet' in rule) return rule.quiet.on === undefined || isNamed(rule.quiet.on);
    if ('date' in rule) return rule.date.on !== undefined && isNamed(rule.date.on);
    if (!isRetired && isNamed(rule.inaction.did)) return true;
    return rule.inaction.without.some(isNamed);
  }

  /** Beside its rule, for its goal and for what makes its message pointless. */
  #listensTo({ id, rule, gates }: CampaignPlan, event: OracleEvent): boolean {
    const isLive = ['running', 'paused', 'completed'].includes(this.#lives.get(id) ?? '');
    if (!isLive || event.type === 'identify') return false;
    const goals = gates.goal === undefined ? [] : [gates.goal.on];
    const isAsked = gates.suppressIfDone !== false && 'inaction' in rule;
    const all = [...goals, ...(isAsked ? rule.inaction.without : [])];
    return all.some((config) => nameOf(config.event) === nameOf(event.name));
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
    this.#users.set(key, { user: event.user, isAnonymous: event.isAnonymous });
    this.#hearAttributes(event, Object.keys(event.facts));
  }

  #hearAttributes(who: OracleUser, names: readonly string[]): void {
    for (const version of this.#versions.all) this.#states.hearAttributes(version, who, names);
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
      states: this.#states.leave(from),
      gates: this.#gates.leave(from),
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
    this.#users.set(userKey(to), to);
    if (luggage.profile.size > 0) this.#hearAttributes(to, [...luggage.profile.keys()]);
    for (const { version, event, timeMs } of luggage.cancels) {
      this.#windows.cancelBy(this.#versions.like(version), { ...event, ...to }, timeMs);
    }
    const windows = [...luggage.windows].sort((a, b) => a.anchorAtMs - b.anchorAtMs);
    for (const window of windows) {
      this.#windows.adopt({ ...window, version: this.#versions.like(window.version), ...to });
    }
    this.#states.arrive(luggage.states, to, (version) => this.#versions.like(version));
    this.#gates.arrive(luggage.gates, to);
  }

  #qualify(campaign: string, meeting: Meeting, atMs: number): void {
    if (this.#lives.has(campaign)) this.#gates.start(campaign, meeting, atMs);
  }
}

function inOrderOfFiring(a: OracleTimer, b: OracleTimer): number {
  return (
    a.dueAtMs - b.dueAtMs ||
    compare(a.who.user, b.who.user) ||
    Number(a.who.isAnonymous) - Number(b.who.isAnonymous) ||
    compare(a.campaign, b.campaign) ||
    a.rank.reduce((order, part, i) => order || part - b.rank[i]!, 0)
  );
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
