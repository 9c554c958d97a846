/**
 * A text that is the same for equal lists of names only. Names may hold anything, also what joins
 * them: a list in which they do is written out at length.
 */
export function shapeSignature(names: readonly string[]): string {
  const joined = names.join('\u0000');
  let parts = 1;
  for (let at = joined.indexOf('\u0000'); at !== -1; at = joined.indexOf('\u0000', at + 1)) parts++;
  const isPlain = parts === names.length && joined.charCodeAt(0) !== 0;
  return isPlain ? joined : `\u0000${JSON.stringify(names)}`;
}

const SHAPES_MAX = 60_000;
/**
 * Characters of all their names. Senders who put what should be a value into a name have as many
 * shapes as events: without a bound their names would fill the memory.
 */
const SHAPE_CHARS_MAX = 2 ** 20;

/**
 * The lists of property names that a partition has met, so that kept properties hold a number
 * instead of their names. Grows with the variety of events, not with their count, up to a bound.
 */
export class Shapes {
  #names: (readonly string[])[] = [];
  readonly #index = new Map<string, number>();
  #chars = 0;

  get count(): number {
    return this.#names.length;
  }

  /** The number of a list of names, -1 when there are too many different ones already. */
  numberOf(names: readonly string[]): number {
    const signature = shapeSignature(names);
    const known = this.#index.get(signature);
    if (known !== undefined) return known;
    const isFull = this.#names.length >= SHAPES_MAX || this.#chars >= SHAPE_CHARS_MAX;
    return isFull ? -1 : this.#add(signature, names);
  }

  #add(signature: string, names: readonly string[]): number {
    this.#chars += signature.length;
    const number = this.#names.push([...names]) - 1;
    this.#index.set(signature, number);
    return number;
  }

  namesOf(number: number): readonly string[] {
    return this.#names[number]!;
  }

  freeze(): readonly (readonly string[])[] {
    return this.#names.slice();
  }

  restore(names: readonly (readonly string[])[]): void {
    this.#names = [];
    this.#index.clear();
    this.#chars = 0;
    // All of them, whatever the bound is now: windows hold their numbers.
    for (const list of names) this.#add(shapeSignature(list), list);
  }
}
