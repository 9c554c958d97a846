/**
 * A second server with only /metrics, /healthz and /readyz, on any address: for the probes of
 * containers and for Prometheus, which cannot reach loopback. It takes no events, and answers while
 * Lapse drains.
 */
import type { FastifyInstance } from 'fastify';
import type { LapseError } from '../../../engine/errors/errors.ts';
import { ConnectionLimit } from './connection-limit.ts';
import { addHealthRoutes, type Health } from './health-routes.ts';
import { createBareServer, listenOn } from './http-server.ts';
import { RequestGuard } from './request-guard.ts';

export interface OpsServerOptions extends Health {
  readonly host: string;
  readonly port: number;
  /** Told the code of a refused request. */
  readonly onRefused: (code: string) => void;
  readonly onFull: (error: LapseError) => void;
}

/** Probes and scrapers need one connection or a few. */
const CONNECTIONS_MAX = 256;

/** @throws LapseError `ERR_PORT_IN_USE`, `ERR_LISTEN` */
export async function listenForOps(options: OpsServerOptions): Promise<FastifyInstance> {
  const { host, port, onRefused, onFull } = options;
  const server = createBareServer({
    connections: new ConnectionLimit({ onFull, connectionsMax: CONNECTIONS_MAX }),
    guard: new RequestGuard({ origins: [], hostNames: 'any', isDoor: () => false, onRefused }),
    onRefused,
  });
  addHealthRoutes(server, options);
  await listenOn(server, { host, port }, `The port of --ops must be free, ${host}:${port} is not`);
  return server;
}
