/** The campaigns' rules as the oracle knows them, the newest and those before. */
import type { Version } from './oracle-records.ts';
import type { DefinitionsPlan } from './workload.ts';

export class OracleVersions {
  readonly #all: Version[] = [];
  #count = 0;

  get all(): readonly Version[] {
    return this.#all;
  }

  define(plan: DefinitionsPlan, atMs: number): void {
    const current = plan.campaigns
      .filter(({ state }) => state === 'running')
      .map(({ id, rule }) => {
        const known = this.#all.find(
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
        this.#all.push(version);
        return version;
      });
    for (const version of this.#all) {
      if (current.includes(version)) continue;
      version.isRetired = true;
      const campaign = plan.campaigns.find(({ id }) => id === version.campaign);
      if (campaign?.state !== 'running') version.isDropped = true;
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
