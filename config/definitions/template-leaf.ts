/** Values that may be Liquid templates: checked when they are saved, with line and column. */
import * as z from 'zod';
import type { TemplateKind } from '../../operators/render/template.ts';
import { bodyProblem, templateProblem } from '../../operators/render/template-check.ts';
import type { TemplateProblem } from '../../operators/render/template-failure.ts';
import { PATH_PLACEHOLDER } from '../../operators/schema/event-match.ts';
import type { Leaf } from '../../operators/schema/leaf.ts';

/** An issue whose sentence is complete: the place is within the value, not the value. */
function issueOf({ message, line, column }: TemplateProblem) {
  const got = `${message} (line ${line}, column ${column})`;
  const sentence = `${PATH_PLACEHOLDER} must be a template that can be rendered, got ${got}`;
  return { code: 'custom' as const, message: sentence, params: { code: 'ERR_TEMPLATE' } };
}

/**
 * The schema of a leaf whose text may have tags.
 * @param refusal what the text must be where it must not have them; undefined when all is well
 */
export function templateOf(
  leaf: Leaf<string>,
  kind: TemplateKind = 'text',
  refusal: (text: string) => string | undefined = () => undefined,
) {
  return z
    .unknown()
    .transform((value, context): string => {
      const refused = typeof value === 'string' ? refusal(value) : undefined;
      const text = refused === undefined ? leaf.read(value) : undefined;
      if (text === undefined) {
        const wanted = refused ?? leaf.wanted;
        context.issues.push({ code: 'custom', message: `must be ${wanted}`, input: value });
        return z.NEVER;
      }
      const problem = templateProblem(text, { kind });
      if (problem !== undefined) context.issues.push({ ...issueOf(problem), input: value });
      return text;
    })
    .meta({ title: leaf.wanted, ...leaf.json });
}

interface BodyInput {
  readonly mode: 'variables' | 'custom';
  readonly type: 'json' | 'text';
  readonly body?: string | undefined;
}

/** What mode, type and body must agree on. */
export function checkBody(content: BodyInput, context: z.core.$RefinementCtx<BodyInput>): void {
  const { mode, type, body } = content;
  const complain = (key: string, message: string) =>
    context.issues.push({ code: 'custom', path: [key], message, input: content });
  if (mode === 'variables') {
    if (body !== undefined) complain('body', 'must be left out unless mode is custom');
    if (type === 'text') complain('type', 'must be json unless mode is custom');
    return;
  }
  if (body === undefined) {
    complain('body', 'must be a template in mode custom');
    return;
  }
  const problem = bodyProblem(body, type);
  if (problem === undefined) return;
  context.issues.push({ ...issueOf(problem), path: ['body'], input: content });
}
