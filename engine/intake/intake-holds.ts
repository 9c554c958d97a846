/** Something that was received at `atMs` and is not added yet: the lane's time does not pass it. */
export interface Hold {
  readonly atMs: number;
}

/** Holds whose times do not go back. */
interface Row {
  readonly holds: Set<Hold>;
  newestMs: number;
}

/**
 * What of a lane has been received and is not added yet. Mostly the times of it go up; but what a
 * door reads again, after an append that failed, comes behind what has been held since then.
 */
export class IntakeHolds {
  /** One row by time, and one more for each time that times have gone back. */
  readonly #rows: Row[] = [];
  /** The lowest time of all; Infinity without any. */
  limitMs = Infinity;

  add(atMs: number): Hold {
    const hold = { atMs };
    let row = this.#rows.find(({ newestMs }) => newestMs <= atMs);
    if (row === undefined) {
      row = { holds: new Set(), newestMs: atMs };
      this.#rows.push(row);
    }
    row.holds.add(hold);
    row.newestMs = atMs;
    this.#limit();
    return hold;
  }

  release(hold: Hold): void {
    const at = this.#rows.findIndex(({ holds }) => holds.delete(hold));
    if (this.#rows[at]?.holds.size === 0) this.#rows.splice(at, 1);
    this.#limit();
  }

  #limit(): void {
    let limitMs = Infinity;
    for (const { holds } of this.#rows) {
      const [oldest] = holds;
      if (oldest !== undefined && oldest.atMs < limitMs) limitMs = oldest.atMs;
    }
    this.limitMs = limitMs;
  }
}
