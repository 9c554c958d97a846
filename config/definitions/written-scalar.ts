/**
 * Numbers and booleans of a file, beside how they are written. YAML makes 50 of `0050` and 1.1 of
 * `1.10`; whether the one or the other is meant depends on where it is (`scalar-places.ts`).
 */
import { exactNumber, wholeNumber, wholeNumberIn } from '../../engine/json/whole-numbers.ts';

/** Between the reader of YAML and the copy that is checked; nothing else ever holds one. */
export class WrittenScalar {
  readonly value: number | bigint | boolean | string;
  readonly text: string;

  constructor(value: number | boolean, text: string) {
    this.value = typeof value === 'number' ? exactOf(value, text) : value;
    this.text = text;
  }

  /** False when the value cannot be told from one that is written otherwise: `0050` and `50`. */
  get isCanonical(): boolean {
    return typeof this.value === 'boolean' || String(this.value) === this.text;
  }
}

/** Digits that are read as a number; more of them take a time that grows with the square. */
const DIGITS_MAX = 100;

/** @param number what YAML makes of the text: a double */
function exactOf(number: number, text: string): number | bigint | string {
  if (Number.isSafeInteger(number)) return number;
  if (/^0[ox]/.test(text)) return text.length <= DIGITS_MAX ? wholeNumber(BigInt(text)) : text;
  const token = text.replace(/^\+/, '').replace(/^(-?)0+(?=\d)/, '$1');
  return wholeNumberIn(token) ?? exactNumber(number);
}
