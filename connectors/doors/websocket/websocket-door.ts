/**
 * The streaming door: a WebSocket at `/v1/stream`. A frame is one event or an array of them, as
 * JSON or msgpack, and is acknowledged by `{"ack": n, "accepted", "rejected"}` once its good events
 * are durable; `n` counts the frames of the connection.
 *
 * After a cut a client sends again what was not acknowledged. With `?session=ID&frame=N`, where N is
 * the number of its first frame, an event without a messageId is known again too, and counts once.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { LapseError } from '../../../engine/errors/errors.ts';
import { Acknowledgement, type Intake } from '../../../engine/intake/intake.ts';
import type { Clock } from '../../../engine/time/clock.ts';
import { Payload } from '../../events/decode-payload.ts';
import { DEFAULT_EVENT_LIMITS, type EventLimits } from '../../events/event-limits.ts';
import { Untranslatable } from '../../events/rejection.ts';
import type { DoorCounters } from '../door-counters.ts';
import { clientAddress } from '../http/client-address.ts';
import { RequestIntake } from '../http/http-events.ts';
import type { HttpProblem } from '../http/http-problem.ts';
import { RequestTurns } from '../http/request-turns.ts';
import type { RejectedStore } from '../rejected.ts';
import { type Frame, StreamClient, type StreamDoor } from './stream-client.ts';

export const STREAM_PATH = '/v1/stream';

export interface WebSocketDoorOptions {
  readonly intake: Intake;
  readonly clock: Clock;
  readonly rejected: RejectedStore;
  readonly counters: DoorCounters;
  /** @default DEFAULT_EVENT_LIMITS */
  readonly limits?: EventLimits;
  /** Names a connection without a session. @default randomUUID */
  readonly newId?: () => string;
  /** @default new RequestTurns() */
  readonly turns?: RequestTurns;
  /** Connections at a time; one client address has half of them. @default CLIENTS_MAX */
  readonly clientsMax?: number;
}

export const CLIENTS_MAX = 16_384;
/** Bytes of frames that have begun and are not whole, of all clients. */
const UNFINISHED_BYTES_MAX = 64 * 2 ** 20;
const SWEEP_MS = 1_000;
const CLOSING_MS_MAX = 1_000;
const GOING_AWAY = 1001;
const SESSION = /^[\w-]{1,40}$/;
const FRAME_NUMBER = /^[1-9]\d{0,14}$/;

export class WebSocketDoor implements StreamDoor {
  readonly #intake: Intake;
  readonly #clock: Clock;
  readonly #counters: DoorCounters;
  readonly #limits: EventLimits;
  readonly #newId: () => string;
  readonly #turns: RequestTurns;
  readonly #clientsMax: number;
  readonly #requests: RequestIntake;
  readonly #payload: Payload;
  readonly #sockets: WebSocketServer;
  readonly #clients = new Set<StreamClient>();
  readonly #perAddress = new Map<string, number>();
  #isSweeping = false;
  #isClosing = false;

  constructor(options: WebSocketDoorOptions) {
    this.#intake = options.intake;
    this.#clock = options.clock;
    this.#counters = options.counters;
    this.#limits = options.limits ?? DEFAULT_EVENT_LIMITS;
    this.#newId = options.newId ?? randomUUID;
    this.#turns = options.turns ?? new RequestTurns();
    this.#clientsMax = options.clientsMax ?? CLIENTS_MAX;
    const repairs = options.counters.repairsOf('websocket');
    const { intake, rejected } = options;
    const limits = this.#limits;
    this.#requests = new RequestIntake({ intake, rejected, limits, repairs, door: 'websocket' });
    this.#payload = new Payload(repairs);
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload: this.#limits.requestBytesMax,
      perMessageDeflate: false,
    });
  }

  get clients(): number {
    return this.#clients.size;
  }

  get isOpen(): boolean {
    return !this.#intake.isCatchingUp && this.#intake.hasRoom;
  }

  later(ms: number, callback: () => void): void {
    this.#clock.at(this.#clock.now() + ms, callback);
  }

  /**
   * Answers upgrades of a server.
   * @param refusalOf why a request may not come in; undefined when it may
   * @param onTaken told of every connection that is a stream from now on
   */
  attach(
    server: Server,
    refusalOf: (request: IncomingMessage) => HttpProblem | undefined,
    onTaken: (socket: Socket) => void = () => undefined,
  ): void {
    server.on('upgrade', (request: IncomingMessage, duplex: Duplex, head: Buffer) => {
      const socket = duplex as Socket;
      socket.on('error', () => socket.destroy());
      const address = clientAddress(socket.remoteAddress);
      // Taken apart by hand: what a client asks for need not be a URL.
      const [path = '', query = ''] = (request.url ?? '').split('?', 2);
      const asked = new URLSearchParams(query);
      const problem = refusalOf(request) ?? this.#refusalOf(path, asked, address);
      if (problem !== undefined) {
        this.#counters.turnedAway(problem.code);
        refuse(socket, problem);
        return;
      }
      onTaken(socket);
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        const client = new StreamClient({
          socket: webSocket,
          bytesRead: () => socket.bytesRead,
          door: this,
          address,
          session: asked.get('session') ?? this.#newId(),
          firstNumber: Number(asked.get('frame') ?? 1),
        });
        this.#opened(client);
        webSocket.on('close', () => this.#gone(client));
      });
    });
  }

  async take(client: StreamClient, frame: Frame): Promise<{ readonly answer: Promise<object> }> {
    return this.#turns.run(frame.bytes.length, async () => ({ answer: this.#take(client, frame) }));
  }

  /** Takes no more frames, acknowledges those taken, and says goodbye. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const client of this.#clients) client.end();
    await this.#until(() => [...this.#clients].every((one) => one.framesOnTheWay <= 0));
    for (const client of this.#clients) client.close(GOING_AWAY, 'Lapse is stopping.');
    await this.#until(() => this.#clients.size === 0);
    for (const client of this.#clients) client.terminate();
  }

  /** Resolves when it holds, or after a while. */
  async #until(holds: () => boolean): Promise<void> {
    const LOOK_MS = 10;
    for (let ms = 0; ms < CLOSING_MS_MAX && !holds(); ms += LOOK_MS) {
      await new Promise<void>((resolve) => this.later(LOOK_MS, resolve));
    }
  }

  #refusalOf(path: string, asked: URLSearchParams, address: string): HttpProblem | undefined {
    if (path !== STREAM_PATH) {
      const detail = `There is no WebSocket at ${path}, only at ${STREAM_PATH}.`;
      return { status: 404, code: 'ERR_NOT_FOUND', detail };
    }
    if (this.#isClosing) {
      const detail = 'Lapse is stopping; connect again later.';
      return { status: 503, code: 'ERR_STOPPING', detail, retryAfterSeconds: 1 };
    }
    const session = asked.get('session') ?? '-';
    const frame = asked.get('frame') ?? '1';
    if (!SESSION.test(session) || !FRAME_NUMBER.test(frame)) {
      const detail =
        'session must be 1 to 40 letters, digits, - or _, and frame a whole number from 1 on.';
      return { status: 400, code: 'ERR_STREAM_SESSION', detail };
    }
    const share = (this.#perAddress.get(address) ?? 0) / (this.#clientsMax / 2);
    if (this.#clients.size < this.#clientsMax && share < 1) return undefined;
    const detail = `At most ${this.#clientsMax} streams may be open, half of them by one address.`;
    return { status: 503, code: 'ERR_STREAMS_FULL', detail, retryAfterSeconds: 1 };
  }

  #opened(client: StreamClient): void {
    this.#clients.add(client);
    this.#perAddress.set(client.address, (this.#perAddress.get(client.address) ?? 0) + 1);
    if (!this.#isSweeping) this.#sweepLater();
  }

  #gone(client: StreamClient): void {
    if (!this.#clients.delete(client)) return;
    client.end();
    const left = this.#perAddress.get(client.address)! - 1;
    if (left === 0) this.#perAddress.delete(client.address);
    else this.#perAddress.set(client.address, left);
  }

  async #take({ session }: StreamClient, { number, bytes }: Frame): Promise<object> {
    const payload = this.#payload;
    payload.decode(bytes);
    const events = payload.values.map((value, i) => {
      const refusal = payload.refusalOf(i);
      return refusal === undefined ? value : new Untranslatable(refusal);
    });
    const { requestEventsMax } = this.#limits;
    if (events.length > requestEventsMax) {
      this.#counters.turnedAway('ERR_REQUEST_EVENTS');
      const message = `A frame must have at most ${requestEventsMax} events (requestEventsMax), got ${events.length}.`;
      return { ack: number, accepted: 0, code: 'ERR_REQUEST_EVENTS', message };
    }
    const acknowledgement = new Acknowledgement();
    const request = { body: bytes, events, at: { payload }, type: undefined, sentAt: undefined };
    try {
      const rejected = this.#requests.take(request, this.#clock.now(), {
        requestId: `${session}:${number}`,
        acknowledgement,
      });
      await acknowledgement.close();
      const accepted = events.length - rejected.length;
      this.#counters.accepted('websocket', accepted);
      return { ack: number, accepted, rejected };
    } catch (error) {
      const isKnown = error instanceof LapseError;
      const code = isKnown ? error.code : 'ERR_INTERNAL';
      const message = isKnown ? error.message : 'The events could not be taken.';
      this.#counters.turnedAway(code);
      return { failed: number, code, message };
    }
  }

  #sweepLater(): void {
    this.#isSweeping = true;
    this.later(SWEEP_MS, () => {
      this.#isSweeping = false;
      this.#sweep();
      if (this.#clients.size > 0) this.#sweepLater();
    });
  }

  #sweep(): void {
    let unfinishedBytes = 0;
    let worst: StreamClient | undefined;
    for (const client of this.#clients) {
      if (!client.swept()) this.#cutOff(client, 'ERR_STREAM_SILENT');
      unfinishedBytes += client.unfinishedBytes;
      if (client.unfinishedBytes > (worst?.unfinishedBytes ?? 0)) worst = client;
    }
    if (unfinishedBytes > UNFINISHED_BYTES_MAX && worst !== undefined) {
      this.#cutOff(worst, 'ERR_DOOR_CROWDED');
    }
  }

  #cutOff(client: StreamClient, code: string): void {
    this.#counters.turnedAway(code);
    client.terminate();
  }
}

function refuse(socket: Socket, { status, code, detail, retryAfterSeconds }: HttpProblem): void {
  const body = JSON.stringify({ type: 'about:blank', status, code, detail });
  const retry = retryAfterSeconds === undefined ? '' : `Retry-After: ${retryAfterSeconds}\r\n`;
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nConnection: close\r\n${retry}` +
      `Content-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
