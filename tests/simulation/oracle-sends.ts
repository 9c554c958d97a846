/** What was sent to a user or is reserved, by hand: repeat and global limits (SPEC 3, gates 4 and 9). */
import type { DeliveryOutcome } from '../../engine/envelope/outcomes.ts';
import { userKey } from './oracle-filters.ts';
import type { GatesHost, Waiting } from './oracle-gates.ts';
import type { OracleUser } from './oracle-records.ts';
import type { CampaignPlan } from './workload.ts';

interface Send {
  readonly deliveryKey: string;
  readonly atMs: number;
  readonly isSent: boolean;
}

/** By campaign; of all campaigns under ''. */
export type SendsLuggage = ReadonlyMap<string, readonly Send[]>;

export class OracleSends {
  readonly #host: GatesHost;
  readonly #all = new Map<string, readonly Send[]>();

  constructor(host: GatesHost) {
    this.#host = host;
  }

  askRepeat({ id, gates }: CampaignPlan, one: Waiting): string | undefined {
    const { repeat } = gates;
    if (repeat === undefined) return undefined;
    const { nowMs } = this.#host.clock;
    const forMs = typeof repeat === 'object' && 'everyMs' in repeat ? repeat.everyMs : Infinity;
    const atMost = typeof repeat === 'object' && 'atMost' in repeat ? repeat.atMost : 1;
    const key = sendsKey(one.who, id);
    const counted = (this.#all.get(key) ?? []).filter(
      ({ isSent, atMs }) => !isSent || nowMs - atMs < forMs,
    );
    if (counted.length >= atMost) return 'repeat-limit';
    const reserved = { deliveryKey: one.deliveryKey, atMs: nowMs, isSent: false };
    this.#all.set(key, [...counted, reserved]);
    return undefined;
  }

  askGlobal({ gates }: CampaignPlan, one: Waiting): string | undefined {
    const { globalLimits } = this.#host.plan().settings;
    if (globalLimits.length === 0) return undefined;
    const { nowMs } = this.#host.clock;
    const key = sendsKey(one.who, '');
    const sends = this.#all.get(key) ?? [];
    const isHeld = globalLimits.some((limit) => {
      const [lengthMs, atMost] = 'gapMs' in limit ? [limit.gapMs, 1] : [limit.perMs, limit.atMost];
      return (
        sends.filter(({ isSent, atMs }) => !isSent || nowMs - atMs < lengthMs).length >= atMost
      );
    });
    if (isHeld && gates.globalLimits !== false) return 'global-limit';
    this.#all.set(key, [...sends, { deliveryKey: one.deliveryKey, atMs: nowMs, isSent: false }]);
    return undefined;
  }

  giveBack({ who, campaign, deliveryKey }: Waiting): void {
    for (const key of [sendsKey(who, campaign), sendsKey(who, '')]) {
      this.#giveBack(key, deliveryKey);
    }
  }

  #giveBack(key: string, deliveryKey: string): void {
    const sends = this.#all.get(key) ?? [];
    this.#all.set(
      key,
      sends.filter((one) => one.deliveryKey !== deliveryKey || one.isSent),
    );
  }

  /** @param isGone its campaign is: what counts over all campaigns still counts */
  outcome(outcome: DeliveryOutcome, isGone: boolean): void {
    const { deliveryId, campaignId, userId: user, isAnonymous, kind, atMs } = outcome;
    const who = { user, isAnonymous };
    for (const key of [...(isGone ? [] : [sendsKey(who, campaignId)]), sendsKey(who, '')]) {
      if (kind !== 'sent') this.#giveBack(key, deliveryId);
      else {
        const sends = (this.#all.get(key) ?? []).map((one) =>
          one.deliveryKey === deliveryId ? { ...one, atMs, isSent: true } : one,
        );
        this.#all.set(key, sends);
      }
    }
  }

  leave(who: OracleUser): SendsLuggage {
    return takeOf(this.#all, who);
  }

  arrive(luggage: SendsLuggage, who: OracleUser): void {
    for (const [campaign, theirs] of luggage) {
      if (campaign !== '' && this.#host.lifeOf(campaign) === undefined) continue;
      const key = sendsKey(who, campaign);
      const mine = this.#all.get(key) ?? [];
      if (theirs.length > 0 && mine.length > 0) {
        this.#host.coverage.met('sends of two ids counted together');
      }
      const all = new Map(theirs.map((one) => [one.deliveryKey, one]));
      for (const one of mine) {
        if (all.get(one.deliveryKey)?.isSent !== true) all.set(one.deliveryKey, one);
      }
      this.#all.set(key, [...all.values()]);
    }
  }
}

export function sendsKey(who: OracleUser, campaign: string): string {
  return `${campaign}\n${userKey(who)}`;
}

export function takeOf<T>(all: Map<string, T>, who: OracleUser): Map<string, T> {
  const taken = new Map<string, T>();
  for (const [key, one] of [...all]) {
    const [campaign, user] = key.split('\n') as [string, string];
    if (user !== userKey(who)) continue;
    taken.set(campaign, one);
    all.delete(key);
  }
  return taken;
}
