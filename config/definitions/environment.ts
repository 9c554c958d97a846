/**
 * Puts values of the environment where a file says `${NAME}`; `$${` stands for a plain `${`. Only
 * values are looked at, never keys, and what comes out is always a text.
 */
import { describeValue, joinPath } from '../../engine/errors/wording.ts';
import { DEFINITION_DEPTH_MAX, DEFINITION_VALUES_MAX } from '../limits.ts';
import type { Substitution } from './hidden-values.ts';

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
  readonly substitutions: Substitution[];
  /** Complaints that a placeholder answers, if what is checked next takes it. */
  readonly unset: (Complaint & { readonly name: string })[];
  /** Names of all variables that are referred to. */
  readonly used: Set<string>;
}

export function emptyReport(used = new Set<string>()): EnvironmentReport {
  return { complaints: [], substitutions: [], unset: [], used };
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
  return copy(value, '', 0, { environment, report, complaints, placeholderOf, values: 0 });
}

export type PlaceholderOf = (path: string, name: string) => string | undefined;

interface Context {
  readonly environment: Environment;
  readonly report: EnvironmentReport;
  readonly complaints: Complaint[];
  readonly placeholderOf: PlaceholderOf;
  /** Copied so far. Aliases of YAML can make a few lines stand for more than any memory holds. */
  values: number;
}

function copy(value: unknown, path: string, depth: number, context: Context): unknown {
  if (++context.values > DEFINITION_VALUES_MAX) {
    if (context.values === DEFINITION_VALUES_MAX + 1) {
      const message = `${path} must be within a file of at most ${DEFINITION_VALUES_MAX} values, got more`;
      context.complaints.push({ path, message });
    }
    return undefined;
  }
  if (typeof value === 'string') return substitute(value, path, context);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > DEFINITION_DEPTH_MAX) {
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
      list.push(copy(child, joinPath(path, index), depth + 1, context));
    }
    return list;
  }
  const result: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(value)) {
    if (context.values > DEFINITION_VALUES_MAX) break;
    const childPath = joinPath(path, key);
    if (key === '__proto__') {
      const got = describeValue(child);
      const message = `${childPath} must be under another name, got ${got}`;
      context.complaints.push({ path: childPath, message });
    } else result[key] = copy(child, childPath, depth + 1, context);
  }
  return result;
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
