import type { FastifyReply } from 'fastify';
import type { EventLimits } from '../../events/event-limits.ts';

/** A refusal of a whole request (RFC 9457). `code` is stable. */
export interface HttpProblem {
  readonly status: number;
  readonly code: string;
  /** A sentence: what was wanted, what came. */
  readonly detail: string;
  /** Seconds after which the same request may go through. */
  readonly retryAfterSeconds?: number;
  /** The rest of the body is not read, so nothing can follow it on this connection. */
  readonly endsConnection?: true;
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  403: 'Forbidden',
  408: 'Request timeout',
  413: 'Too large',
  415: 'Unsupported media type',
  429: 'Too many requests',
  503: 'Unavailable',
};

/** Carries a problem through a place where only throwing is possible. */
export class HttpProblemError extends Error {
  readonly problem: HttpProblem;

  constructor(problem: HttpProblem) {
    super(problem.detail);
    this.name = 'HttpProblemError';
    this.problem = problem;
  }
}

export function sendProblem(reply: FastifyReply, problem: HttpProblem): FastifyReply {
  const { status, code, detail, retryAfterSeconds } = problem;
  if (retryAfterSeconds !== undefined) void reply.header('retry-after', String(retryAfterSeconds));
  return reply
    .code(status)
    .type('application/problem+json')
    .send({ type: 'about:blank', title: TITLES[status] ?? 'Error', status, code, detail });
}

/** @throws HttpProblemError when a request has more events than the limit of that name allows */
export function demandEventsAtMost(
  limits: EventLimits,
  name: 'requestEventsMax' | 'uploadRecordsMax',
  count: number,
): void {
  if (count <= limits[name]) return;
  throw new HttpProblemError({
    status: 413,
    code: 'ERR_REQUEST_EVENTS',
    detail: `A request must have at most ${limits[name]} events (${name}), got ${count}.`,
  });
}
