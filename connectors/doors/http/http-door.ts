/**
 * The HTTP door for Segment and RudderStack SDKs: `POST /v1/track`, `/v1/batch` and so on. Success
 * is answered once the events are durable. Basic auth is accepted and not looked at: this version
 * has no keys, and listens on loopback only.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LapseError, messageOf } from '../../../engine/errors/errors.ts';
import { Acknowledgement, type Intake } from '../../../engine/intake/intake.ts';
import type { Clock } from '../../../engine/time/clock.ts';
import { DEFAULT_EVENT_LIMITS, type EventLimits } from '../../events/event-limits.ts';
import type { DoorCounters } from '../door-counters.ts';
import type { RejectedStore } from '../rejected.ts';
import { decodeBody, parseBody, readBody, TOO_LARGE } from './http-body.ts';
import { type RequestEvents, RequestIntake } from './http-events.ts';
import { type HttpProblem, HttpProblemError, sendProblem } from './http-problem.ts';
import { RequestTurns } from './request-turns.ts';

export interface HttpDoorOptions {
  readonly intake: Intake;
  readonly clock: Clock;
  readonly rejected: RejectedStore;
  readonly counters: DoorCounters;
  /** @default DEFAULT_EVENT_LIMITS */
  readonly limits?: EventLimits;
  /** Names a request; what an event without a messageId is named after. @default randomUUID */
  readonly newId?: () => string;
  /** @default new RequestTurns() */
  readonly turns?: RequestTurns;
}

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
] as const;
const BATCH_PATHS = ['/v1/batch', '/v1/b', '/v1/import'] as const;
/** Browser SDKs send JSON as plain text, so that no preflight is needed. */
const MEDIA_TYPES = ['application/json', 'text/plain'];
const RETRY_AFTER_SECONDS = 1;

/** Adds the door's routes, in a scope of their own: parsers and errors stay inside. */
export async function registerHttpDoor(
  server: FastifyInstance,
  options: HttpDoorOptions,
): Promise<void> {
  await server.register(async (scope) => {
    const door = new HttpDoor(options);
    const { bodyLimit } = door;
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      MEDIA_TYPES,
      async ({ headers }: FastifyRequest, stream: IncomingMessage) => {
        const body = await readBody(stream, lengthOf(headers), bodyLimit);
        return decodeBody(body, headers['content-encoding'], bodyLimit);
      },
    );
    scope.addHook('onRequest', async (request, reply) => {
      const problem = door.closedBecause() ?? door.crowdedBecause(request);
      if (problem !== undefined) return door.turnAway(reply, problem);
      // Also when the client goes away before it has sent its body, or before the answer.
      reply.raw.once('close', door.hold(request));
    });
    scope.setErrorHandler((error, _request, reply) => door.turnAway(reply, door.problemOf(error)));
    for (const [path, type] of SINGLE_PATHS) {
      scope.post(path, (request, reply) => door.takeSingle(request.body, type, reply));
    }
    for (const path of BATCH_PATHS) {
      scope.post(path, (request, reply) => door.takeBatch(request.body, reply));
    }
  });
}

class HttpDoor {
  readonly #intake: Intake;
  readonly #clock: Clock;
  readonly #counters: DoorCounters;
  readonly #limits: EventLimits;
  readonly #newId: () => string;
  readonly #requests: RequestIntake;
  readonly #turns: RequestTurns;

  constructor(options: HttpDoorOptions) {
    this.#intake = options.intake;
    this.#clock = options.clock;
    this.#counters = options.counters;
    this.#limits = options.limits ?? DEFAULT_EVENT_LIMITS;
    this.#newId = options.newId ?? randomUUID;
    this.#turns = options.turns ?? new RequestTurns();
    this.#requests = new RequestIntake(options.intake, options.rejected, this.#limits);
  }

  get bodyLimit(): number {
    return this.#limits.requestBytesMax;
  }

  /** Why nothing can be taken now. Asked before a body is read, and again before it is taken. */
  closedBecause(): HttpProblem | undefined {
    if (this.#intake.isCatchingUp) {
      return {
        status: 503,
        code: 'ERR_CATCHING_UP',
        detail: 'Events that came earlier by another door are still being read; send again later.',
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      };
    }
    if (this.#intake.hasRoom) return undefined;
    const { bytesInFlight, unreadRecords } = this.#intake;
    return tooMany(
      'ERR_INTAKE_FULL',
      `${bytesInFlight} bytes of events are on their way and ${unreadRecords} records wait for ` +
        'the partitions; send again later.',
    );
  }

  /** Why one more request cannot be held, asked before its body is read. */
  crowdedBecause(request: FastifyRequest): HttpProblem | undefined {
    if (this.#turns.hasRoomFor(this.#bytesToHold(request))) return undefined;
    const { heldBytes, waitingCount } = this.#turns;
    return tooMany(
      'ERR_DOOR_CROWDED',
      `${waitingCount} requests wait to be read and ${heldBytes} bytes are held; send again later.`,
    );
  }

  hold(request: FastifyRequest): () => void {
    return this.#turns.hold(this.#bytesToHold(request));
  }

  /** Of a body of unknown length, or one to be inflated, as much as it may become. */
  #bytesToHold({ headers }: FastifyRequest): number {
    const length = lengthOf(headers);
    const isPlain = headers['content-encoding'] === undefined && length >= 0;
    return isPlain ? Math.min(length, this.bodyLimit) : this.bodyLimit;
  }

  takeSingle(body: unknown, type: string, reply: FastifyReply): Promise<FastifyReply> {
    const bytes = bytesOf(body);
    return this.#turns.run(bytes.length, () => this.#takeSingle(bytes, type, reply));
  }

  takeBatch(body: unknown, reply: FastifyReply): Promise<FastifyReply> {
    const bytes = bytesOf(body);
    return this.#turns.run(bytes.length, () => this.#takeBatch(bytes, reply));
  }

  #takeSingle(bytes: Buffer, type: string, reply: FastifyReply): Promise<FastifyReply> {
    const event = parseBody(bytes);
    return this.#take(
      { body: bytes, events: [event], isBatch: false, type, sentAt: undefined },
      reply,
    );
  }

  #takeBatch(bytes: Buffer, reply: FastifyReply): Promise<FastifyReply> {
    const request = parseBody(bytes);
    const isObject = typeof request === 'object' && request !== null;
    const events = isObject && 'batch' in request ? request.batch : undefined;
    if (!Array.isArray(events)) {
      throw new HttpProblemError({
        status: 400,
        code: 'ERR_BATCH_SHAPE',
        detail: 'A batch must be an object with an array "batch" of events, it is not.',
      });
    }
    const { requestEventsMax } = this.#limits;
    if (events.length > requestEventsMax) {
      throw new HttpProblemError({
        status: 413,
        code: 'ERR_REQUEST_EVENTS',
        detail:
          `A request must have at most ${requestEventsMax} events (requestEventsMax), ` +
          `got ${events.length}.`,
      });
    }
    const sentAt = isObject && 'sentAt' in request ? request.sentAt : undefined;
    return this.#take({ body: bytes, events, isBatch: true, type: undefined, sentAt }, reply);
  }

  async #take(request: RequestEvents, reply: FastifyReply): Promise<FastifyReply> {
    const closed = this.closedBecause();
    if (closed !== undefined) return this.turnAway(reply, closed);
    const acknowledgement = new Acknowledgement();
    // Read here and not on arrival: nothing may come between the instant and the intake.
    const receivedAtMs = this.#clock.now();
    const rejected = this.#requests.take(request, receivedAtMs, this.#newId(), acknowledgement);
    await acknowledgement.close();
    const accepted = request.events.length - rejected.length;
    this.#counters.accepted('http', accepted);
    const isRefused = accepted === 0 && rejected.length > 0;
    return reply
      .code(isRefused ? 400 : 200)
      .send({ success: rejected.length === 0, accepted, rejected });
  }

  turnAway(reply: FastifyReply, problem: HttpProblem): FastifyReply {
    this.#counters.turnedAway(problem.code);
    // The rest of the body is not read, so nothing can follow it.
    if (problem.code === TOO_LARGE) void reply.header('connection', 'close');
    return sendProblem(reply, problem);
  }

  /** What went wrong, in this door's words: its own problems, fastify's, or the log's. */
  problemOf(error: unknown): HttpProblem {
    if (error instanceof HttpProblemError) return error.problem;
    if (error instanceof LapseError) {
      return {
        status: 503,
        code: error.code,
        detail: error.message,
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      };
    }
    const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
    if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
      return {
        status: 415,
        code: 'ERR_MEDIA_TYPE',
        detail: 'content-type must be application/json or text/plain, it is another one.',
      };
    }
    if (typeof statusCode === 'number' && statusCode < 500) {
      return { status: statusCode, code: 'ERR_REQUEST', detail: messageOf(error) };
    }
    // What broke is ours, and its words may hold what is no sender's business.
    return { status: 500, code: 'ERR_INTERNAL', detail: 'The events could not be taken.' };
  }
}

function tooMany(code: string, detail: string): HttpProblem {
  return { status: 429, code, detail, retryAfterSeconds: RETRY_AFTER_SECONDS };
}

/** Of the body, as its sender says; NaN when it does not. */
function lengthOf(headers: IncomingHttpHeaders): number {
  return Number(headers['content-length'] ?? Number.NaN);
}

function bytesOf(body: unknown): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}
