import type { Content, Webhook } from '../definitions.ts';
import { compileTemplate, hasTags } from './template.ts';
import { TemplateProblem } from './template-failure.ts';

type Templates = Pick<Content, 'mode'> & Partial<Content>;

/**
 * Whether a request is made for one user: a custom body, or a template over the user in the URL,
 * the headers or the key values. Users of other contents may share a request (SPEC 4).
 */
export function isOverUser(
  content: Templates,
  webhook?: Pick<Webhook, 'url' | 'headers'>,
): boolean {
  if (content.mode === 'custom') return true;
  const { keyValues, query, headers } = content;
  if (webhook !== undefined && isTemplateOverUser(webhook.url)) return true;
  return [keyValues, query, headers, webhook?.headers].some((texts) =>
    Object.values(texts ?? {}).some(isTemplateOverUser),
  );
}

function isTemplateOverUser(text: string): boolean {
  if (!hasTags(text)) return false;
  try {
    return compileTemplate(text, { kind: 'text' }).isOverUser;
  } catch (error) {
    // It is rendered for each user, and fails for each.
    if (error instanceof TemplateProblem) return true;
    throw error;
  }
}
