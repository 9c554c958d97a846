/**
 * What the product's language already has and this version does not do. Each is recognised and
 * refused by name, never ignored; whoever builds one deletes its lines here.
 */
import { joinPath } from '../../engine/errors/wording.ts';
import type { DefinitionsProblem } from './problem.ts';
import { LAPSE_VERSION } from './version.ts';

interface NotBuilt {
  /** `[]` stands for every element of a list, `*` for every key of a mapping. */
  readonly path: string;
  /** Only values for which this is true are refused. Absent: whatever the value. */
  readonly applies?: (value: unknown) => boolean;
  /** Said between the path and "is not built". */
  readonly as?: string;
}

function isTemplate(value: unknown): boolean {
  return typeof value === 'string' && (value.includes('{{') || value.includes('{%'));
}

function isWord(...words: readonly string[]): (value: unknown) => boolean {
  return (value) => words.includes(value as string);
}

const template = { applies: isTemplate, as: 'as a template' };

export const NOT_BUILT: readonly NotBuilt[] = [
  { path: 'lists' },
  { path: 'webhooks[].auth.oauth2' },
  { path: 'webhooks[].auth.mtls' },
  { path: 'webhooks[].url', ...template },
  { path: 'webhooks[].headers.*', ...template },
  { path: 'segments[].audience.behaviour' },
  { path: 'campaigns[].who.behaviour' },
  { path: 'campaigns[].qualify.past' },
  { path: 'campaigns[].qualify.list' },
  { path: 'campaigns[].schedule.every' },
  { path: 'campaigns[].content.mode', applies: isWord('custom'), as: '"custom"' },
  { path: 'campaigns[].content.body' },
  { path: 'campaigns[].content.type', applies: isWord('text'), as: '"text"' },
  { path: 'campaigns[].content.payload', applies: isWord('v2'), as: '"v2"' },
  { path: 'campaigns[].content.onMissing' },
  { path: 'campaigns[].content.headers' },
  { path: 'campaigns[].content.keyValues.*', ...template },
  { path: 'campaigns[].content.query.*', ...template },
];

type Keyed = Record<string | number, unknown>;

interface Walk {
  readonly file: string;
  readonly problems: DefinitionsProblem[];
}

/**
 * Takes what is not built out of a file's value, so that the schema only sees the rest.
 * @param root changed in place
 * @returns a problem for each key that was taken out
 */
export function takeNotBuilt(root: unknown, file: string): DefinitionsProblem[] {
  const walk: Walk = { file, problems: [] };
  for (const entry of NOT_BUILT) {
    const steps = entry.path.replaceAll('[]', '.[]').split('.');
    visit(root, steps, '', { entry, walk });
  }
  return walk.problems;
}

function visit(
  value: unknown,
  steps: readonly string[],
  path: string,
  context: { readonly entry: NotBuilt; readonly walk: Walk },
): void {
  if (typeof value !== 'object' || value === null) return;
  const [step, ...rest] = steps;
  for (const key of keysOf(value, step!)) {
    const child = (value as Keyed)[key];
    const childPath = joinPath(path, key);
    if (rest.length > 0) visit(child, rest, childPath, context);
    else if (context.entry.applies?.(child) ?? true) {
      delete (value as Keyed)[key];
      context.walk.problems.push(problemOf(context.entry, childPath, context.walk.file));
    }
  }
}

function keysOf(value: object, step: string): readonly (string | number)[] {
  if (step === '[]') return Array.isArray(value) ? [...value.keys()] : [];
  if (Array.isArray(value)) return [];
  if (step === '*') return Object.keys(value);
  return Object.hasOwn(value, step) ? [step] : [];
}

function problemOf({ as }: NotBuilt, path: string, file: string): DefinitionsProblem {
  const subject = as === undefined ? path : `${path} ${as}`;
  const message = `${subject} is not built yet in this version of Lapse (${LAPSE_VERSION})`;
  return { file, path, message, code: 'ERR_NOT_BUILT' };
}
