/** What rules remember of users beside windows: events in order, silences and awaited dates. */
import type { Coverage } from './coverage.ts';
import { countModel } from './oracle-count.ts';
import { dateDueAt } from './oracle-dates.ts';
import { matches, nameOf, userKey, valueText } from './oracle-filters.ts';
import { joinInOrder, type Ordered, type OrderModel, takeInOrder } from './oracle-in-order.ts';
import type {
  Attribute,
  Meeting,
  OracleClock,
  OracleEvent,
  OracleTimer,
  OracleUser,
  Version,
} from './oracle-records.ts';
import { sequenceModel } from './oracle-sequence.ts';
import type { EventConfig } from './workload.ts';

/** The newest activity, and whether it was told of. */
export interface Silence {
  readonly version: Version;
  readonly who: OracleUser;
  readonly event: OracleEvent;
  readonly isTold: boolean;
  readonly dueAtMs: number;
}

/** The newest date of an event or an attribute; it may be none. */
export interface Awaited {
  readonly version: Version;
  readonly who: OracleUser;
  readonly value: unknown;
  readonly event: OracleEvent | undefined;
  readonly saidAtMs: number;
  /** Infinity when it is past, or none. */
  readonly dueAtMs: number;
}

export interface StatesLuggage {
  readonly ordered: readonly Ordered[];
  readonly silences: readonly Silence[];
  readonly dates: readonly Awaited[];
}

export interface OracleHost {
  readonly clock: OracleClock;
  readonly coverage: Coverage;
  mayOpen(version: Version, eventAtMs?: number): boolean;
  zoneOf(who: OracleUser): string;
  profileOf(who: OracleUser): ReadonlyMap<string, Attribute>;
  qualify(version: Version, meeting: Meeting, atMs: number): void;
}

export class OracleStates {
  readonly #host: OracleHost;
  #ordered: Ordered[] = [];
  #silences: Silence[] = [];
  #dates: Awaited[] = [];

  constructor(host: OracleHost) {
    this.#host = host;
  }

  /** Something of the version is remembered, of anybody. */
  has(version: Version): boolean {
    const all = [...this.#ordered, ...this.#silences, ...this.#dates];
    return all.some((one) => one.version === version);
  }

  drop(isDropped: (version: Version) => boolean): void {
    this.#ordered = this.#ordered.filter(({ version }) => !isDropped(version));
    this.#silences = this.#silences.filter(({ version }) => !isDropped(version));
    this.#dates = this.#dates.filter(({ version }) => !isDropped(version));
  }

  hear(version: Version, event: OracleEvent): void {
    const { rule } = version;
    if ('sequence' in rule) {
      const { steps, match } = rule.sequence;
      const found = steps.flatMap((step, i) => (isNamed(step, event) ? [i] : []));
      const mayOpen = this.#host.mayOpen(version, event.eventAtMs);
      this.#order(version, event, match, {
        steps: found.filter((i) => i > 0 || mayOpen),
        amount: 0,
      });
    } else if ('count' in rule) this.#count(version, event);
    else if ('quiet' in rule) this.#hush(version, event);
    else if ('date' in rule) this.#date(version, event);
  }

  #count(version: Version, event: OracleEvent): void {
    const { rule } = version;
    if (!('count' in rule) || !isNamed(rule.count.on, event)) return;
    if (!this.#host.mayOpen(version, event.eventAtMs)) return;
    const { sum, match } = rule.count;
    const amount = sum === undefined ? 1 : event.facts[sum.property];
    if (typeof amount !== 'number') return;
    this.#order(version, event, match, { steps: [0], amount });
  }

  #order(
    version: Version,
    event: OracleEvent,
    path: string | undefined,
    meaning: { readonly steps: readonly number[]; readonly amount: number },
  ): void {
    const matched = path === undefined ? '' : valueText(event.facts, path);
    if (matched === undefined || meaning.steps.length === 0) return;
    const isIt = (one: Ordered) => isOf(one, version, event) && one.matched === matched;
    const known = this.#ordered.find(isIt);
    if (known === undefined && !this.#host.mayOpen(version, event.eventAtMs)) return;
    const model = modelOf(version);
    const { user, isAnonymous } = event;
    const who = { user, isAnonymous };
    const none = { version, who, matched, settled: model.none, recent: [], told: 0 };
    const judged = { id: String(event.facts.id), atMs: event.eventAtMs, ...meaning };
    const { after, isMet } = takeInOrder(known ?? none, judged, model);
    this.#ordered = [...this.#ordered.filter((one) => !isIt(one)), after];
    if (!isMet) return;
    const kind = 'sequence' in version.rule ? 'sequence' : 'count';
    const { coverage, clock } = this.#host;
    coverage.met(`${kind} qualified`);
    if (after.recent.at(-1)!.id !== judged.id) coverage.met(`${kind} met by a late event`);
    if (version.isRetired) coverage.met('sequence of an old version went on');
    this.#host.qualify(version, meetingOf(event, matched), clock.nowMs);
  }

  #hush(version: Version, event: OracleEvent): void {
    const { rule } = version;
    if (!('quiet' in rule)) return;
    const { on, forMs } = rule.quiet;
    if (on !== undefined && !isNamed(on, event)) return;
    const known = this.#silences.find((one) => isOf(one, version, event));
    const mayOpen = this.#host.mayOpen(version, event.eventAtMs);
    if (known === undefined && (version.isRetired || event.eventAtMs < version.publishedAtMs))
      return;
    if (known !== undefined && known.event.eventAtMs > event.eventAtMs) return;
    if (known !== undefined && !known.isTold) this.#host.coverage.met('quiet began anew');
    this.#silences = this.#silences.filter((one) => one !== known);
    // A newer version has taken over, and tells of it.
    if (version.isRetired) return;
    const dueAtMs = Math.max(event.eventAtMs + forMs, this.#host.clock.nowMs);
    const { user, isAnonymous } = event;
    const who = { user, isAnonymous };
    this.#silences.push({ version, who, event, isTold: !mayOpen, dueAtMs });
  }

  #date(version: Version, event: OracleEvent): void {
    const { rule } = version;
    if (!('date' in rule) || rule.date.on === undefined || !isNamed(rule.date.on, event)) return;
    const known = this.#dates.find((one) => isOf(one, version, event));
    if (known === undefined && !this.#host.mayOpen(version, event.eventAtMs)) return;
    if (known !== undefined && known.saidAtMs > event.eventAtMs) return;
    if (known !== undefined) this.#host.coverage.met('date moved');
    const { user, isAnonymous } = event;
    const value = event.facts[rule.date.property] ?? null;
    this.#await(version, { user, isAnonymous }, { value, event, saidAtMs: event.eventAtMs });
  }

  /** Attributes of a profile have been set or cleared, or a zone has. */
  hearAttributes(version: Version, who: OracleUser, names: readonly string[] | undefined): void {
    const { rule } = version;
    if (!('date' in rule) || version.isRetired) return;
    const { on, property } = rule.date;
    const wanted = [...(on === undefined ? [property] : []), 'timezone', 'Tz'];
    if (names !== undefined && !names.some((name) => wanted.includes(name))) return;
    const known = this.#dates.find((one) => isOf(one, version, who));
    if (on !== undefined) {
      if (known !== undefined && known.dueAtMs < Infinity) this.#await(version, who, known);
      return;
    }
    const value = this.#host.profileOf(who).get(property)?.value ?? null;
    if (known === undefined && !this.#host.mayOpen(version)) return;
    const saidAtMs = this.#host.clock.nowMs;
    this.#await(version, who, { value, event: undefined, saidAtMs });
  }

  #await(
    version: Version,
    who: OracleUser,
    date: Pick<Awaited, 'value' | 'event' | 'saidAtMs'>,
  ): void {
    const { rule, publishedAtMs } = version;
    if (!('date' in rule)) return;
    this.#dates = this.#dates.filter((one) => !isOf(one, version, who));
    const zone = this.#host.zoneOf(who);
    const fromMs = Math.max(this.#host.clock.nowMs, publishedAtMs);
    const dueAtMs = dateDueAt(date.value, rule.date, zone, fromMs);
    if (dueAtMs === undefined) this.#host.coverage.met('date past or none');
    // Of attributes the profile knows the times.
    if (dueAtMs === undefined && rule.date.on === undefined) return;
    const { value, event, saidAtMs } = date;
    this.#dates.push({ version, who, value, event, saidAtMs, dueAtMs: dueAtMs ?? Infinity });
  }

  timers(): OracleTimer[] {
    const silent = this.#silences
      .filter(({ isTold }) => !isTold)
      .map((one) => timerOf(one, () => this.#fireSilence(one)));
    const dates = this.#dates.map((one) => timerOf(one, () => this.#fireDate(one)));
    return [...silent, ...dates];
  }

  #fireSilence(silence: Silence): void {
    this.#silences = this.#silences.map((one) =>
      one === silence ? { ...one, isTold: true } : one,
    );
    this.#host.coverage.met('quiet qualified');
    const { version, who, event, dueAtMs } = silence;
    this.#host.qualify(version, meetingOf({ ...event, ...who }, ''), this.#timeOf(dueAtMs));
  }

  #fireDate(awaited: Awaited): void {
    const { version, who, event, value, dueAtMs } = awaited;
    const { rule } = version;
    if (!('date' in rule)) return;
    const atMs = this.#timeOf(dueAtMs);
    this.#dates = this.#dates.filter((one) => one !== awaited);
    const { on, property, yearly } = rule.date;
    const isGone = on === undefined && this.#host.profileOf(who).get(property)?.value !== value;
    const nextMs =
      yearly && !isGone ? dateDueAt(value, rule.date, this.#host.zoneOf(who), atMs + 1) : undefined;
    if (nextMs !== undefined || on !== undefined) {
      this.#dates.push({ ...awaited, dueAtMs: nextMs ?? Infinity });
    }
    if (isGone) return;
    const { coverage } = this.#host;
    coverage.met(
      on === undefined ? 'date of an attribute qualified' : 'date of an event qualified',
    );
    if (yearly) coverage.met('yearly date qualified');
    const id = `${event === undefined ? '' : String(event.facts.id)} at ${atMs}`;
    this.#host.qualify(
      version,
      { who, id, eventAtMs: atMs, matched: '', facts: event?.facts ?? {} },
      atMs,
    );
  }

  #timeOf(dueAtMs: number): number {
    return Math.max(dueAtMs, this.#host.clock.timeMs);
  }

  leave(who: OracleUser): StatesLuggage {
    const isTheirs = (one: { readonly who: OracleUser }) => userKey(one.who) === userKey(who);
    const luggage = {
      ordered: this.#ordered.filter(isTheirs),
      silences: this.#silences.filter(isTheirs),
      dates: this.#dates.filter(isTheirs),
    };
    this.#ordered = this.#ordered.filter((one) => !isTheirs(one));
    this.#silences = this.#silences.filter((one) => !isTheirs(one));
    this.#dates = this.#dates.filter((one) => !isTheirs(one));
    return luggage;
  }

  arrive(luggage: StatesLuggage, who: OracleUser, likeHere: (version: Version) => Version): void {
    const { coverage, clock } = this.#host;
    const here = <T extends { readonly version: Version }>(all: readonly T[]) =>
      all
        .map((one) => ({ ...one, version: likeHere(one.version), who }))
        .filter(({ version }) => !version.isDropped);
    for (const theirs of here(luggage.ordered)) {
      const mine = this.#ordered.find(
        (one) => isOf(one, theirs.version, who) && one.matched === theirs.matched,
      );
      this.#ordered = this.#ordered.filter((one) => one !== mine);
      if (mine !== undefined) coverage.met('events of two ids in one order');
      this.#ordered.push(
        mine === undefined ? theirs : joinInOrder(mine, theirs, modelOf(theirs.version)),
      );
    }
    for (const theirs of here(luggage.silences)) {
      const mine = this.#silences.find((one) => isOf(one, theirs.version, who));
      const [a, b] = [mine?.event.eventAtMs ?? -Infinity, theirs.event.eventAtMs];
      if (mine !== undefined && (a > b || (a === b && !theirs.isTold))) continue;
      this.#silences = this.#silences.filter((one) => one !== mine);
      this.#silences.push({ ...theirs, dueAtMs: Math.max(theirs.dueAtMs, clock.nowMs) });
    }
    for (const theirs of here(luggage.dates)) {
      const mine = this.#dates.find((one) => isOf(one, theirs.version, who));
      if (mine !== undefined && mine.saidAtMs >= theirs.saidAtMs) continue;
      this.#dates = this.#dates.filter((one) => one !== mine);
      this.#dates.push({ ...theirs, dueAtMs: Math.max(theirs.dueAtMs, clock.nowMs) });
    }
  }
}

function isNamed(config: EventConfig, event: OracleEvent): boolean {
  return nameOf(config.event) === nameOf(event.name) && matches(config, event);
}

function isOf(
  one: { readonly version: Version; readonly who: OracleUser },
  version: Version,
  who: OracleUser,
): boolean {
  return one.version === version && userKey(one.who) === userKey(who);
}

function modelOf({ rule }: Version): OrderModel<unknown> {
  if ('sequence' in rule) return sequenceModel(rule.sequence) as OrderModel<unknown>;
  if ('count' in rule) return countModel(rule.count) as OrderModel<unknown>;
  throw new Error('this rule counts no events');
}

export function meetingOf(event: OracleEvent, matched: string): Meeting {
  const { user, isAnonymous, eventAtMs, facts } = event;
  return { who: { user, isAnonymous }, id: String(facts.id), eventAtMs, matched, facts };
}

function timerOf(one: Silence | Awaited, fire: () => void): OracleTimer {
  const { who, version, dueAtMs } = one;
  return { who, dueAtMs, campaign: version.campaign, rank: [1, version.number], fire };
}
