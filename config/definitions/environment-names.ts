/** Refuses `LAPSE_…` variables that nothing reads: a misspelt one would be a setting without effect. */
import { userError } from '../../engine/errors/errors.ts';
import { nearestOf } from '../../engine/errors/wording.ts';
import type { Environment } from './environment.ts';
import { RUNTIME_PATHS, runtimeSettings } from './runtime-table.ts';

/** Names that are no setting of a file. */
const OTHER_NAMES = ['LAPSE_URL', 'LAPSE_LOG_LEVEL', 'LAPSE_LOG_FORMAT'] as const;

/** Kubernetes sets these in every pod beside a service that is called `lapse`. */
const SERVICE_LINK = /^LAPSE_(?:SERVICE_|PORT_\d+_(?:TCP|UDP))/;

export const ENVIRONMENT_NAMES: ReadonlySet<string> = new Set([
  ...RUNTIME_PATHS.flatMap((path) => runtimeSettings[path].environment),
  ...OTHER_NAMES,
]);

/**
 * @param used names that definitions refer to as `${NAME}`
 * @throws LapseError `ERR_SETTINGS` naming the first unknown variable
 */
export function checkEnvironmentNames(env: Environment, used: ReadonlySet<string>): void {
  for (const name of Object.keys(env).sort()) {
    if (!name.startsWith('LAPSE_') || ENVIRONMENT_NAMES.has(name)) continue;
    if (used.has(name) || SERVICE_LINK.test(name)) continue;
    const near = nearestOf(name, ENVIRONMENT_NAMES);
    const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
    throw userError(
      'ERR_SETTINGS',
      `${name} must be the name of a setting${hint}, got a variable that nothing reads`,
      { name },
    );
  }
}
