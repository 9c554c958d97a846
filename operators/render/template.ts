import type { Template as LiquidNode } from 'liquidjs';
import { liquid, type RenderTime, renderNodes, TEMPLATE_CHARS_MAX } from './liquid.ts';
import { placeEscapers, type TemplateKind } from './places.ts';
import { TemplateProblem } from './template-failure.ts';

export type { RenderTime } from './liquid.ts';
export type { TemplateKind } from './places.ts';

/** What a template may name. */
export const ROOTS = ['Profile', 'Event', 'Campaign', 'KeyValues'] as const;
type Root = (typeof ROOTS)[number];
export type TemplateScope = Readonly<Record<Root, Readonly<Record<string, unknown>>>>;

export interface TemplateRules {
  readonly kind: TemplateKind;
  /** @default 'blank' */
  readonly onMissing?: 'blank' | 'fail' | undefined;
}

/** A template that has been checked, ready to be rendered. */
export interface CompiledTemplate {
  /** Whether its text can differ from user to user. */
  readonly isOverUser: boolean;
  /** @throws RenderRefusal */
  render(scope: TemplateScope, time: RenderTime): string;
}

/** Compiled ones that are kept: about 35 KB each. */
const KEPT_MAX = 500;
const kept = new Map<string, CompiledTemplate>();

/** False for a text that means itself. */
export function hasTags(text: string): boolean {
  return text.includes('{{') || text.includes('{%');
}

/**
 * Checks a template and makes it ready. Equal texts are compiled once.
 * @throws TemplateProblem
 */
export function compileTemplate(text: string, rules: TemplateRules): CompiledTemplate {
  const { kind, onMissing = 'blank' } = rules;
  const key = `${kind} ${onMissing} ${text}`;
  let template = kept.get(key);
  if (template !== undefined) return template;
  template = compile(text, { kind, onMissing });
  kept.set(key, template);
  if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value!);
  return template;
}

function compile(text: string, rules: Required<TemplateRules>): CompiledTemplate {
  if (!hasTags(text)) return { isOverUser: false, render: () => text };
  if (text.length > TEMPLATE_CHARS_MAX) {
    throw new TemplateProblem(`it has more than ${TEMPLATE_CHARS_MAX} characters`, 1, 1);
  }
  const nodes = parse(rules.kind === 'json' ? withPlainTags(text) : text);
  const roots = rootsOf(nodes);
  placeEscapers(nodes, { kind: rules.kind, onMissing: rules.onMissing ?? 'blank' });
  return {
    // Key values may be templates over the user themselves.
    isOverUser: roots.some((root) => root !== 'Campaign'),
    render: (scope, time) => renderNodes(nodes, scope, time),
  };
}

/**
 * In a body of JSON people escape the quotes within a tag too, since it is in a string:
 * `"{{ Profile.name | default: \"you\" }}"`. Such a tag is read as if they had not.
 */
function withPlainTags(text: string): string {
  return text.replace(/\{\{.*?\}\}|\{%.*?%\}/gs, (tag) => {
    const isEscaped = /^[^"']*\\"/.test(tag);
    return isEscaped ? tag.replace(/\\(["\\])/g, '$1') : tag;
  });
}

function parse(text: string): LiquidNode[] {
  try {
    return liquid.parse(text);
  } catch (error) {
    throw problemOf(error);
  }
}

/** The package puts the place at the end of the first line of its message. */
function problemOf(error: unknown): TemplateProblem {
  const message = error instanceof Error ? error.message.split('\n')[0]! : String(error);
  const parts = /^(.*), line:(\d+), col:(\d+)$/.exec(message);
  if (parts === null) return new TemplateProblem(message, 1, 1);
  return new TemplateProblem(parts[1]!, Number(parts[2]), Number(parts[3]));
}

function rootsOf(nodes: LiquidNode[]): string[] {
  const { globals } = liquid.analyzeSync(nodes, { partials: false });
  const roots = Object.keys(globals);
  for (const root of roots) {
    if ((ROOTS as readonly string[]).includes(root)) continue;
    const { row = 1, col = 1 } = globals[root]![0]?.location ?? {};
    throw new TemplateProblem(`unknown name: ${root} (known: ${ROOTS.join(', ')})`, row, col);
  }
  return roots;
}
