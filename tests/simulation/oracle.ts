/**
 * The slow, obvious way from what stands in the input to what must come out (SPEC 1.3, 2.1):
 * plain lists, walked whole for every record. It shares no code with the engine. One oracle a
 * partition; joins of users would be one more kind of record and a map of users here.
 */
import type {
  CampaignPlan,
  DefinitionsPlan,
  EventConfig,
  InactionConfig,
  Where,
} from './workload.ts';

export interface OracleEvent {
  readonly kind: 'event';
  readonly type: 'track' | 'identify';
  readonly user: string;
  readonly isAnonymous: boolean;
  readonly name: string;
  readonly messageId: string;
  readonly eventAtMs: number;
  readonly receivedAtMs: number;
  readonly historyOnly: boolean;
  readonly facts: Readonly<Record<string, unknown>>;
}

export type OracleRecord =
  | OracleEvent
  | { readonly kind: 'tick'; readonly receivedAtMs: number }
  /** Who reads has changed: no time passes. */
  | { readonly kind: 'claim' }
  | {
      readonly kind: 'definitions';
      readonly receivedAtMs: number;
      readonly publishedAtMs: number;
      readonly plan: DefinitionsPlan;
    };

export interface Owed {
  readonly campaign: string;
  readonly webhook: string;
  readonly user: string;
  readonly isAnonymous: boolean;
  readonly atMs: number;
  readonly expiresAtMs: number;
  /** The element of `profiles`. */
  readonly profile: Readonly<Record<string, unknown>>;
  /** `id` of the facts of the event whose properties are sent: names the occurrence. */
  readonly occurrence: string;
}

interface Version {
  readonly campaign: string;
  readonly rule: CampaignPlan['rule'];
  readonly publishedAtMs: number;
  /** A newer one, or none, has taken over. */
  isRetired: boolean;
  /** Its campaign was taken away or made a draft meanwhile: its windows send nothing. */
  isDropped: boolean;
  readonly number: number;
}

interface Window {
  readonly version: Version;
  readonly rule: InactionConfig;
  readonly user: string;
  readonly isAnonymous: boolean;
  readonly matched: string | undefined;
  readonly firstAtMs: number;
  anchorAtMs: number;
  newest: OracleEvent;
  restarts: number;
  /** When it was opened or restarted, by partition time: it fires not before. */
  notBeforeMs: number;
  readonly number: number;
}

interface Attribute {
  value: unknown;
  saidAtMs: number;
}

const DAY_MS = 86_400_000;
const REORDER_MS = 5_000;
const WINDOWS_MAX = 25;
const RESTARTS_MAX = 100;

export class Oracle {
  readonly owed: Owed[] = [];
  timeMs = 0;
  #plan: DefinitionsPlan = { webhooks: [], campaigns: [] };
  #versions: Version[] = [];
  #windows: Window[] = [];
  #cancels: { version: Version; event: OracleEvent; timeMs: number }[] = [];
  #seen: { user: string; messageId: string; atMs: number }[] = [];
  readonly #profiles = new Map<string, Map<string, Attribute>>();
  #count = 0;

  get openWindows(): number {
    return this.#windows.length;
  }

  take(record: OracleRecord): void {
    if (record.kind === 'claim') return;
    this.#passTime(record.kind === 'tick' ? record.receivedAtMs : record.receivedAtMs - 1);
    this.timeMs = Math.max(this.timeMs, record.receivedAtMs);
    if (record.kind === 'event') this.#event(record);
    else if (record.kind === 'definitions') this.#define(record.plan, record.publishedAtMs);
  }

  #passTime(untilMs: number): void {
    const due = this.#windows.filter((window) => dueAtMs(window) <= untilMs);
    due.sort(inOrderOfFiring);
    for (const window of due) {
      this.#windows = this.#windows.filter((other) => other !== window);
      if (!window.version.isDropped) {
        this.#qualify(window.version.campaign, window.newest, dueAtMs(window));
      }
    }
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
    if (this.#isDuplicate(event)) return;
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
      if (matches(rule.action, event)) this.#qualify(version.campaign, event, this.timeMs);
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

  #cancel(version: Version, event: OracleEvent): void {
    const { rule } = version;
    if (!('inaction' in rule)) return;
    const { match, without } = rule.inaction;
    for (const config of without) {
      if (nameOf(config.event) !== nameOf(event.name) || !matches(config, event)) continue;
      const matched = match && valueText(event.facts, match.without);
      if (match !== undefined && matched === undefined) continue;
      this.#windows = this.#windows.filter(
        (window) =>
          !(
            window.version === version &&
            userKey(window) === userKey(event) &&
            window.matched === matched &&
            event.eventAtMs > window.anchorAtMs &&
            event.eventAtMs <= endOf(window)
          ),
      );
      this.#cancels.push({ version, event, timeMs: this.timeMs });
    }
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
        cancel.timeMs >= this.timeMs - REORDER_MS &&
        cancel.event.eventAtMs > event.eventAtMs &&
        cancel.event.eventAtMs <= event.eventAtMs + withinMs,
    );
    if (isOvertaken) return;
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
    if (mine.length >= WINDOWS_MAX) return;
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
      notBeforeMs: this.timeMs,
      number: this.#count++,
    });
  }

  /** One that has run out and waits for its grace may stand beside the one that followed it. */
  #repeat(open: readonly Window[], event: OracleEvent, onRepeat: 'restart' | 'keepFirst'): void {
    const window = open[0]!;
    if (onRepeat === 'keepFirst' || event.eventAtMs < window.anchorAtMs) return;
    if (window.restarts >= RESTARTS_MAX) return;
    window.anchorAtMs = event.eventAtMs;
    window.newest = event;
    window.restarts++;
    window.notBeforeMs = this.timeMs;
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
      profile: this.#profileOf(campaign, event),
      occurrence: String(event.facts.id),
    });
  }

  #profileOf(campaign: CampaignPlan, event: OracleEvent): Record<string, unknown> {
    const known = this.#profiles.get(userKey(event)) ?? new Map<string, Attribute>();
    const attributes = Object.fromEntries(
      [...known]
        .filter(([, { value }]) => value !== null)
        .map(([name, { value }]) => [name, value]),
    );
    const { email, ...data } = attributes;
    const all: Record<string, unknown> = {
      email,
      identity: event.isAnonymous ? undefined : event.user,
      objectId: event.isAnonymous ? event.user : undefined,
      profileData: Object.keys(data).length > 0 ? data : undefined,
      eventProperties: event.facts,
      pushToken: undefined,
    };
    const names: Record<string, string> = {
      email: 'Email',
      identity: 'Identity',
      objectId: 'ObjectId',
      profileData: 'ProfileData',
      eventProperties: 'Event_properties',
      pushToken: 'Push_token',
    };
    return Object.fromEntries(
      campaign.fields
        .filter((field) => all[field] !== undefined)
        .map((field) => [names[field]!, all[field]]),
    );
  }
}

function endOf({ rule, anchorAtMs, firstAtMs }: Window): number {
  return Math.min(anchorAtMs + rule.withinMs, firstAtMs + rule.maxExtendMs);
}

function dueAtMs(window: Window): number {
  return Math.max(endOf(window) + window.rule.graceMs, window.notBeforeMs);
}

function inOrderOfFiring(a: Window, b: Window): number {
  return (
    dueAtMs(a) - dueAtMs(b) ||
    compare(a.user, b.user) ||
    Number(a.isAnonymous) - Number(b.isAnonymous) ||
    compare(a.version.campaign, b.version.campaign) ||
    a.number - b.number
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function userKey({ user, isAnonymous }: { user: string; isAnonymous: boolean }): string {
  return `${isAnonymous ? 'a' : 'u'}:${user}`;
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function nameOf(name: string): string {
  return name.toLowerCase().replaceAll(' ', '');
}

function valueText(facts: Readonly<Record<string, unknown>>, path: string): string | undefined {
  let value: unknown = facts;
  for (const step of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value === undefined || value === null ? undefined : JSON.stringify(value);
}

function matches({ where }: EventConfig, event: OracleEvent): boolean {
  return where === undefined || holds(where, event.facts);
}

function holds(where: Where, facts: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(where).every(([key, wanted]) => {
    if (key === 'any') return (wanted as Where[]).some((one) => holds(one, facts));
    if (key === 'not') return !holds(wanted as Where, facts);
    const value = facts[key];
    if (typeof wanted !== 'object' || wanted === null) return value === wanted;
    return Object.entries(wanted).every(([op, bound]) => holdsOne(op, value, bound));
  });
}

function holdsOne(op: string, value: unknown, bound: unknown): boolean {
  if (op === 'exists') return (value !== undefined) === bound;
  if (op === 'ne') return value !== bound;
  if (op === 'in') return value !== undefined && (bound as unknown[]).includes(value);
  if (typeof value !== 'number') return false;
  if (op === 'between') {
    const [low, high] = bound as [number, number];
    return value >= low && value <= high;
  }
  const limit = bound as number;
  if (op === 'gte') return value >= limit;
  if (op === 'lte') return value <= limit;
  if (op === 'lt') return value < limit;
  throw new Error(`the oracle does not know ${op}`);
}
