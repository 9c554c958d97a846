/** Receivers on real sockets of this machine, and the transport that sends to them. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { EgressGuard } from '../../../connectors/webhook/egress/egress-guard.ts';
import { WebhookTransport } from '../../../connectors/webhook/webhook-transport.ts';
import type { OutgoingRequest } from '../../../engine/sender/transport.ts';
import { type Clock, systemClock } from '../../../engine/time/clock.ts';

/** Long enough never to fire; a test of the time limit fires it by hand. */
const TIMEOUT_MS = 30_000;

/** What a test has opened; the last one is closed first. */
export const closers: (() => Promise<void> | void)[] = [];

export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

export async function receiver(
  listener: RequestListener,
): Promise<{ url: string; server: Server }> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/in?a=1`, server };
}

/** Answers raw bytes on a bare connection. */
export async function rawReceiver(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Real time, but timers fire only when the test says so. */
export class HandClock implements Clock {
  readonly #timers = new Set<() => void>();
  /** What was asked for, in order. */
  readonly waits: number[] = [];

  now(): number {
    return systemClock.now();
  }

  at(atMs: number, callback: () => void): () => void {
    return this.after(atMs - this.now(), callback);
  }

  after(waitMs: number, callback: () => void): () => void {
    this.waits.push(waitMs);
    this.#timers.add(callback);
    return () => this.#timers.delete(callback);
  }

  fireLast(): void {
    [...this.#timers].at(-1)!();
  }

  get armed(): number {
    return this.#timers.size;
  }

  fire(): void {
    for (const callback of [...this.#timers]) callback();
  }
}

/** Reaches receivers of this machine, and resolves no name. */
const LOOPBACK_ONLY = new EgressGuard({
  allow: ['127.0.0.1'],
  resolve: (hostname) => Promise.reject(new Error(`${hostname} must not be resolved`)),
});

export function transportOf(
  clock: Clock = new HandClock(),
  guard = LOOPBACK_ONLY,
): WebhookTransport {
  const transport = new WebhookTransport({ clock, guard });
  closers.push(() => transport.close());
  return transport;
}

export function requestTo(url: string, overrides: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return {
    lane: 'hook',
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json', 'webhook-id': 'msg_1' },
    body: new TextEncoder().encode('{"é":1}'),
    timeoutMs: TIMEOUT_MS,
    connectionsMax: 2,
    ...overrides,
  };
}
