/**
 * What the product's language already has and this version does not do. Each is recognised and
 * refused by name, never ignored; whoever builds one deletes its lines here.
 */
import { joinPath } from '../../engine/errors/wording.ts';
import type { DefinitionsProblem } from './problem.ts';
import { LAPSE_VERSION } from './version.ts';

interface NotBuilt {
  /** `[]` stands for every element of a list. */
  readonly path: string;
}

export const NOT_BUILT: readonly NotBuilt[] = [
  { path: 'lists' },
  { path: 'webhooks[].auth.oauth2' },
  { path: 'webhooks[].auth.mtls' },
  { path: 'segments[].audience.behaviour' },
  { path: 'campaigns[].who.behaviour' },
  { path: 'campaigns[].qualify.past' },
  { path: 'campaigns[].qualify.list' },
  { path: 'campaigns[].schedule.every' },
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
    else {
      delete (value as Keyed)[key];
      context.walk.problems.push(problemOf(childPath, context.walk.file));
    }
  }
}

function keysOf(value: object, step: string): readonly (string | number)[] {
  if (step === '[]') return Array.isArray(value) ? [...value.keys()] : [];
  if (Array.isArray(value)) return [];
  return Object.hasOwn(value, step) ? [step] : [];
}

function problemOf(path: string, file: string): DefinitionsProblem {
  const message = `${path} is not built yet in this version of Lapse (${LAPSE_VERSION})`;
  return { file, path, message, code: 'ERR_NOT_BUILT' };
}
