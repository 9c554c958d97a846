/**
 * How many connections the HTTP server has open at a time. When it is full, a newcomer is not
 * turned away: the client address with the most connections loses the one that has been waited for
 * the longest, so that clients that open connections and send nothing, or half a request, cannot
 * keep others out. A connection whose request is whole and not answered yet is never closed.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { clientAddress } from '../../../connectors/doors/http/client-address.ts';
import { externalError, type LapseError } from '../../../engine/errors/errors.ts';
import { type Clock, systemClock } from '../../../engine/time/clock.ts';

/**
 * A connection may hold 16 KiB of a head and about as much of Node.js: 128 MiB for all. What bodies
 * hold is bounded by itself, and a producer needs one connection or a few.
 */
const CONNECTIONS_MAX = 4_096;
/** Connections that are closed count until their socket is gone, a turn of the event loop later. */
const CLOSING_MAX = 1_024;
/** Said once in so long, however many are dropped. */
const SAID_EVERY_MS = 60_000;
/** A whole head comes in one packet or a few: who needs longer is slow, or up to something. */
const PATIENCE_MS = 1_000;

export interface ConnectionLimitOptions {
  /** Told when connections are dropped, now and then. */
  readonly onFull: (error: LapseError) => void;
  /** @default 4_096 */
  readonly connectionsMax?: number;
  /** Connections besides, which have left and are bounded by themselves. @default 0 */
  readonly othersMax?: number;
  /** @default systemClock */
  readonly clock?: Clock;
}

interface Connection {
  readonly socket: Socket;
  readonly holder: Holder;
  /** Since when the server waits for its client, Unix ms. */
  sinceMs: number;
  /** Requests that are not answered yet. */
  requests: number;
  /** The last of them. */
  request: IncomingMessage | undefined;
}

/** The connections of one client address, each in one of three sets, oldest first. */
class Holder {
  /** No head has come whole yet. */
  readonly unused = new Set<Connection>();
  /** Between two requests, or in the head of the next. */
  readonly idle = new Set<Connection>();
  /** A request has begun and is not answered; its body may still be coming. */
  readonly busy = new Set<Connection>();

  get count(): number {
    return this.unused.size + this.idle.size + this.busy.size;
  }

  /** The one that is closed first; undefined when all are being answered. */
  victim(nowMs: number): Connection | undefined {
    const unused = first(this.unused);
    if (unused !== undefined && nowMs - unused.sinceMs >= PATIENCE_MS) return unused;
    return this.#unfinished() ?? first(this.idle) ?? unused;
  }

  #unfinished(): Connection | undefined {
    for (const connection of this.busy) {
      if (connection.request?.complete === false) return connection;
    }
    return undefined;
  }
}

export class ConnectionLimit {
  readonly #onFull: (error: LapseError) => void;
  readonly #connectionsMax: number;
  readonly #othersMax: number;
  readonly #clock: Clock;
  readonly #holders = new Map<string, Holder>();
  readonly #connections = new WeakMap<Socket, Connection>();
  #saidAtMs = -Infinity;
  open = 0;
  /** Since the start. */
  dropped = 0;

  constructor(options: ConnectionLimitOptions) {
    this.#onFull = options.onFull;
    this.#connectionsMax = options.connectionsMax ?? CONNECTIONS_MAX;
    this.#othersMax = options.othersMax ?? 0;
    this.#clock = options.clock ?? systemClock;
  }

  /** To be called before the server listens. */
  apply(server: FastifyInstance): void {
    const http = server.server as Server;
    http.maxConnections = this.#connectionsMax + this.#othersMax + CLOSING_MAX;
    http.on('connection', (socket: Socket) => this.#opened(socket));
    http.on('request', (request, response) => this.#begun(request, response));
    http.on('drop', () => this.#drop());
  }

  /** It is no connection of HTTP any more, and counted elsewhere. */
  leave(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection !== undefined) this.#gone(connection);
  }

  #opened(socket: Socket): void {
    const address = clientAddress(socket.remoteAddress);
    if (this.open >= this.#connectionsMax) {
      this.#drop();
      const victim = this.#victim();
      (victim?.socket ?? socket).destroy();
      if (victim === undefined) return;
      this.#gone(victim);
    }
    const holder = this.#holders.get(address) ?? new Holder();
    this.#holders.set(address, holder);
    const connection: Connection = {
      socket,
      holder,
      sinceMs: this.#clock.now(),
      requests: 0,
      request: undefined,
    };
    holder.unused.add(connection);
    this.#connections.set(socket, connection);
    this.open++;
    socket.once('close', () => {
      this.#gone(connection);
      if (holder.count === 0) this.#holders.delete(address);
    });
  }

  #gone(connection: Connection): void {
    const { unused, idle, busy } = connection.holder;
    const isOurs = unused.delete(connection) || idle.delete(connection) || busy.delete(connection);
    if (isOurs) this.open--;
  }

  #begun(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined) return;
    const { unused, idle, busy } = connection.holder;
    if (unused.delete(connection) || idle.delete(connection)) busy.add(connection);
    connection.requests++;
    connection.request = request;
    response.once('close', () => {
      if (--connection.requests > 0 || !busy.delete(connection)) return;
      connection.request = undefined;
      connection.sinceMs = this.#clock.now();
      idle.add(connection);
    });
  }

  /** Of the address that has the most of them, among those that have one to lose. */
  #victim(): Connection | undefined {
    const nowMs = this.#clock.now();
    let victim: Connection | undefined;
    let most = 0;
    for (const holder of this.#holders.values()) {
      if (holder.count <= most) continue;
      const candidate = holder.victim(nowMs);
      if (candidate === undefined) continue;
      victim = candidate;
      most = holder.count;
    }
    return victim;
  }

  #drop(): void {
    this.dropped++;
    const nowMs = this.#clock.now();
    if (nowMs - this.#saidAtMs < SAID_EVERY_MS) return;
    this.#saidAtMs = nowMs;
    const sentence =
      `The HTTP server holds ${this.#connectionsMax} connections, which is all it may; ` +
      `for each new one it closes one, ${this.dropped} since the start.`;
    this.#onFull(externalError('ERR_CONNECTIONS_FULL', sentence));
  }
}

function first(connections: ReadonlySet<Connection>): Connection | undefined {
  for (const connection of connections) return connection;
  return undefined;
}
