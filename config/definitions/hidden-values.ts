/**
 * Keeps secrets out of sentences. What came from the environment is shown as the file says it,
 * `${NAME}`; of what stands below a key that holds a secret nothing is shown.
 */
import { describeValue } from '../../engine/errors/wording.ts';
import type { DefinitionsProblem } from './problem.ts';

/** A text of a file that variables were put into. */
export interface Substitution {
  readonly path: string;
  /** As the file has it. */
  readonly written: string;
  /** With the variables' values in it. */
  readonly value: string;
}

const SECRET_KEYS = new Set(['auth', 'bearer', 'headers', 'nkey', 'password', 'secret', 'token']);

/** Whether what stands at or below this key is never shown. */
export function isSecretKey(key: string): boolean {
  return SECRET_KEYS.has(key);
}

/** What came, without saying it. */
export function describeHidden(value: unknown): string {
  if (typeof value === 'string') return `a hidden text of length ${value.length}`;
  return typeof value === 'number' || typeof value === 'boolean'
    ? 'a hidden value'
    : describeValue(value);
}

/** A value as `describeValue` writes it. */
const QUOTED = /"(?:[^"\\]|\\.)*"(?:… \(\d+ characters\))?/g;
/** Shorter ones may be words of the sentence itself. */
const BARE_CHARS_MIN = 8;
const BARE = /[^\s,;()"'`]+/g;

/** The problems with the values of variables replaced by what the file says. */
export function withoutValues(
  problems: readonly DefinitionsProblem[],
  substitutions: readonly Substitution[],
): DefinitionsProblem[] {
  const quoted = new Map<string, string>();
  const bare = new Map<string, string>();
  for (const { written, value } of substitutions) {
    quoted.set(describeValue(value), describeValue(written));
    if (value.length >= BARE_CHARS_MIN) bare.set(value, written);
  }
  const writtenAt = new Map(substitutions.map(({ path, written }) => [path, written]));
  return problems.map((problem) => {
    const message = problem.message
      .replace(QUOTED, (text) => quoted.get(text) ?? text)
      .replace(BARE, (word) => bare.get(word) ?? word);
    const written = writtenAt.get(problem.path);
    // A number or a word that was read from a text looks like no text any more.
    const isShown = written !== undefined && message === problem.message;
    return { ...problem, message: isShown ? withGot(message, written) : message };
  });
}

function withGot(message: string, written: string): string {
  return message.replace(/, got (?!nothing\b).*$/s, () => `, got ${describeValue(written)}`);
}
