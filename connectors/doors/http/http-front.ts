/**
 * What every HTTP door has in front: whether anything can be taken now, the reading of bodies, the
 * order of requests, and refusals of whole requests. A door says how it reads events from a body
 * and how it answers.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LapseError, messageOf } from '../../../engine/errors/errors.ts';
import type { AskPartitions } from '../../../engine/intake/event-standing.ts';
import { Acknowledgement, type Intake } from '../../../engine/intake/intake.ts';
import type { Clock } from '../../../engine/time/clock.ts';
import { DEFAULT_EVENT_LIMITS, type EventLimits } from '../../events/event-limits.ts';
import type { Repairs } from '../../events/repairs.ts';
import type { DoorCounters } from '../door-counters.ts';
import type { RejectedStore } from '../rejected.ts';
import { BodyRoom, type HeldBody } from './body-room.ts';
import { clientAddress } from './client-address.ts';
import { EventCounting, type EventCounts } from './event-counts.ts';
import { CROWDED, decodeBody, RETRY_AFTER_SECONDS, readBody } from './http-body.ts';
import { type RefusedEvent, type RequestEvents, RequestIntake } from './http-events.ts';
import { type HttpProblem, HttpProblemError, sendProblem } from './http-problem.ts';
import { Inflater } from './inflater.ts';
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
  /** Counts what becomes of events, for requests that ask. @default nothing is counted */
  readonly ask?: AskPartitions;
  /** @default new BodyRoom({ clock }) */
  readonly room?: BodyRoom;
}

export interface Taken {
  /** In order of their index. */
  readonly rejected: readonly RefusedEvent[];
  readonly counts?: EventCounts;
}

/** How a door says that a whole request is refused. */
export type SendProblem = (reply: FastifyReply, problem: HttpProblem) => FastifyReply;

export class HttpFront {
  readonly limits: EventLimits;
  /** What was changed in events of these doors; parsers of bodies add to it. */
  readonly repairs: Repairs;
  readonly #intake: Intake;
  readonly #clock: Clock;
  readonly #counters: DoorCounters;
  readonly #newId: () => string;
  readonly #ask: AskPartitions | undefined;
  readonly #requests: RequestIntake;
  readonly #turns: RequestTurns;
  readonly #room: BodyRoom;
  readonly #inflater = new Inflater();
  readonly #held = new WeakMap<IncomingMessage, HeldBody>();
  readonly #types = new WeakMap<IncomingMessage, string>();
  readonly #paths = new Set<string>();

  constructor(options: HttpDoorOptions) {
    this.#intake = options.intake;
    this.#clock = options.clock;
    this.#counters = options.counters;
    this.limits = options.limits ?? DEFAULT_EVENT_LIMITS;
    this.#newId = options.newId ?? randomUUID;
    this.#ask = options.ask;
    this.#turns = options.turns ?? new RequestTurns();
    this.#room = options.room ?? new BodyRoom({ clock: options.clock });
    this.repairs = options.counters.repairsOf('http');
    const { limits, repairs } = this;
    const { intake, rejected } = options;
    this.#requests = new RequestIntake({ intake, rejected, limits, repairs });
  }

  /**
   * Adds a door's routes, in a scope of their own: parsers and errors stay inside. Their bodies are
   * buffers, whatever `content-type` says.
   * @param send says a refusal in the door's form
   */
  async register(
    server: FastifyInstance,
    addRoutes: (scope: FastifyInstance) => void,
    send: SendProblem = sendProblem,
  ) {
    const turnAway = (reply: FastifyReply, problem: HttpProblem) => {
      this.#counters.turnedAway(problem.code);
      if (problem.endsConnection === true) void reply.header('connection', 'close');
      return send(reply, problem);
    };
    await server.register(async (scope) => {
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', ({ raw }: FastifyRequest) => this.#read(raw));
      scope.addHook('onRequest', async (request, reply) => {
        const problem = this.#closedBecause() ?? this.#crowdedBecause(request);
        if (problem !== undefined) return turnAway(reply, problem);
        const { raw } = request;
        this.#types.set(raw, raw.headers['content-type'] ?? '');
        // SDKs send form types, none at all and some that are no type, with JSON in the body.
        delete raw.headers['content-type'];
        const held = this.#room.open(clientAddress(raw.socket.remoteAddress));
        this.#held.set(raw, held);
        // Also when the client goes away before it has sent its body, or before the answer.
        reply.raw.once('close', () => held.release());
      });
      scope.addHook('onRoute', ({ url }) => void this.#paths.add(url));
      scope.setErrorHandler((error, _request, reply) => turnAway(reply, problemOf(error)));
      addRoutes(scope);
    });
  }

  /** Whether events are taken at that address. */
  isDoor(path: string): boolean {
    return this.#paths.has(path);
  }

  /** What a request says of its body; empty when it says nothing. Fastify is not shown it. */
  contentTypeOf({ raw }: FastifyRequest): string {
    return this.#types.get(raw) ?? '';
  }

  async #read(raw: IncomingMessage): Promise<Buffer> {
    const bytesMax = this.limits.requestBytesMax;
    const held = this.#held.get(raw)!;
    const body = await readBody(raw, lengthOf(raw.headers), bytesMax, held);
    const encoding = raw.headers['content-encoding'];
    return decodeBody(body, encoding, { bytesMax, held, inflater: this.#inflater });
  }

  /** Why nothing can be taken now. Asked before a body is read, and again before it is taken. */
  #closedBecause(): HttpProblem | undefined {
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

  /** Why one more request would wait too long, asked before its body is read. */
  #crowdedBecause({ headers }: FastifyRequest): HttpProblem | undefined {
    const length = lengthOf(headers);
    const isPlain = headers['content-encoding'] === undefined && length >= 0;
    // A body of unknown length, or one to be inflated, may become as much as a request may have.
    if (this.#turns.hasTimeFor(isPlain ? length : this.limits.requestBytesMax)) return undefined;
    const { waitingCount } = this.#turns;
    return tooMany(CROWDED, `${waitingCount} requests wait to be read; send again later.`);
  }

  /** Answers in the request's turn. @param answer given the body; what it throws is a refusal */
  inTurn(body: unknown, answer: (bytes: Buffer) => Promise<FastifyReply>): Promise<FastifyReply> {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
    return this.#turns.run(bytes.length, () => answer(bytes));
  }

  /**
   * Takes the events of a request and waits until the good ones are durable.
   * @param isCounted what becomes of the good ones is counted
   * @throws HttpProblemError when nothing can be taken now; LapseError when the log fails
   */
  async take(request: RequestEvents, isCounted = false): Promise<Taken> {
    const closed = this.#closedBecause();
    if (closed !== undefined) throw new HttpProblemError(closed);
    const acknowledgement = new Acknowledgement();
    // Read here and not on arrival: nothing may come between the instant and the intake.
    const receivedAtMs = this.#clock.now();
    const counting = isCounted && this.#ask !== undefined ? new EventCounting() : undefined;
    const rejected = this.#requests.take(request, receivedAtMs, {
      requestId: this.#newId(),
      acknowledgement,
      onTaken: counting && ((event) => counting.add(event)),
    });
    const counted = counting?.count(this.#ask!);
    await acknowledgement.close();
    if (request.isDryRun !== true) {
      this.#counters.accepted('http', request.events.length - rejected.length);
    }
    const counts = await counted;
    return counts === undefined ? { rejected } : { rejected, counts };
  }
}

/** Takes the events of a request, and answers in the form of the Segment doors. */
export async function takeAndAnswer(
  front: HttpFront,
  request: RequestEvents,
  reply: FastifyReply,
  isCounted = false,
): Promise<FastifyReply> {
  const { rejected, ...counted } = await front.take(request, isCounted);
  const accepted = request.events.length - rejected.length;
  const isRefused = accepted === 0 && rejected.length > 0;
  return reply
    .code(isRefused ? 400 : 200)
    .send({ success: rejected.length === 0, accepted, rejected, ...counted });
}

/** What went wrong, in the doors' words: their own problems, fastify's, or the log's. */
function problemOf(error: unknown): HttpProblem {
  if (error instanceof HttpProblemError) return error.problem;
  if (error instanceof LapseError) {
    return {
      status: 503,
      code: error.code,
      detail: error.message,
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    };
  }
  const { statusCode } = error as { statusCode?: unknown };
  if (typeof statusCode === 'number' && statusCode < 500) {
    return { status: statusCode, code: 'ERR_REQUEST', detail: messageOf(error) };
  }
  // What broke is ours, and its words may hold what is no sender's business.
  return { status: 500, code: 'ERR_INTERNAL', detail: 'The events could not be taken.' };
}

function tooMany(code: string, detail: string): HttpProblem {
  return { status: 429, code, detail, retryAfterSeconds: RETRY_AFTER_SECONDS };
}

/** Of the body, as its sender says; NaN when it does not. */
function lengthOf(headers: IncomingHttpHeaders): number {
  return Number(headers['content-length'] ?? Number.NaN);
}
