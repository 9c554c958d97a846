import { userError } from '../../../engine/errors/errors.ts';

/**
 * Reads `k=v` options. A value that is JSON is taken as that (42, true, null, [1,2], {"a":1}, and
 * "42" in quotes as a text), any other as the text it is. A number that JSON would not keep
 * exactly stays a text.
 * @throws LapseError `ERR_USAGE`
 */
export function readAssignments(
  option: string,
  assignments: readonly string[],
): Record<string, unknown> {
  const entries = assignments.map((assignment): [string, unknown] => {
    const at = assignment.indexOf('=');
    if (at < 1) {
      throw userError(
        'ERR_USAGE',
        `${option} must be a name, = and a value, got ${JSON.stringify(assignment)}`,
      );
    }
    return [assignment.slice(0, at), valueIn(assignment.slice(at + 1))];
  });
  return Object.fromEntries(entries);
}

function valueIn(text: string): unknown {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value !== 'number') return value;
    const isExact =
      Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
    return isExact ? value : text;
  } catch {
    return text;
  }
}
