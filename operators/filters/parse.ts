/**
 * Reads the `where` language:
 *
 *     {country: US, age: {gte: 18, lt: 30}, any: [{plan: pro}, {plan: team}],
 *      not: {city: {contains: Paris, i: true}}, bucket: {lt: 100}}
 *
 * Keys side by side are AND. `{property: "any", op: eq, value: 1}` is the long form, the only one
 * for properties that are called like a word of the language. `{}` alone lets everything through.
 */
import { LapseError, userError } from '../../engine/errors/errors.ts';
import { describeValue, joinPath, nearestOf } from '../../engine/errors/wording.ts';
import { BUCKET_OPERATORS } from './bucket.ts';
import type { Condition, Filter, Operator } from './filter.ts';
import {
  FILTER_DEPTH_MAX,
  FILTER_NODES_MAX,
  FILTER_PROPERTY_CHARS_MAX,
  USER_BUCKET_COUNT,
} from './limits.ts';
import {
  isOperator,
  OPERATOR_NAMES,
  OPERATOR_VALUES,
  otherNameOf,
  patternRefusal,
} from './operators.ts';
import { storedValue } from './stored-value.ts';
import { isScalar } from './values.ts';

type Mapping = Readonly<Record<string, unknown>>;

interface Position {
  readonly path: string;
  readonly depth: number;
  /** Shared by the whole tree. */
  readonly budget: { nodes: number; readonly problems: LapseError[] };
}

function refusal(path: string, wanted: string, value: unknown): LapseError {
  const got = describeValue(value);
  return userError('ERR_FILTER', `${path} must be ${wanted}, got ${got}`, { path });
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function below(position: Position, path: string): Position {
  return { path, depth: position.depth + 1, budget: position.budget };
}

function count(position: Position): void {
  if (++position.budget.nodes <= FILTER_NODES_MAX) return;
  throw userError(
    'ERR_FILTER',
    `${position.path} must be within a filter of at most ${FILTER_NODES_MAX} conditions, got more`,
    { path: position.path },
  );
}

/**
 * Checks a `where` and makes the tree of it.
 * @param path of the `where`, for the sentences
 * @throws LapseError ERR_FILTER, `<path> must be …, got …`, a line for each problem; each alone is
 *   in `filterProblemsOf`
 */
export function parseFilter(where: unknown, path: string): Filter {
  if (isMapping(where) && Object.keys(where).length === 0) return { all: [] };
  const problems: LapseError[] = [];
  let filter: Filter = { all: [] };
  try {
    filter = parseNode(where, { path, depth: 0, budget: { nodes: 0, problems } });
  } catch (error) {
    if (!(error instanceof LapseError)) throw error;
    problems.push(error);
  }
  if (problems.length === 0) return filter;
  if (problems.length === 1) throw problems[0]!;
  const sentences = problems.map(({ message }) => message).join('\n');
  throw userError('ERR_FILTER', sentences, { path, problems });
}

/** Everything that `parseFilter` has found wrong, one by one. */
export function filterProblemsOf(error: LapseError): readonly LapseError[] {
  return (error.facts.problems as readonly LapseError[] | undefined) ?? [error];
}

/** Notes what is wrong with one part, so that its neighbours are read too. */
function attempt({ budget }: Position, parse: () => void): void {
  try {
    parse();
  } catch (error) {
    // A filter that is too large is refused as a whole, once.
    const isWhole = budget.nodes > FILTER_NODES_MAX;
    if (!(error instanceof LapseError) || isWhole) throw error;
    budget.problems.push(error);
  }
}

function parseNode(where: unknown, position: Position): Filter {
  const { path, depth } = position;
  if (depth > FILTER_DEPTH_MAX) {
    throw refusal(path, `nested at most ${FILTER_DEPTH_MAX} deep`, where);
  }
  if (!isMapping(where)) throw refusal(path, 'a mapping of conditions', where);
  const keys = Object.keys(where);
  if (keys.length === 0) throw refusal(path, 'a mapping with at least one condition', where);
  const isLong =
    Object.hasOwn(where, 'property') &&
    (Object.hasOwn(where, 'op') || Object.hasOwn(where, 'value'));
  if (isLong) return parseLongForm(where, position);
  const parts: Filter[] = [];
  for (const key of keys) attempt(position, () => parseKey(key, where[key], position, parts));
  return parts.length === 1 ? parts[0]! : { all: parts };
}

function parseKey(key: string, value: unknown, position: Position, parts: Filter[]): void {
  const path = joinPath(position.path, key);
  count(position);
  if (key === 'all') parts.push({ all: parseList(value, below(position, path)) });
  else if (key === 'any') parts.push({ any: parseList(value, below(position, path)) });
  else if (key === 'not') parts.push({ not: parseNode(value, below(position, path)) });
  else if (key === 'bucket') parts.push(parseBucket(value, path));
  else parseProperty(key, value, { ...position, path }, parts);
}

function parseList(value: unknown, position: Position): Filter[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw refusal(position.path, 'a list of at least one filter', value);
  }
  const filters: Filter[] = [];
  for (const [index, child] of value.entries()) {
    attempt(position, () => {
      count(position);
      filters.push(parseNode(child, { ...position, path: joinPath(position.path, index) }));
    });
  }
  return filters;
}

function parseProperty(key: string, value: unknown, position: Position, parts: Filter[]): void {
  const { path } = position;
  checkProperty(key, path);
  if (isMapping(value)) {
    parseOperators(key, value, position, parts);
    return;
  }
  if (Array.isArray(value)) {
    const hint = '(for a list write {in: […]} for any of it, {containsAll: […]} for all)';
    throw refusal(path, `a value or operators ${hint}`, value);
  }
  if (value === null || value === undefined) {
    throw refusal(path, 'a value or operators (for a missing one write {exists: false})', value);
  }
  parts.push(condition({ property: key, op: 'eq', value, i: false, path }));
}

function checkProperty(property: string, path: string): void {
  const isFit = property !== '' && property.length <= FILTER_PROPERTY_CHARS_MAX;
  if (isFit && property.split('.').every((segment) => segment !== '')) return;
  const wanted = `the name of a property, 1 to ${FILTER_PROPERTY_CHARS_MAX} characters, or a path a.b`;
  throw refusal(path, wanted, property);
}

function parseOperators(
  property: string,
  operators: Mapping,
  position: Position,
  parts: Filter[],
): void {
  const { path } = position;
  const ignoresCase = readIgnoresCase(operators, path);
  const names = Object.keys(operators).filter((name) => name !== 'i');
  if (names.length === 0) {
    throw refusal(path, `a mapping with an operator (${OPERATOR_NAMES.join(', ')})`, operators);
  }
  let hasTextual = false;
  const problemsBefore = position.budget.problems.length;
  for (const name of names) {
    attempt(position, () => {
      count(position);
      const at = joinPath(path, name);
      const op = readOperator(name, at);
      const isTextual = OPERATOR_VALUES[op].isTextual === true;
      hasTextual ||= isTextual;
      const i = ignoresCase && isTextual;
      parts.push(condition({ property, op, value: operators[name], i, path: at }));
    });
  }
  // Of an operator that was refused nobody knows whether it compares texts.
  const isKnown = position.budget.problems.length === problemsBefore;
  if (ignoresCase && !hasTextual && isKnown) throw uselessI(path);
}

function readIgnoresCase(mapping: Mapping, path: string): boolean {
  if (!Object.hasOwn(mapping, 'i')) return false;
  if (typeof mapping.i === 'boolean') return mapping.i;
  throw refusal(joinPath(path, 'i'), 'true or false', mapping.i);
}

function uselessI(path: string): LapseError {
  return refusal(joinPath(path, 'i'), 'beside an operator that compares texts', true);
}

function readOperator(name: unknown, path: string): Exclude<Operator, 'bucket'> {
  if (typeof name === 'string' && isOperator(name)) return name;
  const near =
    typeof name === 'string' ? (otherNameOf(name) ?? nearestOf(name, OPERATOR_NAMES)) : undefined;
  const hint =
    near === undefined
      ? `one of the operators ${OPERATOR_NAMES.join(', ')}`
      : `an operator (did you mean "${near}"?)`;
  throw refusal(path, hint, name);
}

interface Parts {
  readonly property: string;
  readonly op: Exclude<Operator, 'bucket'>;
  readonly value: unknown;
  readonly i: boolean;
  readonly path: string;
}

function condition({ property, op, value, i, path }: Parts): Condition {
  const { wanted, accepts } = OPERATOR_VALUES[op];
  if (!accepts(value)) {
    const reason =
      op === 'matches' && typeof value === 'string' ? patternRefusal(value) : undefined;
    throw refusal(path, reason === undefined ? wanted : `${wanted} (${reason})`, value);
  }
  const stored = storedValue(value);
  return i ? { property, op, value: stored, i: true } : { property, op, value: stored };
}

const LONG_FORM_KEYS = ['property', 'op', 'value', 'i'];

function parseLongForm(where: Mapping, position: Position): Condition {
  const { path } = position;
  count(position);
  for (const key of Object.keys(where)) {
    if (LONG_FORM_KEYS.includes(key)) continue;
    const wanted = 'outside of a condition in the long form (property, op, value, i)';
    position.budget.problems.push(refusal(joinPath(path, key), wanted, where[key]));
  }
  const { property } = where;
  const propertyPath = joinPath(path, 'property');
  if (typeof property !== 'string') throw refusal(propertyPath, 'the name of a property', property);
  checkProperty(property, propertyPath);
  const op = readOperator(where.op, joinPath(path, 'op'));
  const i = readIgnoresCase(where, path);
  if (i && OPERATOR_VALUES[op].isTextual !== true) throw uselessI(path);
  const isImplied = (op === 'isTrue' || op === 'isFalse') && !Object.hasOwn(where, 'value');
  const value = isImplied ? true : where.value;
  return condition({ property, op, value, i, path: joinPath(path, 'value') });
}

function isBucketNumber(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= USER_BUCKET_COUNT;
}

function parseBucket(value: unknown, path: string): Condition {
  if (isScalar(value)) {
    checkBucketBound('eq', value, path);
    return { property: '', op: 'bucket', value: { eq: value } };
  }
  if (!isMapping(value) || Object.keys(value).length === 0) {
    throw refusal(path, `operators (${BUCKET_OPERATORS.join(', ')}) on a bucket`, value);
  }
  for (const [name, bound] of Object.entries(value)) {
    const at = joinPath(path, name);
    if (!(BUCKET_OPERATORS as readonly string[]).includes(name)) {
      throw refusal(at, `one of the operators ${BUCKET_OPERATORS.join(', ')}`, name);
    }
    checkBucketBound(name, bound, at);
  }
  return { property: '', op: 'bucket', value };
}

function checkBucketBound(name: string, bound: unknown, path: string): void {
  const span = `0 to ${USER_BUCKET_COUNT}`;
  if (name !== 'between') {
    if (!isBucketNumber(bound)) throw refusal(path, `a whole number from ${span}`, bound);
    return;
  }
  const isRange = Array.isArray(bound) && bound.length === 2 && bound.every(isBucketNumber);
  if (isRange && Number(bound[0]) <= Number(bound[1])) return;
  throw refusal(path, `two whole numbers [low, high] from ${span} with low ≤ high`, bound);
}
