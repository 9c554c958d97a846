import { noRepairs, type Repairs } from '../events/repairs.ts';
import type { DoorName } from './rejected.ts';

/** What came in by a door, for metrics. What was refused is counted by the rejected store. */
export class DoorCounters {
  readonly #accepted = new Map<DoorName, number>();
  readonly #turnedAway = new Map<string, number>();
  readonly #repairs = new Map<DoorName, Repairs>();

  accepted(door: DoorName, count: number): void {
    this.#accepted.set(door, (this.#accepted.get(door) ?? 0) + count);
  }

  /** A whole request that was refused: the code says why. */
  turnedAway(code: string): void {
    this.#turnedAway.set(code, (this.#turnedAway.get(code) ?? 0) + 1);
  }

  /** One and the same for a door, which adds to it. */
  repairsOf(door: DoorName): Repairs {
    const repairs = this.#repairs.get(door) ?? noRepairs();
    this.#repairs.set(door, repairs);
    return repairs;
  }

  acceptedBy(door: DoorName): number {
    return this.#accepted.get(door) ?? 0;
  }

  /** Requests refused as a whole, by code. */
  get turnedAwayByCode(): ReadonlyMap<string, number> {
    return this.#turnedAway;
  }
}
