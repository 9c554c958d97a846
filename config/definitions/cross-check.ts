/**
 * What files must agree on: ids are given once, campaigns name webhooks that exist, a setting
 * stands in one file. Looks at what was written, so that one bad key does not hide the rest.
 */
import { describeValue, joinPath, nearestOf } from '../../engine/errors/wording.ts';
import type { DefinitionsProblem } from './problem.ts';
import type { DefinitionFile } from './read-files.ts';

interface Entry {
  readonly file: string;
  readonly path: string;
  readonly value: Readonly<Record<string, unknown>>;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function entriesOf(files: readonly DefinitionFile[], kind: 'webhooks' | 'campaigns'): Entry[] {
  return files.flatMap(({ file, value }) => {
    const list = isMapping(value) ? value[kind] : undefined;
    if (!Array.isArray(list)) return [];
    return list.flatMap((one: unknown, index) =>
      isMapping(one) ? [{ file, path: `${kind}[${index}]`, value: one }] : [],
    );
  });
}

function problem(file: string, path: string, rest: string): DefinitionsProblem {
  return { file, path, message: `${path} ${rest}`, code: 'ERR_DEFINITIONS' };
}

function duplicateIds(entries: readonly Entry[]): DefinitionsProblem[] {
  const problems: DefinitionsProblem[] = [];
  const first = new Map<string, Entry>();
  for (const entry of entries) {
    const { id } = entry.value;
    if (typeof id !== 'string') continue;
    const other = first.get(id);
    if (other === undefined) first.set(id, entry);
    else {
      const rest = `must be given once, got ${describeValue(id)}, which ${other.file} has at ${other.path}.id`;
      problems.push(problem(entry.file, `${entry.path}.id`, rest));
    }
  }
  return problems;
}

/** Ids that a sentence names before it says only how many more there are. */
const IDS_SHOWN_MAX = 10;

function listOf(ids: readonly string[]): string {
  if (ids.length === 0) return 'there is none';
  const shown = ids.slice(0, IDS_SHOWN_MAX).join(', ');
  return ids.length > IDS_SHOWN_MAX ? `${shown} and ${ids.length - IDS_SHOWN_MAX} more` : shown;
}

function missingWebhooks(
  campaigns: readonly Entry[],
  webhooks: readonly Entry[],
): DefinitionsProblem[] {
  const ids = webhooks.map(({ value }) => value.id).filter((id) => typeof id === 'string');
  const known = new Set(ids);
  return campaigns.flatMap(({ file, path, value: { webhook } }) => {
    if (typeof webhook !== 'string' || known.has(webhook)) return [];
    const near = nearestOf(webhook, known);
    const hint = near === undefined ? '' : `; did you mean "${near}"?`;
    const rest = `must be the id of a webhook (${listOf([...known])}), got ${describeValue(webhook)}${hint}`;
    return [problem(file, `${path}.webhook`, rest)];
  });
}

const LISTS = ['webhooks', 'campaigns', 'segments', 'lists', '$schema'];

function repeatedSettings(files: readonly DefinitionFile[]): DefinitionsProblem[] {
  const problems: DefinitionsProblem[] = [];
  const firstFile = new Map<string, string>();
  const visit = (value: unknown, path: string, file: string): void => {
    if (isMapping(value)) {
      for (const [key, child] of Object.entries(value)) {
        if (path === '' && LISTS.includes(key)) continue;
        visit(child, joinPath(path, key), file);
      }
      return;
    }
    const other = firstFile.get(path);
    if (path === '' || value === undefined) return;
    if (other === undefined) firstFile.set(path, file);
    else problems.push(problem(file, path, `must stand in one file, got it in ${other} too`));
  };
  for (const { file, value } of files) visit(value, '', file);
  return problems;
}

/**
 * @param hasAllFiles false when some could not be read: a webhook may then stand in one of those
 */
export function crossProblems(
  files: readonly DefinitionFile[],
  hasAllFiles: boolean,
): DefinitionsProblem[] {
  const webhooks = entriesOf(files, 'webhooks');
  const campaigns = entriesOf(files, 'campaigns');
  return [
    ...duplicateIds(webhooks),
    ...duplicateIds(campaigns),
    ...(hasAllFiles ? missingWebhooks(campaigns, webhooks) : []),
    ...repeatedSettings(files),
  ];
}
