import type { FastifyInstance, FastifyReply } from 'fastify';
import { parseDefinitionFiles } from '../../../config/definitions/definitions.ts';
import { DefinitionsError, partsOf } from '../../../config/definitions/problem.ts';
import { DEFINITION_FILE_BYTES_MAX } from '../../../config/limits.ts';
import { LapseError, messageOf } from '../../../engine/errors/errors.ts';
import { parseJson } from '../../../engine/json/parse-json.ts';
import { actionsFrom, type LifeAction } from '../../../operators/campaign-life.ts';
import type { Campaign, Webhook } from '../../../operators/definitions.ts';
import type { Life } from '../../../operators/router/campaign-entry.ts';
import type { ControlPlane } from '../control/control-plane.ts';

/** What the control routes need. */
export interface Control {
  /** Undefined while Lapse starts. */
  readonly control: () => ControlPlane | undefined;
  /** The setting `egress.allow`. */
  readonly egressAllow: readonly string[];
  readonly now: () => number;
}

const ACTIONS = ['publish', 'pause', 'resume', 'stop', 'archive'] as const satisfies LifeAction[];
const STATUS: Readonly<Record<string, number>> = {
  ERR_CAMPAIGN_UNKNOWN: 404,
  ERR_CAMPAIGN_STATE: 409,
  ERR_CAP_WEBHOOK: 409,
  ERR_STOPPING: 503,
  ERR_LOG_UNAVAILABLE: 503,
  ERR_LOG_FULL: 507,
};
/** Of all files of one request. */
const BODY_BYTES_MAX = 4 * DEFINITION_FILE_BYTES_MAX;

/** Adds /api/campaigns, /api/webhooks, /api/segments and /api/apply. Loopback only: there are no keys. */
export async function addControlRoutes(server: FastifyInstance, options: Control): Promise<void> {
  await server.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    const parser = { parseAs: 'string', bodyLimit: BODY_BYTES_MAX } as const;
    scope.addContentTypeParser('application/json', parser, (_request, body, done) => {
      try {
        done(null, parseJson(String(body)));
      } catch (error) {
        done(new LapseError('ERR_BODY', `The body must be JSON, it is not: ${messageOf(error)}.`));
      }
    });
    scope.setErrorHandler((error, _request, reply) => sendError(reply, error));
    addReading(scope, options);
    for (const action of ACTIONS) {
      scope.post<{ Params: { id: string } }>(`/api/campaigns/:id/${action}`, async ({ params }) => {
        await running(options).act(params.id, action);
        return campaignView(options, params.id);
      });
    }
    for (const method of ['POST', 'PUT'] as const) {
      scope.route<{ Querystring: { dryRun?: string } }>({
        method,
        url: '/api/apply',
        handler: async ({ body, query }) =>
          running(options).apply(
            (base) =>
              parseDefinitionFiles(filesIn(body), {
                base,
                egressFlags:
                  options.egressAllow.length === 0 ? {} : { egress: options.egressAllow.join(',') },
              }),
            { isDryRun: query.dryRun === '1' || query.dryRun === 'true' },
          ),
      });
    }
  });
}

function addReading(scope: FastifyInstance, options: Control): void {
  scope.get('/api/campaigns', async () => ({
    campaigns: running(options).definitions.campaigns.map((one) => summaryOf(options, one)),
  }));
  scope.get<{ Params: { id: string } }>('/api/campaigns/:id', async ({ params }) =>
    campaignView(options, params.id),
  );
  scope.get('/api/webhooks', async () => ({
    webhooks: running(options).definitions.webhooks.map(webhookView),
  }));
  scope.get<{ Params: { id: string } }>('/api/webhooks/:id', async ({ params }) =>
    webhookView(found(running(options).definitions.webhooks, 'webhook', params.id)),
  );
  scope.get('/api/segments', async () => ({ segments: running(options).definitions.segments }));
  scope.get<{ Params: { id: string } }>('/api/segments/:id', async ({ params }) =>
    found(running(options).definitions.segments, 'segment', params.id),
  );
}

/** @throws LapseError `ERR_NOT_READY` while Lapse starts */
function running({ control }: Control): ControlPlane {
  const plane = control();
  if (plane !== undefined) return plane;
  throw new LapseError('ERR_NOT_READY', 'Lapse is starting; send again later.');
}

function found<T extends { readonly id: string }>(list: readonly T[], kind: string, id: string): T {
  const one = list.find((candidate) => candidate.id === id);
  if (one !== undefined) return one;
  const code = kind === 'campaign' ? 'ERR_CAMPAIGN_UNKNOWN' : 'ERR_NOT_FOUND';
  throw new LapseError(code, `There is no ${kind} ${JSON.stringify(id)}.`);
}

/** SPEC 6: a campaign whose start lies ahead is scheduled. */
export function stateOf({ schedule }: Campaign, life: Life, nowMs: number): string {
  const isAhead = schedule.startAtMs !== undefined && schedule.startAtMs > nowMs;
  if (life === 'running' && isAhead) return 'scheduled';
  const isPast = schedule.endAtMs !== undefined && schedule.endAtMs < nowMs;
  return isPast && (life === 'running' || life === 'paused') ? 'completed' : life;
}

function summaryOf(options: Control, campaign: Campaign) {
  const life = running(options).lives.get(campaign.id) ?? 'draft';
  const { id, name, webhook, labels } = campaign;
  return { id, name, state: stateOf(campaign, life, options.now()), webhook, labels };
}

function campaignView(options: Control, id: string) {
  const plane = running(options);
  const campaign = found(plane.definitions.campaigns, 'campaign', id);
  const summary = summaryOf(options, campaign);
  const actions = actionsFrom(plane.lives.get(id) ?? 'draft');
  return { ...summary, actions, definition: campaign };
}

/** Without what must not be shown: credentials, secrets, values of headers and of the query. */
function webhookView(webhook: Webhook) {
  const { url, headers, auth, secret, ...rest } = webhook;
  const { origin, pathname } = new URL(url);
  return {
    ...rest,
    url: `${origin}${pathname}`,
    headers: Object.keys(headers),
    auth: auth.kind,
    isSigned: secret !== undefined,
  };
}

/** One object of definitions, or `{"files": [{"file", "value"}]}` as `lapse apply` sends. */
function filesIn(body: unknown): { file: string; value: unknown }[] {
  const { files } = (body ?? {}) as { files?: unknown };
  if (!Array.isArray(files)) return [{ file: 'body', value: body }];
  return files.map((one: unknown, i) => {
    const { file, value } = (one ?? {}) as { file?: unknown; value?: unknown };
    return { file: typeof file === 'string' ? file : `files[${i}]`, value };
  });
}

function sendError(reply: FastifyReply, error: unknown): FastifyReply {
  const problem = problemOf(error);
  if (problem.status === 503) void reply.header('retry-after', '1');
  return reply.code(problem.status).type('application/problem+json').send(problem);
}

function problemOf(error: unknown): { readonly status: number } & Record<string, unknown> {
  const base = { type: 'about:blank', title: 'Refused' };
  if (error instanceof DefinitionsError) {
    const problems = error.problems.map(partsOf);
    const [first] = problems;
    const facts = { path: first?.path ?? '', problems };
    return { ...base, status: 422, code: error.code, detail: error.message, ...facts };
  }
  if (error instanceof LapseError) {
    const status = STATUS[error.code] ?? (error.code === 'ERR_NOT_FOUND' ? 404 : statusOf(error));
    return { ...base, status, code: error.code, detail: error.message, ...error.facts };
  }
  const { statusCode = 500 } = error as { statusCode?: number };
  const code =
    statusCode === 415 ? 'ERR_MEDIA_TYPE' : statusCode === 413 ? 'ERR_TOO_LARGE' : 'ERR_INTERNAL';
  return { ...base, status: statusCode, code, detail: `${messageOf(error)}.` };
}

function statusOf({ code, domain, retryable }: LapseError): number {
  if (code === 'ERR_NOT_READY' || retryable) return 503;
  return code === 'ERR_BODY' ? 400 : domain === 'user' ? 422 : 500;
}
