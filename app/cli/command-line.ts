import {
  DefinitionsError,
  type DefinitionsProblem,
  partsOf,
} from '../../config/definitions/problem.ts';
import { PROBLEMS_SHOWN_MAX } from '../../config/limits.ts';
import { LapseError, messageOf, userError } from '../../engine/errors/errors.ts';
import { durationOf, instantOf } from '../../engine/time/duration.ts';
import { visibleText } from './visible-text.ts';

/** 0 done, 1 failed, 2 wrong usage or wrong input. */
export const ExitCode = { done: 0, failed: 1, wrongInput: 2 } as const;

/** What people see goes to stderr as sentences; what programs read, to stdout. */
export function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** A line of JSON. `JSON.stringify` lets control characters above U+007F through to a terminal. */
export function printJson(value: unknown): void {
  printLine(visibleText(JSON.stringify(value)));
}

export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Prints what went wrong, never a stack for a mistake of the user, and returns the exit code. */
export function reportFailure(error: unknown, asJson: boolean): number {
  const isOurs = error instanceof LapseError;
  const code = isOurs ? error.code : 'ERR_INTERNAL';
  if (asJson) {
    const facts = { code, message: messageOf(error) };
    const problems = error instanceof DefinitionsError ? error.problems.map(partsOf) : undefined;
    printJson({ error: { ...facts, problems } });
  } else if (error instanceof DefinitionsError) say(definitionsSentences(error));
  else if (isOurs && error.domain !== 'internal') say(`${visibleText(messageOf(error))} [${code}]`);
  else say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return isOurs && error.domain === 'user' ? ExitCode.wrongInput : ExitCode.failed;
}

/** A line for each problem, as editors and terminals make links of it: `shop.yaml:12: …`. */
function definitionsSentences({ problems }: DefinitionsError): string {
  const lines = problems.slice(0, PROBLEMS_SHOWN_MAX).map(({ file, line, message, code }) => {
    const place = line === undefined ? file : `${file}:${line}`;
    return `${visibleText(`${place}: ${message}`)} [${code}]`;
  });
  const hidden = problems.length - lines.length;
  return [...lines, ...(hidden > 0 ? [`and ${hidden} more; --json lists them all`] : [])].join(
    '\n',
  );
}

/** @throws LapseError `ERR_USAGE` */
export function readInstant(option: string, text: string): number {
  const atMs = instantOf(text);
  if (Number.isNaN(atMs)) {
    throw userError(
      'ERR_USAGE',
      `${option} must be an ISO 8601 instant with a zone such as 2026-01-05T09:00:00Z, got ${JSON.stringify(text)}`,
    );
  }
  return atMs;
}

/** @throws LapseError `ERR_USAGE` */
export function readDuration(option: string, text: string): number {
  const ms = durationOf(text);
  if (Number.isNaN(ms)) {
    throw userError(
      'ERR_USAGE',
      `${option} must be a duration such as 250ms or 2s, got ${JSON.stringify(text)}`,
    );
  }
  return ms;
}

/** @throws LapseError `ERR_USAGE` */
export function readInteger(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw userError(
      'ERR_USAGE',
      `${option} must be a whole number from ${min} to ${max}, got ${JSON.stringify(text)}`,
    );
  }
  return value;
}

/** What definitions may mean otherwise than they are taken. */
export function warningSentence({ file, line, message }: DefinitionsProblem): string {
  const place = line === undefined ? file : `${file}:${line}`;
  return visibleText(`Warning: ${place}: ${message}.`);
}

/** Says which variables `serve` will need that are not set here. */
export function unsetSentence(names: readonly string[]): string {
  return `Not set here, so placeholders stand for them: ${names.join(', ')}. serve needs them.`;
}
