import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../../engine/time/clock.ts';

/** So long a request that has begun may take once the server closes; then it is cut off. */
export const CLOSING_MS_MAX = 5_000;

/**
 * Has `close` of the server end in bounded time. Node.js waits for every connection that may still
 * send a request, and for it each new one may: those that load balancers and HTTP clients open
 * ahead of need would keep it from closing for a minute. What is cut off was not acknowledged.
 */
export function endConnectionsOnClose(server: FastifyInstance, clock: Clock): void {
  const unused = new Set<Socket>();
  const http = server.server as Server;
  http.on('connection', (socket: Socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  http.on('request', ({ socket }) => unused.delete(socket));
  server.addHook('preClose', async () => {
    for (const socket of unused) if (socket.bytesRead === 0) socket.destroy();
    const cancel = clock.at(clock.now() + CLOSING_MS_MAX, () => http.closeAllConnections());
    http.once('close', cancel);
  });
}
