import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { externalError, type LapseError } from '../../engine/errors/errors.ts';
import { type Clock, systemClock } from '../../engine/time/clock.ts';

/**
 * A connection may hold 16 KiB of a head and about as much of Node.js: 128 MiB for all. What bodies
 * hold is bounded by itself, and a producer needs one connection or a few.
 */
const CONNECTIONS_MAX = 4_096;
/** Said once in so long, however many are dropped. */
const SAID_EVERY_MS = 60_000;

export interface ConnectionLimitOptions {
  /** Told when connections are dropped, now and then. */
  readonly onFull: (error: LapseError) => void;
  /** @default 4_096 */
  readonly connectionsMax?: number;
  /** @default systemClock */
  readonly clock?: Clock;
}

/**
 * How many connections the HTTP server has open at a time. One more is closed as soon as it is
 * made, without an answer: its client tries again, as on a restart. It cannot wait in the system's
 * queue instead, where its client would believe that it is being served.
 */
export class ConnectionLimit {
  readonly #onFull: (error: LapseError) => void;
  readonly #connectionsMax: number;
  readonly #clock: Clock;
  #saidAtMs = -Infinity;
  open = 0;
  /** Since the start. */
  dropped = 0;

  constructor(options: ConnectionLimitOptions) {
    this.#onFull = options.onFull;
    this.#connectionsMax = options.connectionsMax ?? CONNECTIONS_MAX;
    this.#clock = options.clock ?? systemClock;
  }

  /** To be called before the server listens. */
  apply(server: FastifyInstance): void {
    const http = server.server as Server;
    http.maxConnections = this.#connectionsMax;
    http.on('connection', (socket: Socket) => {
      this.open++;
      socket.once('close', () => this.open--);
    });
    http.on('drop', () => this.#drop());
  }

  #drop(): void {
    this.dropped++;
    const nowMs = this.#clock.now();
    if (nowMs - this.#saidAtMs < SAID_EVERY_MS) return;
    this.#saidAtMs = nowMs;
    const sentence =
      `The HTTP server holds ${this.#connectionsMax} connections, which is all it may; ` +
      `closed at once since the start: ${this.dropped}.`;
    this.#onFull(externalError('ERR_CONNECTIONS_FULL', sentence));
  }
}
