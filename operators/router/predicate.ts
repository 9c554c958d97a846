import type { FilterContext } from '../filters/compile.ts';

/** A filter shared by every rule that has an equal one: evaluated at most once an event. */
export class Predicate {
  readonly #evaluate: (context: FilterContext) => boolean;
  #serial = -1;
  #result = false;

  constructor(evaluate: (context: FilterContext) => boolean) {
    this.#evaluate = evaluate;
  }

  /** @param serial a number of the event, never the same for two in a row */
  holds(context: FilterContext, serial: number): boolean {
    if (this.#serial !== serial) {
      this.#serial = serial;
      this.#result = this.#evaluate(context);
    }
    return this.#result;
  }
}
