/**
 * Makes the value that is checked of what a file says: puts values of the environment for
 * `${NAME}`, and for numbers the texts as they are written where a text is wanted. `$${` stands for
 * a plain `${`. Only values are looked at for these, never keys, and what comes out of the
 * environment is always a text.
 */
import { describeValue, joinPath } from '../../engine/errors/wording.ts';
import { DEFINITION_DEPTH_MAX, DEFINITION_VALUES_MAX } from '../limits.ts';
import type { Substitution } from './hidden-values.ts';
import { wantedAt } from './scalar-places.ts';
import { WrittenScalar } from './written-scalar.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Complaint {
  readonly path: string;
  readonly message: string;
}

const REFERENCE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{/g;

/** What is found on the way. */
export interface EnvironmentReport {
  /** A sentence for every variable that is missing and every value that no definition can hold. */
  readonly complaints: Complaint[];
  /** Sentences about what is taken, but may be meant otherwise. */
  readonly warnings: Complaint[];
  readonly substitutions: Substitution[];
  /** Complaints that a placeholder answers, if what is checked next takes it. */
  readonly unset: (Complaint & { readonly name: string })[];
  /** Names of all variables that are referred to. */
  readonly used: Set<string>;
}

export function emptyReport(used = new Set<string>()): EnvironmentReport {
  return { complaints: [], warnings: [], substitutions: [], unset: [], used };
}

/**
 * @param placeholderOf what stands for a variable that is not set, by the path of the value;
 *   undefined where it must be set. @default nowhere
 * @returns a deep copy
 */
export function withEnvironment(
  value: unknown,
  environment: Environment,
  report: EnvironmentReport,
  placeholderOf: PlaceholderOf = () => undefined,
): unknown {
  const { complaints } = report;
  const steps: (string | number)[] = [];
  return copy(value, '', { environment, report, complaints, placeholderOf, steps, values: 0 });
}

export type PlaceholderOf = (path: string, name: string) => string | undefined;

interface Context {
  readonly environment: Environment;
  readonly report: EnvironmentReport;
  readonly complaints: Complaint[];
  readonly placeholderOf: PlaceholderOf;
  /** Keys and indexes of the path. */
  readonly steps: (string | number)[];
  /** Copied so far. Aliases of YAML can make a few lines stand for more than any memory holds. */
  values: number;
}

function copy(value: unknown, path: string, context: Context): unknown {
  if (++context.values > DEFINITION_VALUES_MAX) {
    if (context.values === DEFINITION_VALUES_MAX + 1) {
      const message = `${path} must be within a file of at most ${DEFINITION_VALUES_MAX} values, got more`;
      context.complaints.push({ path, message });
    }
    return undefined;
  }
  if (typeof value === 'string') {
    return substitute(wellFormed(value, path, context), path, context);
  }
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof WrittenScalar) return meantBy(value, path, context);
  const { steps } = context;
  if (steps.length > DEFINITION_DEPTH_MAX) {
    context.complaints.push({
      path,
      message: `${path} must be nested at most ${DEFINITION_DEPTH_MAX} deep, got more`,
    });
    return undefined;
  }
  if (Array.isArray(value)) {
    const list: unknown[] = [];
    for (const [index, child] of value.entries()) {
      if (context.values > DEFINITION_VALUES_MAX) break;
      steps.push(index);
      list.push(copy(child, joinPath(path, index), context));
      steps.pop();
    }
    return list;
  }
  const result: Record<string, unknown> = {};
  for (const [name, child] of Object.entries(value)) {
    const key = wellFormed(name, joinPath(path, name.toWellFormed()), context);
    if (context.values > DEFINITION_VALUES_MAX) break;
    const childPath = joinPath(path, key);
    if (key === '__proto__') {
      const got = describeValue(child);
      const message = `${childPath} must be under another name, got ${got}`;
      context.complaints.push({ path: childPath, message });
    } else {
      steps.push(key);
      result[key] = copy(child, childPath, context);
      steps.pop();
    }
  }
  return result;
}

/** A lone surrogate becomes U+FFFD, as it does in the events that this will be compared with. */
function wellFormed(text: string, path: string, { report }: Context): string {
  if (text.isWellFormed()) return text;
  const message = `${path} holds half a character (a lone surrogate), which is taken as U+FFFD`;
  report.warnings.push({ path, message });
  return text.toWellFormed();
}

function meantBy(scalar: WrittenScalar, path: string, { steps, report }: Context): unknown {
  const { value, text, isCanonical } = scalar;
  const wanted = wantedAt(steps);
  if (wanted === 'text') return text;
  if (wanted === 'either' && !isCanonical) {
    const quoted = JSON.stringify(text);
    const message = `${path} is taken as the number ${value}; write ${quoted}, in quotes, if a text is meant`;
    report.warnings.push({ path, message });
  }
  return value;
}

function substitute(text: string, path: string, context: Context): string {
  if (!text.includes('${')) return text;
  const { environment, complaints, placeholderOf, report } = context;
  const value = text.replace(REFERENCE, (reference, name: string | undefined) => {
    if (reference === '$${') return '${';
    if (name === undefined) {
      const message = `${path} must be written with \${NAME} for a variable and $\${ for a plain \${, got ${describeValue(text)}`;
      complaints.push({ path, message });
      return reference;
    }
    report.used.add(name);
    const given = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (given !== undefined) return given;
    const message = `${path} must be given the environment variable ${name}, got nothing: it is not set`;
    const placeholder = placeholderOf(path, name);
    if (placeholder === undefined) complaints.push({ path, message });
    else report.unset.push({ path, name, message });
    return placeholder ?? reference;
  });
  report.substitutions.push({ path, written: text, value });
  return value;
}
