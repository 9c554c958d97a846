/** Makes sentences of the schema's issues: `campaigns[0].ttl must be …, got …`. */
import type * as z from 'zod';
import { describeValue, joinPath, nearestOf } from '../../engine/errors/wording.ts';
import { PATH_PLACEHOLDER } from '../../operators/schema/event-match.ts';
import { knownKeysOf } from '../../operators/schema/leaf.ts';
import { describeHidden, isSecretKey } from './hidden-values.ts';
import { NOT_BUILT } from './not-built.ts';
import type { DefinitionsProblem } from './problem.ts';

interface Place {
  readonly path: string;
  readonly value: unknown;
  /** As the table of what is not built writes it. */
  readonly pattern: string;
  readonly isSecret: boolean;
}

/**
 * Where an issue stands in what was written. A short form (one `without` instead of a list, a text
 * for `match`) has fewer steps than the schema's path; the walk leaves out what is not there.
 */
function placeOf(root: unknown, steps: readonly PropertyKey[]): Place {
  let place: Place = { path: '', value: root, pattern: '', isSecret: false };
  for (const [index, step] of steps.entries()) {
    const { path, value, pattern, isSecret } = place;
    if (typeof value !== 'object' || value === null) return place;
    if (typeof step === 'number' && !Array.isArray(value)) continue;
    const key = typeof step === 'number' ? step : String(step);
    const isOwn = Object.hasOwn(value, key);
    if (!isOwn && index < steps.length - 1) return place;
    place = {
      path: joinPath(path, key),
      value: isOwn ? (value as Record<string | number, unknown>)[key] : undefined,
      pattern: typeof key === 'number' ? `${pattern}[]` : joinPath(pattern, key),
      isSecret: isSecret || isSecretKey(String(key)),
    };
  }
  return place;
}

function gotOf({ value, isSecret }: Place): string {
  return isSecret ? describeHidden(value) : describeValue(value);
}

/** The file as a whole has no path. */
function subjectOf(path: string): string {
  return path === '' ? 'the file' : path;
}

function unknownKey(place: Place, key: string, known: readonly string[]): DefinitionsProblem {
  const parent = place.pattern === '' ? '' : `${place.pattern}.`;
  const notBuilt = NOT_BUILT.map(({ path }) => path)
    .filter((path) => path.startsWith(parent))
    .map((path) => path.slice(parent.length))
    .filter((name) => /^\w+$/.test(name));
  const near = nearestOf(key, new Set([...known, ...notBuilt]));
  const wanted =
    near === undefined
      ? `one of the known keys ${known.join(', ')}`
      : `a known key (did you mean "${near}"?)`;
  const path = joinPath(place.path, key);
  const message = `${path} must be ${wanted}, got ${describeValue(key)}`;
  return { file: '', path, message, code: 'ERR_DEFINITIONS' };
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
};

/**
 * The issues of the form that a value was meant to have: the last one that found the value to have
 * its shape. None when it has the shape of none of the forms.
 */
function issuesOfForm({ errors, path }: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue[] {
  const ofShape = errors.filter((issues) =>
    issues.every(({ code, path }) => path.length > 0 || code === 'unrecognized_keys'),
  );
  const issues = ofShape.at(-1) ?? [];
  return issues.map((issue) => ({ ...issue, path: [...path, ...issue.path] }));
}

function problemsOfIssue(issue: z.core.$ZodIssue, root: unknown): DefinitionsProblem[] {
  if (issue.code === 'invalid_union') {
    const issues = issuesOfForm(issue);
    if (issues.length > 0) return issues.flatMap((one) => problemsOfIssue(one, root));
  }
  const place = placeOf(root, issue.path);
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeysOf(issue.message);
    return issue.keys.map((key) => unknownKey(place, key, known));
  }
  const { path } = place;
  if (issue.code === 'custom' && issue.message.includes(PATH_PLACEHOLDER)) {
    const code = String(issue.params?.code ?? 'ERR_DEFINITIONS');
    const full = (written: unknown) => String(written).replaceAll(PATH_PLACEHOLDER, path);
    const deepest = full(issue.params?.path ?? PATH_PLACEHOLDER);
    return [{ file: '', path: deepest, message: full(issue.message), code }];
  }
  let demand = issue.message;
  if (issue.code === 'invalid_type' && !demand.startsWith('must be'))
    demand = `must be ${TYPE_WORDS[issue.expected] ?? issue.expected}`;
  const message = `${subjectOf(path)} ${demand}, got ${gotOf(place)}`;
  return [{ file: '', path, message, code: 'ERR_DEFINITIONS' }];
}

/**
 * @param root what the schema was given
 * @param notBuilt already reported: what they left empty is not complained about again
 */
export function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  root: unknown,
  file: string,
  notBuilt: readonly DefinitionsProblem[],
): DefinitionsProblem[] {
  const byMessage = new Map<string, DefinitionsProblem>();
  for (const issue of issues) {
    for (const problem of problemsOfIssue(issue, root)) {
      const isAftermath = notBuilt.some(
        ({ path }) => problem.path !== '' && isBelow(path, problem.path),
      );
      if (!isAftermath) byMessage.set(problem.message, { ...problem, file });
    }
  }
  return [...byMessage.values()];
}

function isBelow(path: string, ancestor: string): boolean {
  if (!path.startsWith(ancestor)) return false;
  return ['', '.', '['].includes(path.charAt(ancestor.length));
}
