/**
 * From files to checked definitions: read, fill in the environment, refuse what is not built,
 * check each file against the schema, then what files say of one another.
 */
import { dirname, isAbsolute, join } from 'node:path';
import { type Campaign, type Definitions, NO_DEFINITIONS } from '../../operators/definitions.ts';
import { settingsComplaints } from '../../operators/gates/schemas.ts';
import { campaignOf } from './campaign-schema.ts';
import { crossProblems } from './cross-check.ts';
import { egressProblems } from './egress-check.ts';
import {
  type Environment,
  type EnvironmentReport,
  emptyReport,
  withEnvironment,
} from './environment.ts';
import { checkEnvironmentNames } from './environment-names.ts';
import { type FileInput, fileSchema } from './file-schema.ts';
import { type Substitution, withoutValues } from './hidden-values.ts';
import { problemsOf } from './issues.ts';
import { takeNotBuilt } from './not-built.ts';
import { placeholderOf } from './placeholders.ts';
import { DefinitionsError, type DefinitionsProblem } from './problem.ts';
import { type DefinitionFile, readDefinitionFiles } from './read-files.ts';
import { runTimeComplaints } from './run-time.ts';
import { resolveEgressAllow } from './runtime.ts';
import {
  RUNTIME_PATHS,
  type RuntimeFileSettings,
  runtimeSettings,
  runtimeValueIn,
} from './runtime-table.ts';
import { settingsOf } from './settings-schema.ts';
import { webhookOf } from './webhook-schema.ts';
import type { LineOf } from './yaml-lines.ts';

export interface Configuration {
  readonly definitions: Definitions;
  /** For `resolveRuntime`. */
  readonly runtime: RuntimeFileSettings;
  /** Variables that are not set and that placeholders stand for, sorted. */
  readonly unset: readonly string[];
  /** What is taken, but may be meant otherwise. */
  readonly warnings: readonly DefinitionsProblem[];
}

export interface LoadOptions {
  /**
   * Whether placeholders may stand for variables that are not set, where only a request or a
   * connection needs the value. @default false
   */
  readonly hasPlaceholders?: boolean;
  /**
   * Refuses webhooks with private URLs, unless `egress.allow` of these flags, the environment or
   * the files lists them. @default they are not looked at: nothing is to be sent
   */
  readonly egressFlags?: Readonly<Record<string, unknown>>;
}

/**
 * @param paths files and folders; with none the definitions are empty
 * @throws DefinitionsError with everything that is wrong
 * @throws LapseError `ERR_SETTINGS` for a `LAPSE_…` variable that nothing reads
 */
export function loadConfiguration(
  paths: readonly string[],
  env: Environment,
  options: LoadOptions = {},
): Configuration {
  const problems: DefinitionsProblem[] = [];
  const files = readDefinitionFiles(paths, problems);
  const used = new Set<string>();
  const configuration = configurationOf(files, env, problems, { ...options, used });
  checkEnvironmentNames(env, used);
  return configuration;
}

/** The definitions alone. @throws DefinitionsError with everything that is wrong */
export function loadDefinitions(paths: readonly string[], env: Environment): Definitions {
  return loadConfiguration(paths, env).definitions;
}

export interface ParseOptions extends LoadOptions {
  /** What to call the value in sentences. @default '-' */
  readonly file?: string;
  /** @default no variables */
  readonly env?: Environment;
  /**
   * Definitions in force, which the value may name. What has the same id is replaced, settings
   * are replaced key by key, and nothing is removed; the result is all of it.
   */
  readonly base?: Definitions;
}

/**
 * Definitions of a value that was parsed already; it is not changed.
 * @throws DefinitionsError with everything that is wrong
 */
export function parseDefinitions(value: unknown, options: ParseOptions = {}): Definitions {
  const files = [{ file: options.file ?? '-', value }];
  return configurationOf(files, options.env ?? {}, [], options).definitions;
}

/**
 * Definitions of several values, each as a file has them.
 * @throws DefinitionsError with everything that is wrong
 */
export function parseDefinitionFiles(
  files: readonly DefinitionFile[],
  options: Omit<ParseOptions, 'file'> = {},
): Definitions {
  return configurationOf(files, options.env ?? {}, [], options).definitions;
}

interface CheckedFile {
  readonly file: string;
  readonly input: FileInput;
}

interface MergeContext extends Pick<ParseOptions, 'base'>, LoadOptions {
  /** Gets the names of the variables that files refer to. */
  readonly used?: Set<string>;
}

function configurationOf(
  files: readonly DefinitionFile[],
  env: Environment,
  problems: DefinitionsProblem[],
  { used = new Set(), base, hasPlaceholders = false, egressFlags }: MergeContext = {},
): Configuration {
  const hasAllFiles = problems.length === 0;
  const copies: DefinitionFile[] = [];
  const checked: CheckedFile[] = [];
  const substitutions: Substitution[] = [];
  const unset = new Set<string>();
  const warnings: DefinitionsProblem[] = [];
  for (const { file, value } of files) {
    const report = emptyReport(used);
    const copy = withEnvironment(value, env, report, hasPlaceholders ? placeholderOf : undefined);
    for (const complaint of report.complaints) {
      problems.push({ file, ...complaint, code: 'ERR_DEFINITIONS' });
    }
    warnings.push(...report.warnings.map((one) => ({ file, ...one, code: 'ERR_AMBIGUOUS_VALUE' })));
    substitutions.push(...report.substitutions);
    for (const { name } of report.unset) unset.add(name);
    copies.push({ file, value: copy });
    const input = check(copy, file, problems, report);
    if (input !== undefined) checked.push({ file, input });
  }
  problems.push(...crossProblems(copies, hasAllFiles, base));
  const merged = merge(checked, problems, base);
  if (egressFlags !== undefined) {
    const allow = resolveEgressAllow(egressFlags, env, merged.runtime);
    problems.push(...egressProblems(checked, allow));
  }
  if (problems.length > 0) {
    throw new DefinitionsError(withLines(withoutValues(problems, substitutions), files));
  }
  return { ...merged, unset: [...unset].sort(), warnings: withLines(warnings, files) };
}

function withLines(
  problems: readonly DefinitionsProblem[],
  files: readonly DefinitionFile[],
): DefinitionsProblem[] {
  const lines = new Map<string, LineOf>();
  return problems.map((problem) => {
    if (problem.line !== undefined) return problem;
    const file = files.find((one) => one.file === problem.file);
    if (file?.lines === undefined) return problem;
    const lineOf = lines.get(file.file) ?? file.lines();
    lines.set(file.file, lineOf);
    return { ...problem, line: lineOf(problem.path) };
  });
}

function check(
  value: unknown,
  file: string,
  problems: DefinitionsProblem[],
  { complaints, unset }: EnvironmentReport,
): FileInput | undefined {
  if (value === null || value === undefined) {
    const message = `the file must have at least one of ${topLevelKeys().join(', ')}, got an empty file`;
    problems.push({ file, path: '', message, code: 'ERR_DEFINITIONS' });
    return undefined;
  }
  const notBuilt = takeNotBuilt(value, file);
  problems.push(...notBuilt);
  const result = fileSchema.safeParse(value);
  if (result.success) return result.data;
  // A value whose variable is missing has been complained about; what it lacks is no news.
  const known = new Set(complaints.map(({ path }) => path));
  const missing = new Map(unset.map(({ path, message }) => [path, message]));
  for (const problem of problemsOf(result.error.issues, value, file, notBuilt)) {
    // A placeholder does not do here: what is wrong is that the variable is not set.
    const message = missing.get(problem.path) ?? problem.message;
    if (!known.has(problem.path)) problems.push({ ...problem, message });
  }
  return undefined;
}

function topLevelKeys(): string[] {
  return Object.keys(fileSchema.shape).filter((key) => key !== '$schema');
}

function merge(
  files: readonly CheckedFile[],
  problems: DefinitionsProblem[],
  base: Definitions = NO_DEFINITIONS,
): Pick<Configuration, 'definitions' | 'runtime'> {
  const campaigns: Campaign[] = [];
  for (const { file, input } of files) {
    for (const [index, one] of (input.campaigns ?? []).entries()) {
      const campaign = campaignOf(one);
      const { startAtMs } = campaign.schedule;
      // One that starts at its publication is judged then; see `publicationComplaints`.
      const complaints = startAtMs === undefined ? [] : runTimeComplaints(campaign, startAtMs);
      for (const { path: below, rest } of complaints) {
        const path = `campaigns[${index}].${below}`;
        problems.push({ file, path, message: `${path} ${rest}`, code: 'ERR_DEFINITIONS' });
      }
      campaigns.push(campaign);
    }
  }
  problems.push(...sharedTargetIds(files, campaigns, base));
  const inputs = files.map(({ input }) => input);
  const definitions: Definitions = {
    settings: settingsOf(
      inputs.flatMap(({ settings }) => settings ?? []),
      base.settings,
    ),
    webhooks: replaced(
      base.webhooks,
      inputs.flatMap(({ webhooks }) => (webhooks ?? []).map(webhookOf)),
    ),
    segments: replaced(
      base.segments,
      inputs.flatMap(({ segments }) => segments ?? []),
    ),
    campaigns: replaced(base.campaigns, campaigns),
  };
  const file = files.findLast(({ input }) => input.settings !== undefined)?.file ?? '';
  for (const { path: below, rest } of settingsComplaints(definitions.settings)) {
    const path = `settings.${below}`;
    problems.push({ file, path, message: `${path} ${rest}`, code: 'ERR_DEFINITIONS' });
  }
  return { definitions, runtime: runtimeOf(files) };
}

/** What is new comes last, what is changed stays in its place. */
function replaced<T extends { readonly id: string }>(old: readonly T[], given: readonly T[]): T[] {
  const byId = new Map([...old, ...given].map((one) => [one.id, one]));
  return [...byId.values()];
}

function sharedTargetIds(
  files: readonly CheckedFile[],
  campaigns: readonly Campaign[],
  base: Definitions,
): DefinitionsProblem[] {
  const given = new Set(campaigns.map(({ id }) => id));
  const kept = base.campaigns.filter(({ id }) => !given.has(id));
  const targets = new Map(kept.map(({ id, targetId }) => [targetId, id]));
  const places = files.flatMap(({ file, input }) =>
    (input.campaigns ?? []).map((_, index) => ({ file, path: `campaigns[${index}].targetId` })),
  );
  return campaigns.flatMap(({ id, targetId }, index) => {
    const other = targets.get(targetId);
    targets.set(targetId, id);
    if (other === undefined || other === id) return [];
    const { file, path } = places[index]!;
    const message = `${path} must be a number of its own, got ${targetId}, which "${other}" has`;
    return [{ file, path, message, code: 'ERR_DEFINITIONS' }];
  });
}

function runtimeOf(files: readonly CheckedFile[]): RuntimeFileSettings {
  const runtime: Record<string, unknown> = {};
  for (const { file, input } of files) {
    for (const path of RUNTIME_PATHS) {
      const value = runtimeValueIn(input, path);
      if (value === undefined) continue;
      const isRelative =
        'isPath' in runtimeSettings[path] && typeof value === 'string' && !isAbsolute(value);
      runtime[path] = isRelative ? join(dirname(file), value) : value;
    }
  }
  return runtime;
}
