// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so do files name variables.
/** Definitions as YAML and JSON, through every check, to rules and requests that could be run. */
import { readFileSync } from 'node:fs';
import { parseDefinitions } from '../../../config/definitions/definitions.ts';
import { DefinitionsError, type DefinitionsProblem } from '../../../config/definitions/problem.ts';
import { parseText } from '../../../config/definitions/read-files.ts';
import type { OutgoingRequest } from '../../../engine/sender/transport.ts';
import type { Definitions } from '../../../operators/definitions.ts';
import { type RequestParts, requestOf } from '../../../operators/delivery/content.ts';
import type { Delivery } from '../../../operators/delivery/delivery.ts';
import { RenderRefusal } from '../../../operators/render/template-failure.ts';
import { CampaignBook } from '../../../operators/router/campaign-book.ts';
import { validDefinitions } from '../../config/definitions/valid.ts';
import { demand, type FuzzTarget, type Outcome } from '../target.ts';

const AT_MS = Date.parse('2026-01-05T09:00:00Z');
const ENVIRONMENT = { A: 'value', SECRET: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' };

const delivery: Delivery = {
  id: 'msg_1',
  campaignId: 'c',
  userId: 'u',
  qualifiedAtMs: AT_MS,
  dueAtMs: AT_MS,
  expiresAtMs: AT_MS + 1,
  body: '{"Identity":"u"}',
};

function run(input: Uint8Array): Outcome {
  const problems: DefinitionsProblem[] = [];
  // Files that are not UTF-8 are refused before anything reads their text.
  const value = parseText(Buffer.from(input).toString(), 'fuzz', problems);
  if (problems.length > 0) {
    demandSentences(problems);
    return 'refused';
  }
  let definitions: Definitions;
  try {
    definitions = parseDefinitions(value, { file: 'fuzz', env: ENVIRONMENT });
  } catch (error) {
    if (!(error instanceof DefinitionsError)) throw error;
    demandSentences(error.problems);
    demand(error.message.length < 1024 * 1024, () => `A message of ${error.message.length}.`);
    return 'refused';
  }
  demandUsable(definitions);
  return 'accepted';
}

function demandSentences(problems: readonly DefinitionsProblem[]): void {
  demand(problems.length > 0, () => 'Definitions were refused without a problem.');
  for (const { message, code } of problems) {
    demand(/ must |is not built yet/.test(message), () => `Not a sentence: ${message}`);
    demand(!message.includes('call stack'), () => `Not our words: ${message.slice(0, 300)}`);
    demand(code.startsWith('ERR_'), () => `Not a code: ${code}`);
  }
}

/** Undefined when a template of the definitions ends the delivery. */
function rendered(parts: RequestParts): OutgoingRequest | undefined {
  try {
    return requestOf(parts);
  } catch (error) {
    if (error instanceof RenderRefusal) return undefined;
    throw error;
  }
}

/** They survive the log, where they travel as JSON, and every campaign can be run with them. */
function demandUsable(definitions: Definitions): void {
  const text = JSON.stringify(definitions);
  const stored = JSON.parse(text) as Definitions;
  demand(JSON.stringify(stored) === text, () => 'Definitions change on their way through the log.');
  new CampaignBook().apply(stored, AT_MS);
  for (const campaign of stored.campaigns) {
    const webhook = stored.webhooks.find(({ id }) => id === campaign.webhook);
    demand(webhook !== undefined, () => `No webhook ${campaign.webhook}.`);
    const parts = { webhook, campaign, members: [delivery], webhookId: 'msg_1', attempt: 1 };
    const request = rendered({ ...parts, atMs: AT_MS, userAgent: 'Lapse/0' });
    if (request === undefined) continue;
    demand(URL.canParse(request.url), () => `A URL that is none: ${request.url}`);
    // What the HTTP client would refuse must have been refused here.
    new Headers({ ...request.headers });
  }
}

export const definitions: FuzzTarget = {
  name: 'definitions',
  format: 'yaml',
  seeds: () => [
    JSON.stringify(validDefinitions()),
    readFileSync('config/examples/cart-abandoned.yaml', 'utf8'),
    readFileSync('config/examples/local.yaml', 'utf8'),
    readFileSync('config/examples/rules.yaml', 'utf8'),
    readFileSync('config/examples/gates.yaml', 'utf8'),
    readFileSync('app/demo/demo.yaml', 'utf8'),
  ],
  words: [
    'webhooks',
    'campaigns',
    'settings',
    'qualify',
    'live',
    'inaction',
    'where',
    'without',
    'headers',
    'retry',
    'fields',
    'keyValues',
    'secret',
    'any',
    'all',
    'not',
    'bucket',
    'matches',
    '${SECRET}',
    '${A}',
    '10m',
    '182d',
    'IST',
    'Asia/Kolkata',
    'http://[::1]:1/',
    'http://a@b/',
    'https://x/?a=%ff#',
  ],
  share: 0.03,
  open: () => ({ run }),
};
