import { userError } from '../../../engine/errors/errors.ts';
import { parseJson } from '../../../engine/json/parse-json.ts';

/**
 * Reads `k=v` options. A value that is JSON is taken as that (42, true, null, [1,2], {"a":1}, and
 * "42" in quotes as a text), any other as the text it is. Whole numbers keep every digit; a number
 * beyond what a double holds stays a text.
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
    const value = parseJson(text);
    return typeof value === 'number' && !Number.isFinite(value) ? text : value;
  } catch {
    return text;
  }
}
