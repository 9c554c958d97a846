/**
 * The HTTP door for Segment and RudderStack SDKs: `POST /v1/track`, `/v1/batch` and so on. Success
 * is answered once the events are durable. Basic auth is accepted and not looked at: this version
 * has no keys, and listens on loopback only.
 */
import type { FastifyInstance } from 'fastify';
import { parseBody } from './http-body.ts';
import type { RequestEvents } from './http-events.ts';
import { type HttpFront, takeAndAnswer } from './http-front.ts';
import { demandEventsAtMost, HttpProblemError } from './http-problem.ts';

/** The addresses of single events; browser SDKs use the short ones. */
const SINGLE_PATHS = [
  ['/v1/track', 'track'],
  ['/v1/t', 'track'],
  ['/v1/identify', 'identify'],
  ['/v1/i', 'identify'],
  ['/v1/page', 'page'],
  ['/v1/p', 'page'],
  ['/v1/screen', 'screen'],
  ['/v1/s', 'screen'],
  ['/v1/alias', 'alias'],
  ['/v1/a', 'alias'],
  ['/v1/group', 'group'],
  ['/v1/g', 'group'],
] as const;
/** `/beacon/…` is where RudderStack's browser SDK sends what is left when a page closes. */
const BATCH_PATHS = ['/v1/batch', '/v1/b', '/v1/import', '/beacon/v1/batch'] as const;

/** Adds the door's routes to a server. */
export async function registerHttpDoor(server: FastifyInstance, front: HttpFront): Promise<void> {
  await front.register(server, (scope) => {
    for (const [path, type] of SINGLE_PATHS) {
      scope.post(path, ({ body }, reply) =>
        front.inTurn(body, (bytes) => takeAndAnswer(front, singleOf(front, bytes, type), reply)),
      );
    }
    for (const path of BATCH_PATHS) {
      scope.post<{ Querystring: { readonly counts?: string } }>(path, ({ body, query }, reply) =>
        front.inTurn(body, (bytes) =>
          takeAndAnswer(front, batchOf(front, bytes), reply, query.counts === 'true'),
        ),
      );
    }
  });
}

function singleOf({ repairs }: HttpFront, body: Buffer, type: string): RequestEvents {
  return { body, events: [parseBody(body, repairs)], at: 'body', type, sentAt: undefined };
}

function batchOf({ limits, repairs }: HttpFront, body: Buffer): RequestEvents {
  const request = parseBody(body, repairs);
  const isObject = typeof request === 'object' && request !== null;
  const events = isObject && 'batch' in request ? request.batch : undefined;
  if (!Array.isArray(events)) {
    throw new HttpProblemError({
      status: 400,
      code: 'ERR_BATCH_SHAPE',
      detail: 'A batch must be an object with an array "batch" of events, it is not.',
    });
  }
  demandEventsAtMost(limits, 'requestEventsMax', events.length);
  const sentAt = isObject && 'sentAt' in request ? request.sentAt : undefined;
  return { body, events, at: { member: 'batch' }, type: undefined, sentAt };
}
