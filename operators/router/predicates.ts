import { compileFilter } from '../filters/compile.ts';
import type { Filter } from '../filters/filter.ts';
import { filterKey } from '../filters/filter-key.ts';
import { Predicate } from './predicate.ts';

interface Shared {
  readonly predicate: Predicate;
  users: number;
}

/** Compiled filters by their canonical text: equal ones are one, whoever uses them. */
export class Predicates {
  readonly #shared = new Map<string, Shared>();

  get size(): number {
    return this.#shared.size;
  }

  take(filter: Filter): Predicate {
    const key = filterKey(filter);
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      shared = { predicate: new Predicate(compileFilter(filter)), users: 0 };
      this.#shared.set(key, shared);
    }
    shared.users++;
    return shared.predicate;
  }

  give(filter: Filter): void {
    const key = filterKey(filter);
    const shared = this.#shared.get(key);
    if (shared === undefined) return;
    if (--shared.users === 0) this.#shared.delete(key);
  }
}
