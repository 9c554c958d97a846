import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { LAPSE_VERSION } from '../../config/definitions/version.ts';
import type { Metrics } from '../../connectors/metrics/metrics.ts';
import { externalError, messageOf, userError } from '../../engine/errors/errors.ts';
import type { Condition } from '../../engine/health/conditions.ts';
import { type Clock, systemClock } from '../../engine/time/clock.ts';
import type { ConnectionLimit } from './connection-limit.ts';
import { endConnectionsOnClose } from './http-connections.ts';

export interface Health {
  /** What keeps it from being ready; none when it is. */
  readonly notReady: () => readonly Condition[];
  readonly metrics: Metrics;
  readonly connections: ConnectionLimit;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** Time that a client has for a whole request, its head included. */
const REQUEST_TIMEOUT_MS = 30_000;
/** How often it is looked for requests that take longer. */
const REQUEST_CHECK_MS = 5_000;
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

const FRONT_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Lapse ${LAPSE_VERSION}</title>
<h1>Lapse ${LAPSE_VERSION}</h1>
<p>Sends a webhook the moment a user does something, or has not done something for long enough.</p>
<ul>
<li><a href="/metrics">/metrics</a>: what it does, for Prometheus</li>
<li><a href="/healthz">/healthz</a>: whether the process lives</li>
<li><a href="/readyz">/readyz</a>: whether it takes events, fires timers and delivers</li>
</ul>
<p>Events come in by <code>POST /v1/track</code>, <code>/v1/identify</code> and
<code>/v1/batch</code>, in the form of the Segment spec.</p>
</html>
`;

/** The server with a front page, /healthz, /readyz and /metrics; doors add their routes. */
export function createHttpServer({
  notReady,
  metrics,
  connections,
  clock = systemClock,
}: Health): FastifyInstance {
  const server = Fastify({
    logger: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: {
      headersTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: REQUEST_CHECK_MS,
    },
    frameworkErrors: (_error, request, reply) => void notFound(request, reply),
    forceCloseConnections: 'idle',
  });
  connections.apply(server);
  endConnectionsOnClose(server, clock);
  server.get('/', async (_request, reply) =>
    reply.type('text/html; charset=utf-8').send(FRONT_PAGE),
  );
  server.get('/healthz', async () => ({ status: 'ok', version: LAPSE_VERSION }));
  server.get('/readyz', async (_request, reply) => {
    const reasons = notReady();
    return reply.code(reasons.length === 0 ? 200 : 503).send({
      status: reasons.length === 0 ? 'ready' : 'not ready',
      reasons: reasons.map(({ cause, where, message, sinceMs }) => ({
        cause,
        ...(where === '' ? {} : { where }),
        message,
        since: new Date(sinceMs).toISOString(),
      })),
    });
  });
  server.get('/metrics', async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  );
  // Nobody here asks for a body, so none is read: of an address that is not there either.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, _body, done) => done(null));
  server.setNotFoundHandler(notFound);
  return server;
}

async function notFound(
  { method, url }: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  return reply
    .code(404)
    .header('connection', 'close')
    .type('application/problem+json')
    .send({
      title: 'Not found',
      status: 404,
      code: 'ERR_NOT_FOUND',
      detail: `There is no ${method} ${url.split('?')[0]} here.`,
    });
}

/**
 * Binds to loopback only: there are no keys in this version, and nothing else may reach it.
 * @returns the URL
 * @throws LapseError `ERR_HOST`, `ERR_PORT_IN_USE`, `ERR_LISTEN`
 */
export async function listen(
  server: FastifyInstance,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<string> {
  if (!LOOPBACK.has(host)) {
    throw userError(
      'ERR_HOST',
      `--host must be a loopback address (127.0.0.1, ::1 or localhost) as long as there are no API keys, got ${host}`,
    );
  }
  try {
    // By this name Fastify would listen on the addresses of both families, on the second one by a
    // server of its own, which knows of no limit and no end.
    return await server.listen({ host: host === 'localhost' ? '127.0.0.1' : host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw userError(
        'ERR_PORT_IN_USE',
        `--port must be free, ${port} on ${host} is in use; choose another, such as --port ${port + 1}`,
      );
    }
    if (code === 'EACCES') {
      throw userError('ERR_LISTEN', `--port must be one this user may open, ${port} is not`);
    }
    throw externalError('ERR_LISTEN', `Listening on ${host}:${port} failed: ${messageOf(error)}`);
  }
}
