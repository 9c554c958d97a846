/**
 * Keeps web pages out that were not invited. A page of any site can make its visitor's browser send
 * requests to a server on that visitor's machine; nothing else stands between them while there are
 * no keys. Clients that are no browsers send no `Origin` and notice nothing of this.
 *
 * 1. While the server is bound to loopback, it must be called by a name of loopback: with DNS
 *    rebinding a page of its own origin reads what it likes, but its `Host` gives it away.
 * 2. A request of another origin is refused, unless that origin is listed and the address is a
 *    door's. Browsers say `Origin` with every POST, whatever its content type is.
 * 3. A browser that says no `Origin` says in `Sec-Fetch-Site` where a request comes from.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type HttpProblem, sendProblem } from '../../../connectors/doors/http/http-problem.ts';

export interface RequestGuardOptions {
  /** Origins whose pages may send events: exact, `https://*.example.com`, or `*` for any. */
  readonly origins: readonly string[];
  /**
   * Host names that count as this server's, besides those of loopback; `any` where it is not bound
   * to loopback.
   */
  readonly hostNames: readonly string[] | 'any';
  /** Whether an address takes events. */
  readonly isDoor: (path: string) => boolean;
  /** Told the code of every refusal. */
  readonly onRefused: (code: string) => void;
}

type GuardedRequest = Pick<IncomingMessage, 'headers' | 'method' | 'url'>;

const PREFLIGHT_SECONDS = 7_200;
const HEADERS_EXPOSED = 'retry-after';
/** What SDKs send besides the headers that need no leave; a preflight asks for what it wants. */
const HEADER_LIST = /^[\w!#$%&'*+.^`|~-]+(?:\s*,\s*[\w!#$%&'*+.^`|~-]+)*$/;
const HEADER_LIST_CHARS_MAX = 1_000;

export class RequestGuard {
  readonly #options: RequestGuardOptions;
  readonly #origins: ReadonlySet<string>;
  /** `https://*.example.com` as its two ends. */
  readonly #patterns: readonly (readonly [string, string])[];

  constructor(options: RequestGuardOptions) {
    this.#options = options;
    this.#origins = new Set(options.origins);
    this.#patterns = options.origins
      .filter((origin) => origin.includes('*.'))
      .map((origin) => [origin.split('*')[0]!, origin.split('*')[1]!]);
  }

  /** To be called before any route: the hooks of a server run in their order. */
  apply(server: FastifyInstance): void {
    server.addHook('onRequest', async (request, reply) => this.#look(request, reply));
  }

  /** Why a request may not come in; undefined when it may. */
  problemOf({ headers, method, url }: GuardedRequest): HttpProblem | undefined {
    const foreignHost = this.#foreignHost(headers.host);
    if (foreignHost !== undefined) return foreignHost;
    const { origin } = headers;
    if (origin === undefined) return isFromElsewhere(method, headers) ? crossSite() : undefined;
    if (isOwn(origin, headers)) return undefined;
    const isDoor = this.#options.isDoor(url?.split('?')[0] ?? '');
    return isDoor && this.#isListed(origin) ? undefined : foreignOrigin(origin);
  }

  #look(request: FastifyRequest, reply: FastifyReply): FastifyReply | undefined {
    const problem = this.problemOf(request.raw);
    if (problem !== undefined) {
      this.#options.onRefused(problem.code);
      // Its body is not read, so nothing can follow it.
      return sendProblem(reply.header('connection', 'close'), problem);
    }
    const { headers, method } = request;
    const { origin } = headers;
    if (origin === undefined || isOwn(origin, headers)) return undefined;
    void reply
      .header('access-control-allow-origin', origin)
      .header('access-control-expose-headers', HEADERS_EXPOSED)
      .header('vary', 'Origin');
    const isPreflight = headers['access-control-request-method'] !== undefined;
    return method === 'OPTIONS' && isPreflight ? answerPreflight(headers, reply) : undefined;
  }

  #foreignHost(host: string | undefined): HttpProblem | undefined {
    const { hostNames } = this.#options;
    // Clients of HTTP/1.0 may leave it out; no browser is one.
    if (hostNames === 'any' || host === undefined || host === '') return undefined;
    const name = hostNameOf(host);
    if (isLoopbackName(name) || hostNames.includes(name)) return undefined;
    return {
      status: 421,
      code: 'ERR_HOST_FOREIGN',
      detail:
        `Host must be a name of loopback or listed in server.hostNames, got ` +
        `${JSON.stringify(host.slice(0, 200))}.`,
    };
  }

  #isListed(origin: string): boolean {
    if (this.#origins.has(origin) || this.#origins.has('*')) return true;
    return this.#patterns.some(
      ([start, end]) =>
        origin.length > start.length + end.length &&
        origin.startsWith(start) &&
        origin.endsWith(end) &&
        /^[a-z0-9.-]+$/.test(origin.slice(start.length, -end.length)),
    );
  }
}

/** The server's own pages, behind a proxy with TLS too. */
function isOwn(origin: string, { host }: IncomingHttpHeaders): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}

function answerPreflight(headers: IncomingHttpHeaders, reply: FastifyReply): FastifyReply {
  const asked = headers['access-control-request-headers'] ?? '';
  const isList = asked.length <= HEADER_LIST_CHARS_MAX && HEADER_LIST.test(asked);
  void reply
    .header('access-control-allow-methods', 'POST')
    .header('access-control-max-age', String(PREFLIGHT_SECONDS));
  if (isList) void reply.header('access-control-allow-headers', asked);
  // A page on the internet that calls a private address asks for this besides.
  if (headers['access-control-request-private-network'] === 'true') {
    void reply.header('access-control-allow-private-network', 'true');
  }
  return reply.code(204).send();
}

/** Without the port and brackets, in lower case. */
function hostNameOf(host: string): string {
  const name = host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase();
  return name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name;
}

function isLoopbackName(name: string): boolean {
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  if (isIP(name) === 4) return name.startsWith('127.');
  return name === '::1';
}

/** Of a browser that says no `Origin`: reading is all it can want, and a link may lead here. */
function isFromElsewhere(method: string | undefined, headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== 'cross-site' && site !== 'same-site') return false;
  const isLink = method === 'GET' && headers['sec-fetch-mode'] === 'navigate';
  return !(isLink && headers['sec-fetch-dest'] === 'document');
}

function foreignOrigin(origin: string): HttpProblem {
  return {
    status: 403,
    code: 'ERR_ORIGIN',
    detail:
      `Origin must be listed in server.origins, got ${JSON.stringify(origin.slice(0, 200))}; ` +
      'listed ones may send events and nothing else.',
  };
}

function crossSite(): HttpProblem {
  return {
    status: 403,
    code: 'ERR_CROSS_SITE',
    detail: 'A page of another site must not call this address.',
  };
}
