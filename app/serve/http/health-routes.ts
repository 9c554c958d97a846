import type { FastifyInstance } from 'fastify';
import { LAPSE_VERSION } from '../../../config/definitions/version.ts';
import type { Metrics } from '../../../connectors/metrics/metrics.ts';
import type { Condition } from '../../../engine/health/conditions.ts';

export interface Health {
  /** What keeps it from being ready; none when it is. */
  readonly notReady: () => readonly Condition[];
  readonly metrics: Metrics;
}

/** Adds /healthz, /readyz and /metrics. */
export function addHealthRoutes(server: FastifyInstance, { notReady, metrics }: Health): void {
  server.get('/healthz', async () => ({ status: 'ok', version: LAPSE_VERSION }));
  server.get('/readyz', async (_request, reply) => {
    const reasons = notReady();
    return reply.code(reasons.length === 0 ? 200 : 503).send({
      status: reasons.length === 0 ? 'ready' : 'not ready',
      reasons: reasons.map(({ cause, where, message, sinceMs }) => ({
        cause,
        ...(where === '' ? {} : { where }),
        message,
        since: new Date(sinceMs).toISOString(),
      })),
    });
  });
  server.get('/metrics', async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  );
}
