/**
 * What files must agree on: ids are given once, what a definition names exists, a setting is in
 * one file. Looks at what was written, so that one bad key does not hide the rest.
 */
import { describeValue, joinPath, nearestOf } from '../../engine/errors/wording.ts';
import type { Definitions } from '../../operators/definitions.ts';
import { idLeaf } from '../../operators/schema/leaf.ts';
import type { DefinitionsProblem } from './problem.ts';
import type { DefinitionFile } from './read-files.ts';
import { segmentComplaints } from './segment-check.ts';

interface Entry {
  readonly file: string;
  readonly path: string;
  readonly value: Readonly<Record<string, unknown>>;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

type Kind = 'webhooks' | 'segments' | 'campaigns';

function entriesOf(files: readonly DefinitionFile[], kind: Kind): Entry[] {
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

function listOf(written: readonly string[]): string {
  // What is no id has a complaint of its own, and could be a secret in the wrong place.
  const ids = written.filter((id) => idLeaf.read(id) !== undefined);
  if (ids.length === 0) return 'there is none';
  const shown = ids.slice(0, IDS_SHOWN_MAX).join(', ');
  return ids.length > IDS_SHOWN_MAX ? `${shown} and ${ids.length - IDS_SHOWN_MAX} more` : shown;
}

function idsOf(entries: readonly Entry[]): string[] {
  return entries.map(({ value }) => value.id).filter((id) => typeof id === 'string');
}

/** Something that a definition calls by its id. */
interface Mention {
  readonly file: string;
  readonly path: string;
  readonly id: unknown;
}

function missing(
  mentions: readonly Mention[],
  known: ReadonlySet<string>,
  what: string,
): DefinitionsProblem[] {
  return mentions.flatMap(({ file, path, id }) => {
    if (typeof id !== 'string' || known.has(id)) return [];
    const near = nearestOf(id, known);
    const hint = near === undefined ? '' : `; did you mean "${near}"?`;
    const rest = `must be ${what} (${listOf([...known])}), got ${describeValue(id)}${hint}`;
    return [problem(file, path, rest)];
  });
}

function mentionsIn({ file, path, value }: Entry, ...keys: readonly string[]): Mention[] {
  let list: unknown = value;
  for (const key of keys) list = isMapping(list) ? list[key] : undefined;
  const at = keys.reduce<string>((parent, key) => joinPath(parent, key), path);
  if (!Array.isArray(list)) return [];
  return list.map((id: unknown, index) => ({ file, path: joinPath(at, index), id }));
}

function segmentMentions(entry: Entry, key: 'who' | 'audience'): Mention[] {
  return [...mentionsIn(entry, key, 'include'), ...mentionsIn(entry, key, 'exclude')];
}

function ringsOfSegments(
  segments: readonly Entry[],
  base: Definitions | undefined,
): DefinitionsProblem[] {
  const entries = new Map<unknown, Entry>(segments.map((entry) => [entry.value.id, entry]));
  const written = segments.flatMap((entry) => {
    const { id } = entry.value;
    if (typeof id !== 'string') return [];
    const uses = segmentMentions(entry, 'audience').map((mention) => mention.id);
    return [{ id, uses: uses.filter((used) => typeof used === 'string') }];
  });
  const kept = (base?.segments ?? [])
    .filter(({ id }) => !entries.has(id))
    .map(({ id, audience }) => ({ id, uses: [...audience.include, ...audience.exclude] }));
  return segmentComplaints([...written, ...kept]).flatMap(({ ids, rest }) => {
    const entry = entries.get(ids.find((id) => entries.has(id)));
    return entry === undefined ? [] : [problem(entry.file, `${entry.path}.audience`, rest)];
  });
}

function controlGroupsOf(files: readonly DefinitionFile[]): string[] {
  return files.flatMap(({ value }) => {
    let groups: unknown = value;
    for (const key of ['settings', 'controlGroups', 'custom']) {
      groups = isMapping(groups) ? groups[key] : undefined;
    }
    return isMapping(groups) ? Object.keys(groups) : [];
  });
}

/** What is named by definitions and is in none of them. */
function missingOf(
  files: readonly DefinitionFile[],
  campaigns: readonly Entry[],
  base: Definitions | undefined,
): DefinitionsProblem[] {
  const segments = entriesOf(files, 'segments');
  const baseIds = (list: readonly { readonly id: string }[] = []) => list.map(({ id }) => id);
  const webhookIds = [...idsOf(entriesOf(files, 'webhooks')), ...baseIds(base?.webhooks)];
  const segmentIds = [...idsOf(segments), ...baseIds(base?.segments)];
  const groups = [
    ...controlGroupsOf(files),
    ...Object.keys(base?.settings.controlGroups.custom ?? {}),
  ];
  const webhookMentions = campaigns.map(({ file, path, value }) => ({
    file,
    path: `${path}.webhook`,
    id: value.webhook,
  }));
  const audiences = [
    ...segments.flatMap((entry) => segmentMentions(entry, 'audience')),
    ...campaigns.flatMap((entry) => segmentMentions(entry, 'who')),
  ];
  const controls = campaigns.flatMap((entry) => mentionsIn(entry, 'control', 'custom'));
  return [
    ...missing(webhookMentions, new Set(webhookIds), 'the id of a webhook'),
    ...missing(audiences, new Set(segmentIds), 'the id of a segment'),
    ...missing(controls, new Set(groups), 'a custom control group of settings.controlGroups'),
  ];
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
    else problems.push(problem(file, path, `must be in one file, got it in ${other} too`));
  };
  for (const { file, value } of files) visit(value, '', file);
  return problems;
}

/**
 * @param hasAllFiles false when some could not be read: what is missing may be in one of those
 * @param base definitions that the files may name, and replace by id
 */
export function crossProblems(
  files: readonly DefinitionFile[],
  hasAllFiles: boolean,
  base?: Definitions,
): DefinitionsProblem[] {
  const segments = entriesOf(files, 'segments');
  const campaigns = entriesOf(files, 'campaigns');
  return [
    ...duplicateIds(entriesOf(files, 'webhooks')),
    ...duplicateIds(segments),
    ...duplicateIds(campaigns),
    ...(hasAllFiles ? missingOf(files, campaigns, base) : []),
    ...ringsOfSegments(segments, base),
    ...repeatedSettings(files),
  ];
}
