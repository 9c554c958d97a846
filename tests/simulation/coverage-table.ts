import { type Coverage, FEATURES, type Feature } from './coverage.ts';

const SEEDS_OF_A_FLOOR = 1_000;
/** Of fewer seeds chance alone may leave one out. */
const SEEDS_MIN = 1_000;

/** What many runs have met: how often in all, and in how many of them. */
export class CoverageTable {
  #seeds = 0;
  readonly #times = new Map<Feature, number>();
  readonly #runs = new Map<Feature, number>();

  add(counts: Coverage['counts']): void {
    this.#seeds++;
    for (const [feature, times] of Object.entries(counts) as [Feature, number][]) {
      this.#times.set(feature, (this.#times.get(feature) ?? 0) + times);
      this.#runs.set(feature, (this.#runs.get(feature) ?? 0) + 1);
    }
  }

  /** As Markdown: docs/testing/simulation.md holds one. */
  lines(): string[] {
    return Object.entries(FEATURES).flatMap(([group, features]) => [
      '',
      `| ${group[0]!.toUpperCase()}${group.slice(1)} | Times | Seeds with it | At least |`,
      '|---|---|---|---|',
      ...(Object.keys(features) as Feature[]).map((feature) => {
        const [times, runs] = [this.#times.get(feature) ?? 0, this.#runs.get(feature) ?? 0];
        return `| ${feature} | ${times} | ${runs} | ${this.#floorOf(feature)} |`;
      }),
    ]);
  }

  /** What was met too rarely, as sentences. */
  problems(): string[] {
    if (this.#seeds < SEEDS_MIN) return [];
    return floors()
      .filter(([feature]) => (this.#runs.get(feature) ?? 0) < this.#floorOf(feature))
      .map(([feature]) => {
        const runs = this.#runs.get(feature) ?? 0;
        return `'${feature}' in ${runs} seeds, it must be in ${this.#floorOf(feature)} or more`;
      });
  }

  #floorOf(feature: Feature): number {
    const [, floor] = floors().find(([name]) => name === feature)!;
    return Math.floor((floor * this.#seeds) / SEEDS_OF_A_FLOOR);
  }
}

function floors(): [Feature, number][] {
  return Object.values(FEATURES).flatMap(
    (features) => Object.entries(features) as [Feature, number][],
  );
}
