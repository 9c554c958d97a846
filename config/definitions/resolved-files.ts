import { type Environment, emptyReport, withEnvironment } from './environment.ts';
import { checkEnvironmentNames } from './environment-names.ts';
import { DefinitionsError, type DefinitionsProblem } from './problem.ts';
import { type DefinitionFile, readDefinitionFiles } from './read-files.ts';

/**
 * Files as plain values, with the values of variables in them, for a Lapse that runs elsewhere and
 * checks them: it does not see this environment. A `${` that is meant is written `$${` again.
 * @throws DefinitionsError with all that cannot be read and every variable that is not set
 */
export function readResolvedFiles(
  paths: readonly string[],
  env: Environment,
): readonly Pick<DefinitionFile, 'file' | 'value'>[] {
  const problems: DefinitionsProblem[] = [];
  const report = emptyReport();
  const files = readDefinitionFiles(paths, problems).map(({ file, value }) => {
    const resolved = withEnvironment(value, env, report);
    const complaints = report.complaints.splice(0);
    problems.push(...complaints.map((one) => ({ file, ...one, code: 'ERR_DEFINITIONS' })));
    return { file, value: escaped(resolved) };
  });
  if (problems.length > 0) throw new DefinitionsError(problems);
  checkEnvironmentNames(env, report.used);
  return files;
}

function escaped(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('${', () => '$${');
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(escaped);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, escaped(one)]));
}
