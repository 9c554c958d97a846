import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { LAPSE_VERSION } from '../../../config/definitions/version.ts';
import { UpgradeRequest } from '../../../connectors/doors/websocket/upgrade-request.ts';
import { externalError, messageOf, userError } from '../../../engine/errors/errors.ts';
import { type Clock, systemClock } from '../../../engine/time/clock.ts';
import { answerClientErrors } from './client-errors.ts';
import type { ConnectionLimit } from './connection-limit.ts';
import { addHealthRoutes, type Health } from './health-routes.ts';
import { endConnectionsOnClose } from './http-connections.ts';
import type { RequestGuard } from './request-guard.ts';

export interface HttpServerOptions extends Health {
  readonly connections: ConnectionLimit;
  readonly guard: RequestGuard;
  /** Told the code of what was no request. */
  readonly onRefused: (code: string) => void;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** Time that a client has for a head. */
const HEAD_TIMEOUT_MS = 10_000;
/** Time that it has for a whole request; a body must keep a pace besides. */
const REQUEST_TIMEOUT_MS = 60_000;
/** How often it is looked for requests that take longer. */
const REQUEST_CHECK_MS = 1_000;
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

/** A server that bounds what clients may do to it; without routes. */
export function createBareServer({
  connections,
  guard,
  onRefused,
  clock = systemClock,
}: Omit<HttpServerOptions, keyof Health>): FastifyInstance {
  const server = Fastify({
    logger: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: {
      IncomingMessage: UpgradeRequest,
      headersTimeout: HEAD_TIMEOUT_MS,
      connectionsCheckingInterval: REQUEST_CHECK_MS,
    },
    frameworkErrors: (_error, request, reply) => void notFound(request, reply),
    clientErrorHandler: answerClientErrors(onRefused),
    forceCloseConnections: 'idle',
  });
  connections.apply(server);
  endConnectionsOnClose(server, clock);
  guard.apply(server);
  // Nobody here asks for a body, so none is read: of an address that is not there either.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, _body, done) => done(null));
  server.setNotFoundHandler(notFound);
  return server;
}

/** The server with a front page, /healthz, /readyz and /metrics; doors add their routes. */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const server = createBareServer(options);
  server.get('/', async (_request, reply) =>
    reply.type('text/html; charset=utf-8').send(FRONT_PAGE),
  );
  addHealthRoutes(server, options);
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
  // By this name Fastify would listen on the addresses of both families, on the second one by a
  // server of its own, which knows of no limit and no end.
  const address = { host: host === 'localhost' ? '127.0.0.1' : host, port };
  return listenOn(server, address, `--port must be free, ${port} on ${host} is in use`);
}

/** @throws LapseError `ERR_PORT_IN_USE` with the sentence given, `ERR_LISTEN` */
export async function listenOn(
  server: FastifyInstance,
  { host, port }: { readonly host: string; readonly port: number },
  portInUse: string,
): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw userError('ERR_PORT_IN_USE', `${portInUse}; choose another, such as ${port + 1}`);
    }
    if (code === 'EACCES') {
      throw userError('ERR_LISTEN', `--port must be one this user may open, ${port} is not`);
    }
    throw externalError('ERR_LISTEN', `Listening on ${host}:${port} failed: ${messageOf(error)}`);
  }
}
