import type { RenderTime, TemplateRules, TemplateScope } from './template.ts';
import { compileTemplate } from './template.ts';
import { RenderRefusal, TemplateProblem } from './template-failure.ts';

/** What is wrong with a template; undefined when it can be rendered. */
export function templateProblem(text: string, rules: TemplateRules): TemplateProblem | undefined {
  try {
    compileTemplate(text, rules);
    return undefined;
  } catch (error) {
    if (error instanceof TemplateProblem) return error;
    throw error;
  }
}

const TIME: RenderTime = { nowMs: 0, timezone: 'UTC' };

/** As `templateProblem`, of a whole body: one of JSON must give JSON, for somebody at least. */
export function bodyProblem(body: string, type: 'json' | 'text'): TemplateProblem | undefined {
  const problem = templateProblem(body, { kind: type });
  if (problem !== undefined || type === 'text') return problem;
  const template = compileTemplate(body, { kind: type });
  for (const scope of [ofNobody(), ofSomebody()]) {
    try {
      JSON.parse(template.render(scope, TIME));
      return undefined;
    } catch (error) {
      // It says itself for whom nothing is sent.
      if (error instanceof RenderRefusal && error.reason === 'aborted') return undefined;
    }
  }
  return new TemplateProblem('a text that is not JSON when rendered', 1, 1);
}

function ofNobody(): TemplateScope {
  return { Profile: {}, Event: {}, Campaign: {}, KeyValues: {} };
}

/** Has whatever it is asked for, as a list of one that prints as a text. */
function ofSomebody(): TemplateScope {
  const some = new Proxy(
    {},
    {
      get: (_, name) => (typeof name === 'string' ? '1' : undefined),
      getOwnPropertyDescriptor: () => ({ value: '1', configurable: true, enumerable: true }),
    },
  );
  return { Profile: some, Event: some, Campaign: some, KeyValues: some };
}
