import { compileFilter, type FilterContext } from '../filters/compile.ts';
import type { Filter } from '../filters/filter.ts';
import { filterKey } from '../filters/filter-key.ts';
import { Predicate } from './predicate.ts';

interface Shared {
  readonly predicate: Predicate;
  users: number;
}

interface Compiled {
  readonly key: string;
  readonly evaluate: (context: FilterContext) => boolean;
}

/** By object: the partitions of a thread share what one of them has read and compiled. */
const known = new WeakMap<Filter, Compiled>();

/** Compiled filters by their canonical text: equal ones are one, whoever uses them. */
export class Predicates {
  readonly #shared = new Map<string, Shared>();

  get size(): number {
    return this.#shared.size;
  }

  take(filter: Filter): Predicate {
    const { key, evaluate } = compiled(filter);
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      shared = { predicate: new Predicate(evaluate), users: 0 };
      this.#shared.set(key, shared);
    }
    shared.users++;
    return shared.predicate;
  }

  give(filter: Filter): void {
    const { key } = compiled(filter);
    const shared = this.#shared.get(key);
    if (shared === undefined) return;
    if (--shared.users === 0) this.#shared.delete(key);
  }
}

function compiled(filter: Filter): Compiled {
  let one = known.get(filter);
  if (one === undefined) {
    one = { key: filterKey(filter), evaluate: compileFilter(filter) };
    known.set(filter, one);
  }
  return one;
}
