/**
 * The gates in the order of SPEC 3, and what they remember: who waits, what was sent or reserved,
 * and the clocks of goals.
 */
import type { DeliveryOutcome } from '../../engine/envelope/outcomes.ts';
import type { Coverage, Feature } from './coverage.ts';
import { isInGroup } from './oracle-control.ts';
import { holds, matches, nameOf, userKey, valueText } from './oracle-filters.ts';
import { profileOf } from './oracle-profile.ts';
import type {
  Attribute,
  Meeting,
  OracleClock,
  OracleEvent,
  OracleReport,
  OracleTimer,
  OracleUser,
  Owed,
} from './oracle-records.ts';
import { OracleSends, type SendsLuggage, sendsKey, takeOf } from './oracle-sends.ts';
import { quietUntil } from './oracle-zones.ts';
import type { AudiencePlan, CampaignPlan, DefinitionsPlan } from './workload.ts';

export type Life = 'draft' | 'running' | 'paused' | 'stopped' | 'archived' | 'completed';

const GATES = [
  'running',
  'audience',
  'control',
  'repeat',
  'delay',
  'quiet',
  'still',
  'done',
  'recheck',
  'global',
] as const;
/** Users of a control group use up nothing. */
const NOT_OF_CONTROL: readonly string[] = ['control', 'repeat', 'global'];

export interface Waiting {
  readonly campaign: string;
  who: OracleUser;
  readonly meeting: Meeting;
  readonly deliveryKey: string;
  readonly qualifiedAtMs: number;
  dueAtMs: number;
  gate: number;
  isControl: boolean;
  isDone: boolean;
  /** Infinity: until the campaign goes on. */
  untilMs: number;
}

interface Clock {
  readonly startAtMs: number;
  readonly group: 'target' | 'control';
  readonly hasConverted: boolean;
}

export interface GatesLuggage {
  readonly waiting: readonly Waiting[];
  readonly sends: SendsLuggage;
  readonly clocks: ReadonlyMap<string, Clock>;
}

export interface GatesHost {
  readonly clock: OracleClock;
  readonly coverage: Coverage;
  readonly owed: Owed[];
  readonly reports: OracleReport[];
  plan(): DefinitionsPlan;
  campaignOf(id: string): CampaignPlan | undefined;
  lifeOf(id: string): Life | undefined;
  zoneOf(who: OracleUser): string;
  profileOf(who: OracleUser): ReadonlyMap<string, Attribute>;
  endMsOf(campaign: CampaignPlan): number;
  /** The id that the log knows a delivery by. */
  deliveryIdOf(campaign: string, who: OracleUser, meeting: Meeting): string;
}

export class OracleGates {
  readonly #host: GatesHost;
  #waiting: Waiting[] = [];
  readonly #sends: OracleSends;
  readonly #clocks = new Map<string, Clock>();

  constructor(host: GatesHost) {
    this.#host = host;
    this.#sends = new OracleSends(host);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  start(campaign: string, meeting: Meeting, atMs: number): void {
    const { who } = meeting;
    this.#report(campaign, who, 'qualified', atMs);
    this.#go(
      {
        campaign,
        who,
        meeting,
        deliveryKey: this.#host.deliveryIdOf(campaign, who, meeting),
        qualifiedAtMs: atMs,
        dueAtMs: atMs,
        gate: 0,
        isControl: false,
        isDone: false,
        untilMs: Infinity,
      },
      atMs,
    );
  }

  timers(): OracleTimer[] {
    return this.#waiting.map((one) => ({
      who: one.who,
      dueAtMs: one.untilMs,
      campaign: one.campaign,
      rank: [2, one.qualifiedAtMs, one.meeting.eventAtMs, idRank(one.deliveryKey)],
      fire: () => this.#wake(one, Math.max(one.untilMs, this.#host.clock.timeMs)),
    }));
  }

  resume(campaign: string): void {
    for (const one of this.#of(campaign)) {
      if (one.untilMs === Infinity) this.#wake(one, this.#host.clock.nowMs);
    }
  }

  cancel(campaign: string): void {
    for (const one of this.#of(campaign)) this.#cancelOne(one);
  }

  #cancelOne(one: Waiting): void {
    this.#waiting = this.#waiting.filter((other) => other !== one);
    this.#host.coverage.met('waiting one given up at a stop');
    this.#suppress(one, 'not-running');
  }

  /** In order of user and of qualification. */
  #of(campaign: string): Waiting[] {
    return this.#waiting
      .filter((one) => one.campaign === campaign)
      .sort(
        (a, b) =>
          (a.who.user < b.who.user ? -1 : Number(a.who.user > b.who.user)) ||
          Number(a.who.isAnonymous) - Number(b.who.isAnonymous) ||
          a.qualifiedAtMs - b.qualifiedAtMs ||
          a.meeting.eventAtMs - b.meeting.eventAtMs ||
          idRank(a.deliveryKey) - idRank(b.deliveryKey),
      );
  }

  #wake(one: Waiting, atMs: number): void {
    this.#waiting = this.#waiting.filter((other) => other !== one);
    one.dueAtMs = atMs;
    this.#go(one, atMs);
  }

  #go(one: Waiting, atMs: number): void {
    const { coverage, clock } = this.#host;
    for (; one.gate < GATES.length; one.gate++) {
      const gate = GATES[one.gate]!;
      if (one.isControl && NOT_OF_CONTROL.includes(gate)) continue;
      const answer = this.#ask(gate, one);
      if (answer === undefined) continue;
      if (typeof answer === 'string') {
        coverage.met(`gate: ${answer}` as Feature);
        this.#suppress(one, answer);
        const hasGoal = this.#campaign(one).gates.goal !== undefined;
        if (gate !== 'control' || !hasGoal) return;
        one.isControl = true;
      } else if (answer > atMs) {
        this.#wait(one, gate, answer, atMs);
        return;
      }
    }
    if (one.isControl) this.#startClock(one.campaign, one.who, 'control', one.dueAtMs);
    else this.#owe(one);
    if (one.dueAtMs > one.qualifiedAtMs) coverage.met('waited and was let go');
    if (clock.nowMs < one.dueAtMs) throw new Error('let go before its time');
  }

  #wait(one: Waiting, gate: (typeof GATES)[number], untilMs: number, atMs: number): void {
    const isHeld = untilMs === Infinity;
    if (!isHeld) one.gate++;
    this.#host.coverage.met(
      isHeld ? 'held by a pause' : gate === 'delay' ? 'deferred by delay' : 'deferred by quiet',
    );
    one.untilMs = untilMs;
    // One message under two ids of one user is one.
    this.#waiting = this.#waiting.filter(
      ({ deliveryKey, who }) =>
        deliveryKey !== one.deliveryKey || userKey(who) !== userKey(one.who),
    );
    this.#waiting.push(one);
    if (one.isControl || isHeld) return;
    const reason = gate === 'quiet' ? 'quiet-hours' : gate;
    this.#report(one.campaign, one.who, `deferred ${reason} ${untilMs}`, atMs);
  }

  #ask(gate: (typeof GATES)[number], one: Waiting): string | number | undefined {
    const { nowMs } = this.#host.clock;
    const campaign = this.#campaign(one);
    const { gates } = campaign;
    const life = this.#host.lifeOf(one.campaign);
    const endMs = this.#host.endMsOf(campaign);
    switch (gate) {
      case 'running':
        if (nowMs > endMs) return 'not-running';
        if (life === 'paused') return Infinity;
        return life === 'running' ? undefined : 'not-running';
      case 'audience':
        return this.#isWanted(gates.who, one.who) ? undefined : 'audience';
      case 'control':
        return this.#isControl(campaign, one.who.user) ? 'control-group' : undefined;
      case 'repeat':
        return this.#sends.askRepeat(campaign, one);
      case 'delay':
        return gates.delayMs === undefined ? undefined : one.qualifiedAtMs + gates.delayMs;
      case 'quiet':
        return this.#askQuiet(campaign, one.who);
      case 'still':
        if (life === 'paused') return Infinity;
        return life === 'running' ? undefined : 'not-running';
      case 'done':
        return one.isDone && gates.suppressIfDone !== false ? 'done-before-send' : undefined;
      case 'recheck':
        if (gates.who?.recheck === true && !this.#isWanted(gates.who, one.who)) return 'audience';
        return nowMs > endMs ? 'campaign-ended' : undefined;
      case 'global':
        return this.#sends.askGlobal(campaign, one);
    }
  }

  #isWanted(audience: AudiencePlan | undefined, who: OracleUser): boolean {
    if (audience === undefined) return true;
    const profile = Object.fromEntries(
      [...this.#host.profileOf(who)]
        .filter(([, { value }]) => value !== null)
        .map(([name, { value }]) => [name, value]),
    );
    const { where, include, exclude } = audience;
    const segment = (id: string) =>
      this.#host.plan().segments.find((one) => one.id === id)!.audience;
    return (
      (where === undefined || holds(where, profile)) &&
      include.every((id) => this.#isWanted(segment(id), who)) &&
      !exclude.some((id) => this.#isWanted(segment(id), who))
    );
  }

  #isControl({ id, gates }: CampaignPlan, user: string): boolean {
    const { system, custom } = this.#host.plan().settings;
    const { percent = 0, custom: names = [] } = gates.control ?? {};
    return (
      isInGroup('system', user, system) ||
      names.some((name) => isInGroup(`custom:${name}`, user, custom[name]!)) ||
      isInGroup(`campaign:${id}`, user, percent)
    );
  }

  #askQuiet({ gates }: CampaignPlan, who: OracleUser): string | number | undefined {
    if (gates.quietHours === undefined) return undefined;
    const { windows, timezone, isDiscarding } = gates.quietHours;
    const account = this.#host.plan().settings.timezone;
    const named = timezone === 'account' ? account : timezone;
    const zone = named === 'user' ? this.#host.zoneOf(who) : named;
    const untilMs = quietUntil(this.#host.clock.nowMs, windows, zone);
    return untilMs !== undefined && isDiscarding ? 'quiet-hours' : untilMs;
  }

  #owe(one: Waiting): void {
    const campaign = this.#campaign(one);
    const { user, isAnonymous } = one.who;
    const { eventAtMs, facts, matched } = one.meeting;
    const event = { user, isAnonymous, eventAtMs, facts, matched };
    this.#host.owed.push({
      campaign: one.campaign,
      webhook: campaign.webhook,
      user,
      isAnonymous,
      atMs: one.qualifiedAtMs,
      dueAtMs: one.dueAtMs,
      expiresAtMs: one.dueAtMs + campaign.ttlMs,
      profile: profileOf(campaign, event, this.#host.profileOf(one.who)),
      occurrence: one.meeting.id,
    });
  }

  #suppress(one: Waiting, reason: string): void {
    if (one.isControl) return;
    this.#sends.giveBack(one);
    const { nowMs } = this.#host.clock;
    this.#report(one.campaign, one.who, `suppressed ${reason}`, nowMs);
  }

  /** What became of a delivery, as the log says. */
  outcome(outcome: DeliveryOutcome): void {
    const { campaignId, userId, isAnonymous, kind, atMs } = outcome;
    const who = { user: userId, isAnonymous };
    const campaign = this.#host.campaignOf(campaignId);
    const isGone = this.#host.lifeOf(campaignId) === undefined;
    this.#sends.outcome(outcome, isGone);
    if (kind !== 'sent' || isGone || campaign?.gates.goal === undefined) return;
    this.#startClock(campaignId, who, 'target', atMs);
  }

  #startClock(campaign: string, who: OracleUser, group: Clock['group'], startAtMs: number): void {
    const key = sendsKey(who, campaign);
    if (this.#clocks.has(key)) return;
    this.#clocks.set(key, { startAtMs, group, hasConverted: false });
  }

  /** An event that would have been asked for, or is a goal's. */
  hear(campaign: CampaignPlan, event: OracleEvent): void {
    const { rule, gates, id } = campaign;
    const isEvent = (config: { event: string }) => nameOf(config.event) === nameOf(event.name);
    const isGoal =
      gates.goal !== undefined && isEvent(gates.goal.on) && matches(gates.goal.on, event);
    const withouts = 'inaction' in rule ? rule.inaction.without : [];
    const isWithout = withouts.some((one) => isEvent(one) && matches(one, event));
    const path = 'inaction' in rule ? rule.inaction.match?.without : undefined;
    const tie = path === undefined ? undefined : (valueText(event.facts, path) ?? '');
    for (const one of this.#waiting) {
      if (one.campaign !== id || userKey(one.who) !== userKey(event)) continue;
      if (gates.suppressIfDone === false || event.eventAtMs <= one.meeting.eventAtMs) continue;
      const isTied = tie === undefined || tie === one.meeting.matched;
      if (isGoal || (isWithout && isTied)) one.isDone = true;
    }
    const key = sendsKey(event, id);
    const clock = this.#clocks.get(key);
    if (!isGoal || clock === undefined || clock.hasConverted) return;
    const { startAtMs, group } = clock;
    const { withinMs, revenue } = gates.goal!;
    if (event.eventAtMs <= startAtMs || event.eventAtMs > startAtMs + withinMs) return;
    this.#clocks.set(key, { ...clock, hasConverted: true });
    this.#host.coverage.met(`converted in the ${group} group`);
    const amount = revenue === undefined ? undefined : event.facts[revenue];
    const text = `converted ${group} ${typeof amount === 'number' ? amount : undefined}`;
    this.#report(id, event, text, this.#host.clock.nowMs);
  }

  leave(who: OracleUser): GatesLuggage {
    const waiting = this.#waiting.filter((one) => userKey(one.who) === userKey(who));
    this.#waiting = this.#waiting.filter((one) => !waiting.includes(one));
    return { waiting, sends: this.#sends.leave(who), clocks: takeOf(this.#clocks, who) };
  }

  arrive({ waiting, sends, clocks }: GatesLuggage, who: OracleUser): void {
    const { coverage, clock } = this.#host;
    const isHere = (campaign: string) =>
      campaign === '' || this.#host.lifeOf(campaign) !== undefined;
    this.#sends.arrive(sends, who);
    for (const [campaign, theirs] of clocks) {
      if (!isHere(campaign)) continue;
      const key = sendsKey(who, campaign);
      const mine = this.#clocks.get(key);
      const first = mine !== undefined && mine.startAtMs <= theirs.startAtMs ? mine : theirs;
      const hasConverted = theirs.hasConverted || mine?.hasConverted === true;
      this.#clocks.set(key, { ...first, hasConverted });
    }
    for (const one of waiting) {
      const moved = { ...one, who, untilMs: Math.max(one.untilMs, clock.nowMs) };
      coverage.met('waiting one moved');
      const life = this.#host.lifeOf(one.campaign);
      if (
        this.#waiting.some(
          ({ deliveryKey, who: of }) =>
            deliveryKey === one.deliveryKey && userKey(of) === userKey(who),
        )
      )
        continue;
      this.#waiting.push(moved);
      if (life !== 'running' && life !== 'paused' && life !== 'completed') this.#cancelOne(moved);
      else if (moved.untilMs === Infinity && life !== 'paused') this.#wake(moved, clock.nowMs);
    }
  }

  #campaign({ campaign }: Waiting): CampaignPlan {
    return this.#host.campaignOf(campaign)!;
  }

  #report(campaign: string, who: OracleUser, text: string, atMs: number): void {
    this.#host.reports.push({ atMs, text: `${atMs} ${who.user} ${campaign} ${text}` });
  }
}

/** Ids are in the order of their characters. */
function idRank(id: string): number {
  let rank = 0;
  for (const char of id.slice(4, 14))
    rank = rank * 32 + '234567abcdefghijklmnopqrstuvwxyz'.indexOf(char);
  return rank;
}
