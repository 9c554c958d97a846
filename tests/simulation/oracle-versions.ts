/** The campaigns' rules as the oracle knows them, the newest and those before. */
import type { Version } from './oracle-records.ts';
import { START_MS } from './wire.ts';
import type { CampaignPlan } from './workload.ts';

export class OracleVersions {
  readonly #all: Version[] = [];
  #count = 0;

  get all(): readonly Version[] {
    return this.#all;
  }

  /**
   * @param campaigns that are running or paused
   * @returns the versions that are new
   */
  define(
    campaigns: readonly CampaignPlan[],
    { isOver, atMs }: { readonly isOver: (campaign: string) => boolean; readonly atMs: number },
  ): Version[] {
    const made: Version[] = [];
    for (const { id, rule, gates } of campaigns) {
      const current = this.#all.find(({ isRetired, campaign }) => !isRetired && campaign === id);
      if (current !== undefined && isSame(current.rule, rule)) continue;
      if (current !== undefined && gates.onOpenWindows === 'drop') this.drop(id);
      else if (current !== undefined) current.isRetired = true;
      const startMs = START_MS + (gates.schedule?.startMs ?? -Infinity);
      made.push({
        campaign: id,
        rule,
        publishedAtMs: Math.max(atMs, startMs),
        isRetired: false,
        isDropped: false,
        number: this.#count++,
      });
    }
    this.#all.push(...made);
    for (const { campaign } of this.#all) if (isOver(campaign)) this.drop(campaign);
    return made;
  }

  /** What is open of a campaign comes to nothing. */
  drop(campaign: string): void {
    for (const version of this.#all) {
      if (version.campaign !== campaign) continue;
      version.isRetired = true;
      version.isDropped = true;
    }
  }

  /** The version that another partition means; one that is not known here is a retired one. */
  like(other: Version): Version {
    const known = this.#all.find(
      ({ campaign, rule, publishedAtMs }) =>
        campaign === other.campaign &&
        publishedAtMs === other.publishedAtMs &&
        isSame(rule, other.rule),
    );
    if (known !== undefined) return known;
    const version = { ...other, isRetired: true, number: this.#count++ };
    this.#all.push(version);
    return version;
  }
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
