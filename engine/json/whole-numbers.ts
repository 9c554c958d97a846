/**
 * Whole numbers as they travel inside: a number where it is exact, a bigint up to 64 bits, and the
 * text of its digits beyond. One value has one form only, so `===`, sets and written texts compare
 * it rightly whichever door it came by.
 */

export const WHOLE_MIN = -(2n ** 63n);
/** Of an unsigned one. */
export const WHOLE_MAX = 2n ** 64n - 1n;
const [DOUBLE_MIN, DOUBLE_END] = [-(2 ** 63), 2 ** 64];

/** The one form of a whole number. */
export function wholeNumber(value: bigint): number | bigint | string {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  return value >= WHOLE_MIN && value <= WHOLE_MAX ? value : String(value);
}

/**
 * The one form of a number that came as a double: a bigint when it is whole and larger than doubles
 * count exactly. Its digits are those that JSON writes for it: of all that the double may stand
 * for, the ones that a sender has most likely meant.
 */
export function exactNumber(number: number): number | bigint {
  if (Number.isSafeInteger(number) || !Number.isInteger(number)) return number;
  if (number < DOUBLE_MIN || number >= DOUBLE_END) return number;
  const written = BigInt(String(number));
  // At the very end the shortest digits may lie beyond it.
  return written >= WHOLE_MIN && written <= WHOLE_MAX ? written : BigInt(number);
}

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
/** Digits of 2^64: what has more of them is larger. */
const DIGITS_MAX = 20;
/** Nobody writes more of them beside a point or an exponent and means a whole number. */
const POINTED_DIGITS_MAX = 100;

/**
 * The value of a number as JSON writes it.
 * @returns undefined for one that is exact as a double, or is no whole number
 */
export function wholeNumberIn(token: string): bigint | string | undefined {
  const parts = NUMBER.exec(token);
  if (parts === null) return undefined;
  const [, sign = '', whole = '', fraction = '', exponent] = parts;
  // Without point and exponent it is meant as a whole number, however large it is.
  const isPlain = fraction === '' && exponent === undefined;
  const digits = isPlain ? whole : shifted(whole, fraction, Number(exponent ?? 0));
  if (digits === undefined) return undefined;
  if (digits.length > DIGITS_MAX) return isPlain ? `${sign}${digits}` : undefined;
  const value = wholeNumber(BigInt(`${sign}${digits}`));
  if (typeof value === 'number') return undefined;
  return isPlain || typeof value === 'bigint' ? value : undefined;
}

/** Digits of a number with a point or an exponent; undefined when it is not whole, or too large. */
function shifted(whole: string, fraction: string, exponent: number): string | undefined {
  if (whole.length + fraction.length > POINTED_DIGITS_MAX) return undefined;
  const digits = `${whole}${fraction}`.replace(/0+$/, '');
  const zeros = whole.length + exponent - digits.length;
  if (zeros < 0 || zeros > POINTED_DIGITS_MAX) return undefined;
  const plain = `${digits}${'0'.repeat(zeros)}`.replace(/^0+(?=\d)/, '');
  return plain.length > DIGITS_MAX ? undefined : plain;
}
