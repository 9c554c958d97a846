/** How single values are read and compared; the one place that coerces (E27). */

/** Whole numbers that a double does not hold are bigints, others never are. */
export type Scalar = string | number | bigint | boolean;

export function isScalar(value: unknown): value is Scalar {
  if (typeof value === 'bigint') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value === 'string' || typeof value === 'boolean';
}

/**
 * One way to read any text: `\d+\.?\d*` would try every split of a long run of digits before it
 * gives up, and properties are up to 32 KB of anybody's choice.
 */
const NUMERIC = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

const WHOLE = /^[+-]?\d+$/;
/** Texts of more digits compare as doubles: reading them takes a time that grows with the square. */
const WHOLE_CHARS_MAX = 100;

/**
 * The number of a number or of a text that is one (`"12"`, not `""` or `"0x10"`); else NaN. A
 * bigint where a double would not be exact: both compare with each other.
 */
export function numberOf(value: unknown): number | bigint {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  if (typeof value !== 'string' || !NUMERIC.test(value)) return Number.NaN;
  const number = Number(value);
  if (!Number.isFinite(number)) return Number.NaN;
  const isExact = Math.abs(number) <= Number.MAX_SAFE_INTEGER;
  if (isExact || value.length > WHOLE_CHARS_MAX || !WHOLE.test(value)) return number;
  return BigInt(value.startsWith('+') ? value.slice(1) : value);
}

/** CleverTap's SDKs send booleans as `"True"` and `"False"`. */
export function isTrue(value: unknown): boolean {
  return value === true || value === 'true' || value === 'True';
}

export function isFalse(value: unknown): boolean {
  return value === false || value === 'false' || value === 'False';
}

/** A test of one value that is no list. */
export type ValueTest = (value: unknown) => boolean;

/** Equality without coercion, but for booleans that come as texts. */
export function equalTo(wanted: Scalar, ignoresCase: boolean): ValueTest {
  if (wanted === true) return isTrue;
  if (wanted === false) return isFalse;
  if (!ignoresCase || typeof wanted !== 'string') return (value) => value === wanted;
  const lower = wanted.toLowerCase();
  return (value) => typeof value === 'string' && value.toLowerCase() === lower;
}

/** Equality to any of the list, in constant time. */
export function oneOf(wanted: readonly Scalar[], ignoresCase: boolean): ValueTest {
  const known = new Set<unknown>();
  for (const one of wanted) {
    if (one === true) for (const text of [true, 'true', 'True']) known.add(text);
    else if (one === false) for (const text of [false, 'false', 'False']) known.add(text);
    else known.add(one);
  }
  if (!ignoresCase) return (value) => known.has(value);
  const lower = new Set<string>();
  for (const one of wanted) if (typeof one === 'string') lower.add(one.toLowerCase());
  return (value) =>
    known.has(value) || (typeof value === 'string' && lower.has(value.toLowerCase()));
}

/** A list passes when one of its values does: a list equals a value that it contains. */
export function orAnyOf(test: ValueTest): ValueTest {
  return (value) => {
    if (!Array.isArray(value)) return test(value);
    for (const element of value) if (test(element)) return true;
    return false;
  };
}
