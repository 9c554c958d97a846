/**
 * Leaves of the schema: how one value is read and how to say what it must be. The same leaf reads
 * a value of a file, of a flag and of the environment, and describes itself to editors.
 */
import * as z from 'zod';
import { durationOf, formatDuration } from '../../engine/time/duration.ts';
import type { Bounds } from './range.ts';

export interface Leaf<T> {
  /** Continues "… must be". */
  readonly wanted: string;
  /** The value as we use it, or undefined when it is refused. */
  readonly read: (value: unknown) => T | undefined;
  /** JSON Schema of what may be written. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** The zod schema of a leaf; issues carry `must be …`, the value is added where it is known. */
export function schemaOf<T>(leaf: Leaf<T>) {
  return z
    .unknown()
    .transform((value, context): T => {
      const result = leaf.read(value);
      if (result !== undefined) return result;
      context.issues.push({ code: 'custom', message: `must be ${leaf.wanted}`, input: value });
      return z.NEVER;
    })
    .meta({ title: leaf.wanted, ...leaf.json });
}

/** `${NAME}` stands for a value of any type until the environment is read. */
const PLACEHOLDER_JSON = { type: 'string', pattern: '\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}' };

/** A whole number; digits in a text count, because `${NAME}` always gives a text. */
export function integer({ min, max }: Bounds): Leaf<number> {
  return {
    wanted: `a whole number between ${min} and ${max}`,
    read: (value) => {
      const isDigits = typeof value === 'string' && /^\d{1,16}$/.test(value);
      const number = isDigits ? Number(value) : value;
      const isFit = Number.isSafeInteger(number) && Number(number) >= min && Number(number) <= max;
      return isFit ? Number(number) : undefined;
    },
    json: { anyOf: [{ type: 'integer', minimum: min, maximum: max }, PLACEHOLDER_JSON] },
  };
}

/** A number that need not be whole; a text of digits counts, because `${NAME}` gives a text. */
export function decimal({ min, max }: Bounds): Leaf<number> {
  return {
    wanted: `a number between ${min} and ${max}`,
    read: (value) => {
      const isDigits = typeof value === 'string' && /^-?\d{1,16}(?:\.\d{1,16})?$/.test(value);
      const number = isDigits ? Number(value) : value;
      if (typeof number !== 'number' || !(number >= min && number <= max)) return undefined;
      return number;
    },
    json: { anyOf: [{ type: 'number', minimum: min, maximum: max }, PLACEHOLDER_JSON] },
  };
}

/** `true` and `false`, as texts too, because `${NAME}` gives a text. */
export const flag: Leaf<boolean> = {
  wanted: 'true or false',
  read: (value) => {
    if (value === true || value === 'true') return true;
    return value === false || value === 'false' ? false : undefined;
  },
  json: { anyOf: [{ type: 'boolean' }, PLACEHOLDER_JSON] },
};

/** `10m`; in ms. */
export function duration({ min, max }: Bounds): Leaf<number> {
  return {
    wanted: `a duration between ${formatDuration(min)} and ${formatDuration(max)}`,
    read: (value) => {
      const ms = typeof value === 'string' ? durationOf(value) : Number.NaN;
      return ms >= min && ms <= max ? ms : undefined;
    },
    json: { type: 'string', examples: ['10s', '5m', '1h30m'] },
  };
}

const BYTE_UNITS: Readonly<Record<string, number>> = { B: 1, KB: 1_024, MB: 1_024 * 1_024 };

function bytesOf(value: unknown): number {
  if (typeof value === 'number') return value;
  const parts = typeof value === 'string' ? /^(\d{1,12}) ?(B|KB|MB)?$/.exec(value) : null;
  return parts === null ? Number.NaN : Number(parts[1]) * BYTE_UNITS[parts[2] ?? 'B']!;
}

export function formatBytes(bytes: number): string {
  if (bytes % BYTE_UNITS.MB! === 0) return `${bytes / BYTE_UNITS.MB!} MB`;
  return bytes % BYTE_UNITS.KB! === 0 ? `${bytes / BYTE_UNITS.KB!} KB` : `${bytes} B`;
}

/** `32 KB`, or a number of bytes; 1 KB is 1,024 bytes. */
export function byteSize({ min, max }: Bounds): Leaf<number> {
  return {
    wanted: `a size between ${formatBytes(min)} and ${formatBytes(max)}, like 32 KB`,
    read: (value) => {
      const bytes = bytesOf(value);
      return Number.isSafeInteger(bytes) && bytes >= min && bytes <= max ? bytes : undefined;
    },
    json: { type: ['string', 'integer'], examples: ['32 KB'] },
  };
}

export interface TextRules {
  readonly charsMax: number;
  readonly pattern?: RegExp;
}

/** A text that is not empty. */
export function text(wanted: string, { charsMax, pattern }: TextRules): Leaf<string> {
  return {
    wanted,
    read: (value) => {
      if (typeof value !== 'string' || value.trim() === '' || value.length > charsMax)
        return undefined;
      return pattern === undefined || pattern.test(value) ? value : undefined;
    },
    json: { type: 'string', minLength: 1 },
  };
}

/** A list; in one text, as flags and the environment have it, commas stand between its values. */
export function commaList<T>(item: Leaf<T>, wanted: string, lengthMax: number): Leaf<readonly T[]> {
  return {
    wanted,
    read: (value) => {
      const values = typeof value === 'string' ? value.split(',') : value;
      if (!Array.isArray(values) || values.length > lengthMax) return undefined;
      const read = values.map((one) => item.read(typeof one === 'string' ? one.trim() : one));
      return read.some((one) => one === undefined) ? undefined : (read as T[]);
    },
    json: { type: ['array', 'string'], items: item.json, maxItems: lengthMax },
  };
}

/** One of some words. */
export function choice<const T extends string>(...words: readonly T[]): Leaf<T> {
  return {
    wanted: words.length === 1 ? words[0]! : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`,
    read: (value) => words.find((word) => word === value),
    json: { enum: words },
  };
}

/** What ids of webhooks, segments and campaigns are made of: they stand in subjects and file names. */
export const idLeaf = text('an id of 1 to 64 letters, digits, - or _', {
  charsMax: 64,
  pattern: /^[A-Za-z0-9_-]+$/,
});

const KNOWN_KEYS = 'known keys:';

/**
 * A mapping in which unknown keys are errors. The issue carries the known ones, so that a
 * misspelt one can be put right.
 */
export function mapping<Shape extends z.ZodRawShape>(shape: Shape) {
  const keys = Object.keys(shape).filter((key) => !key.startsWith('$'));
  const known = `${KNOWN_KEYS}${keys.join(' ')}`;
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? known : undefined),
  });
}

/** The keys that `mapping` put into an issue of unknown keys. */
export function knownKeysOf(message: string): readonly string[] {
  return message.startsWith(KNOWN_KEYS) ? message.slice(KNOWN_KEYS.length).split(' ') : [];
}

/**
 * A value that may be written in several forms, each of which only fits values of its own shape.
 * @param wanted continues "… must be", for a value that has the shape of none
 */
export function forms<const T extends readonly z.ZodType[]>(wanted: string, options: T) {
  return z.union(options, { error: `must be ${wanted}` });
}

/** A list of some elements; said as `wanted` when it is shorter or longer. */
export function listOf<T extends z.ZodType>(element: T, { min, max }: Bounds, wanted: string) {
  return z
    .array(element, { error: `must be ${wanted}` })
    .refine(({ length }) => length >= min && length <= max, { message: `must be ${wanted}` })
    .meta({ minItems: min, maxItems: max });
}

/** A refinement's complaint about a mapping that must have exactly one of some keys. */
export function exactlyOneOf<T extends object>(...keys: readonly string[]) {
  return [
    (value: T) => Object.values(value).filter((one) => one !== undefined).length === 1,
    { message: `must be a mapping with exactly one of ${keys.join(', ')}` },
  ] as const;
}
