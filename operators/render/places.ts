/**
 * Gives each `{{ … }}` of a template the escaper of its place. In JSON that is known from the
 * template alone: within a string the value's text, without quotes; outside one the whole value as
 * JSON. So a value can neither leave its string nor add a key.
 */
import type { Context, Template } from 'liquidjs';
import { writeJson } from '../../engine/json/write-json.ts';
import { RenderRefusal, TemplateProblem } from './template-failure.ts';

/** - `segment`: a part of a URL's path or query, percent-encoded. */
export type TemplateKind = 'json' | 'text' | 'segment';

interface PlaceRules {
  readonly kind: TemplateKind;
  /** What a missing value does. */
  readonly onMissing: 'blank' | 'fail';
}

type Escape = (value: unknown, context: Context) => string;

/** The part of a node that the walk looks at; which ones are there depends on its tag. */
interface Node {
  readonly token: { getPosition(): number[] };
  readonly name?: string;
  /** Of literal text. */
  readonly str?: string;
  /** Of `{{ … }}`, and of tags that have one. */
  readonly value?: { readonly filters?: FilterSlot[] };
  readonly tokens?: readonly { getText?(): string }[];
  readonly templates?: readonly Node[];
  readonly elseTemplates?: readonly Node[];
  readonly branches?: readonly { readonly templates: readonly Node[] }[];
}

interface FilterSlot {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly raw: boolean;
  render(value: unknown, context: Context): IterableIterator<unknown>;
}

interface Walk extends PlaceRules {
  /** Within `{% capture %}`: the text is escaped where it is printed. */
  readonly isCapturing: boolean;
  /** Whether a string was open where the innermost loop begins. */
  readonly loopState: boolean;
}

/** @throws TemplateProblem when the place of a value depends on the path that a rendering takes */
export function placeEscapers(templates: readonly Template[], rules: PlaceRules): void {
  const nodes = templates as unknown as readonly Node[];
  const isOpen = walk(nodes, false, { ...rules, isCapturing: false, loopState: false });
  if (isOpen && nodes.length > 0) throw problem(nodes.at(-1)!, 'a quote is opened and not closed');
}

function problem(node: Node, message: string): TemplateProblem {
  const [line = 1, column = 1] = node.token.getPosition();
  return new TemplateProblem(message, line, column);
}

/** @returns whether a string is open at the end */
function walk(nodes: readonly Node[], isOpenBefore: boolean, rules: Walk): boolean {
  let isOpen = isOpenBefore;
  for (const node of nodes) isOpen = step(node, isOpen, rules);
  return isOpen;
}

function step(node: Node, isOpen: boolean, rules: Walk): boolean {
  const isTracked = rules.kind === 'json' && !rules.isCapturing;
  if (node.str !== undefined) return isTracked ? scan(node, node.str, isOpen) : isOpen;
  const { name } = node;
  if (name === undefined) {
    const filters = node.value?.filters;
    if (filters !== undefined) escapeOutput(filters, isOpen, rules);
    return isOpen;
  }
  if (name === 'raw') {
    const text = (node.tokens ?? []).map((token) => token.getText?.() ?? '').join('');
    return isTracked ? scan(node, text, isOpen) : isOpen;
  }
  if (name === 'comment') return isOpen;
  if (name === 'capture') {
    walk(node.templates ?? [], false, { ...rules, isCapturing: true });
    return isOpen;
  }
  if ((name === 'break' || name === 'continue') && isTracked && isOpen !== rules.loopState) {
    throw problem(node, `a quote is open at {% ${name} %}`);
  }
  return branches(node, isOpen, rules);
}

function branches(node: Node, isOpen: boolean, rules: Walk): boolean {
  const hasElse = node.elseTemplates !== undefined && node.elseTemplates.length > 0;
  const groups = [
    ...(node.branches ?? []).map(({ templates }) => templates),
    ...(node.templates === undefined ? [] : [node.templates]),
    ...(hasElse ? [node.elseTemplates!] : []),
  ];
  if (groups.length === 0) return isOpen;
  const isLoop = node.name === 'for';
  const inner = isLoop ? { ...rules, loopState: isOpen } : rules;
  const ends = groups.map((group) => walk(group, isOpen, inner));
  // A loop may run any number of times, and a condition without `else` may not hold.
  const all = hasElse && !isLoop ? ends : [...ends, isOpen];
  if (new Set(all).size > 1) {
    throw problem(
      node,
      `a quote is opened in one branch of {% ${node.name} %} and not closed in it`,
    );
  }
  return ends[0]!;
}

/** Follows the quotes of literal text. */
function scan(node: Node, text: string, isOpenBefore: boolean): boolean {
  let isOpen = isOpenBefore;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') isOpen = !isOpen;
    else if (isOpen && text[i] === '\\' && ++i === text.length) {
      // It would escape the first character of whatever the template prints next.
      throw problem(node, 'a backslash is the last character before a tag');
    }
  }
  return isOpen;
}

function escapeOutput(filters: FilterSlot[], isOpen: boolean, rules: Walk): void {
  const last = filters.at(-1)?.name;
  const escaper = escaperOf(isOpen, last === 'json', rules);
  const hasDefault = filters.some(({ name }) => name === 'default');
  if (rules.onMissing === 'blank') {
    filters.push(slot(escaper));
    return;
  }
  // Filters make an empty text of nothing, so what was there before them counts too.
  let wasMissing = false;
  const isRefused = (value: unknown) =>
    isNothing(value) || (wasMissing && !hasDefault && value === '');
  filters.unshift(
    slot((value) => {
      wasMissing = isNothing(value);
      return value;
    }),
  );
  filters.push(
    slot((value, context) => {
      if (isRefused(value)) throw new RenderRefusal('render-failed', 'a value is missing');
      return escaper(value, context);
    }),
  );
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null;
}

function slot(apply: (value: unknown, context: Context) => unknown): FilterSlot {
  return {
    name: 'place',
    args: [],
    raw: false,
    // biome-ignore lint/correctness/useYield: the package renders filters as generators
    *render(value, context) {
      return apply(value, context);
    },
  };
}

function escaperOf(isOpen: boolean, isJson: boolean, { kind, isCapturing }: Walk): Escape {
  if (isCapturing || kind === 'text') return asText;
  if (kind === 'segment') return asSegment;
  if (isOpen) return inString;
  return isJson ? asWritten : asValue;
}

function asText(value: unknown): string {
  if (isNothing(value)) return '';
  if (typeof value === 'string') return value;
  return typeof value === 'object' ? writeJson(value) : String(value);
}

function inString(value: unknown, context: Context): string {
  const text = asText(value);
  context.memoryLimit.use(text.length);
  return JSON.stringify(text).slice(1, -1);
}

function asValue(value: unknown, context: Context): string {
  const text = writeJson(value ?? null) ?? 'null';
  context.memoryLimit.use(text.length);
  return text;
}

/** What the filter `json` wrote is JSON already. */
function asWritten(value: unknown): string {
  return typeof value === 'string' ? value : 'null';
}

function asSegment(value: unknown): string {
  // Half a character has no encoding.
  return encodeURIComponent(asText(value).replace(/\p{Surrogate}/gu, '\ufffd'));
}
