import { LapseError } from '../engine/errors/errors.ts';

/** Stored bytes that are not what was written, or were written by something else. */
export function corrupt(what: string, problem: string): LapseError {
  return new LapseError('ERR_ENVELOPE_CORRUPT', `${what} must be whole, it is not: ${problem}.`);
}

/**
 * Reads the fields of a stored list one after the other. A checksum says that bytes are as they
 * were written, not that they were right: a field of another kind is refused here, by its place,
 * and not met later by code that trusts its types.
 */
export class StoredRow {
  readonly #what: string;
  readonly #fields: readonly unknown[];
  #at = 0;

  /**
   * @param what names it in an error
   * @throws LapseError `ERR_ENVELOPE_CORRUPT`, as does every method
   */
  constructor(what: string, value: unknown) {
    this.#what = what;
    if (!Array.isArray(value)) throw corrupt(what, 'it is no list');
    this.#fields = value;
  }

  text(): string {
    const value = this.any();
    return typeof value === 'string' ? value : this.#refuse('a text');
  }

  number(): number {
    const value = this.any();
    return typeof value === 'number' && !Number.isNaN(value) ? value : this.#refuse('a number');
  }

  /** An offset, an index, a count. */
  whole(): number {
    const value = this.any();
    return isWhole(value) ? value : this.#refuse('a whole number');
  }

  flag(): boolean {
    const value = this.any();
    return typeof value === 'boolean' ? value : this.#refuse('true or false');
  }

  list(): readonly unknown[] {
    const value = this.any();
    return Array.isArray(value) ? (value as unknown[]) : this.#refuse('a list');
  }

  texts(): string[] {
    const values = this.list();
    if (!values.every((one) => typeof one === 'string')) this.#refuse('a list of texts');
    return values as string[];
  }

  numbers(): number[] {
    const values = this.list();
    const isGood = values.every((one) => typeof one === 'number' && !Number.isNaN(one));
    return isGood ? (values as number[]) : this.#refuse('a list of numbers');
  }

  wholes(): number[] {
    const values = this.list();
    return values.every(isWhole) ? (values as number[]) : this.#refuse('a list of whole numbers');
  }

  /** A list of whole numbers that older versions did not write; undefined without it. */
  columnIfAny(): number[] | undefined {
    const value = this.any();
    if (value === undefined || value === null) return undefined;
    const isColumn = Array.isArray(value) && value.every(isWhole);
    return isColumn ? (value as number[]) : this.#refuse('a list of whole numbers');
  }

  /** A list of rows. */
  rows(): StoredRow[] {
    return this.list().map((one) => new StoredRow(this.#what, one));
  }

  any(): unknown {
    return this.#fields[this.#at++];
  }

  #refuse(wanted: string): never {
    throw corrupt(this.#what, `its field ${this.#at - 1} is not ${wanted}`);
  }
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
