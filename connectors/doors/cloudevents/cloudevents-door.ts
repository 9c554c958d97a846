/**
 * The HTTP door for CloudEvents 1.0, in structured, batched and binary mode: `POST /v1/cloudevents`.
 * Answers as the Segment doors do.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseBody } from '../http/http-body.ts';
import type { RequestEvents } from '../http/http-events.ts';
import { type HttpFront, takeAndAnswer } from '../http/http-front.ts';
import { demandEventsAtMost, HttpProblemError } from '../http/http-problem.ts';
import { eventOfCloudEvent, eventOfHeaders } from './cloudevents-records.ts';

const PATHS = ['/v1/cloudevents', '/cloudevents'] as const;
const STRUCTURED = 'application/cloudevents';
const BATCHED = 'application/cloudevents-batch';
const OF_SEGMENT = { type: undefined, sentAt: undefined } as const;

/** Adds the door's routes to a server. */
export async function registerCloudEventsDoor(
  server: FastifyInstance,
  front: HttpFront,
): Promise<void> {
  await front.register(server, (scope) => {
    for (const path of PATHS) {
      scope.post(path, (request, reply) =>
        front.inTurn(request.body, (bytes) =>
          takeAndAnswer(front, eventsOf(front, bytes, request), reply),
        ),
      );
    }
  });
}

/** The mode is what the content type says; binary mode is any other one, with headers. */
function eventsOf(front: HttpFront, body: Buffer, request: FastifyRequest): RequestEvents {
  const type = front.contentTypeOf(request).toLowerCase();
  if (type.startsWith(BATCHED)) return batchOf(front, body);
  if (type.startsWith(STRUCTURED)) {
    const event = eventOfCloudEvent(parseBody(body, front.repairs));
    return { body, events: [event], at: 'body', ...OF_SEGMENT };
  }
  if (request.headers['ce-specversion'] === undefined) {
    throw new HttpProblemError({
      status: 400,
      code: 'ERR_CLOUDEVENT',
      detail:
        `A CloudEvent must come with content-type ${STRUCTURED}+json or ${BATCHED}+json, or with ` +
        'headers ce-specversion, ce-id, ce-source and ce-type.',
    });
  }
  const data = body.length === 0 ? undefined : parseBody(body, front.repairs);
  return { body, events: [eventOfHeaders(request.headers, data)], at: 'body', ...OF_SEGMENT };
}

function batchOf({ limits, repairs }: HttpFront, body: Buffer): RequestEvents {
  const events = parseBody(body, repairs);
  if (!Array.isArray(events)) {
    throw new HttpProblemError({
      status: 400,
      code: 'ERR_BATCH_SHAPE',
      detail: 'A batch of CloudEvents must be an array, it is not.',
    });
  }
  demandEventsAtMost(limits, 'requestEventsMax', events.length);
  return { body, events: events.map(eventOfCloudEvent), at: 'array', ...OF_SEGMENT };
}
