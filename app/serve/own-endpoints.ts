/** What a webhook must not reach although its address may be allowed: our own doors, and NATS. */
import type { RuntimeSettings } from '../../config/definitions/runtime.ts';
import type { OwnEndpoint } from '../../connectors/webhook/egress/egress-guard.ts';

const NATS_PORT = 4222;

/** A server that takes any free port is not known here, nor to anybody who writes a webhook. */
export function ownEndpoints({
  server,
  nats,
}: Pick<RuntimeSettings, 'server' | 'nats'>): OwnEndpoint[] {
  const urls = nats === undefined ? [] : nats.url.split(',').map((url) => url.trim());
  return [server, ...urls.map(natsEndpoint)].filter(({ port }) => port !== 0);
}

function natsEndpoint(url: string): OwnEndpoint {
  // Without a protocol `host:4222` would be one by itself.
  const { hostname, port } = new URL(url.includes('://') ? url : `nats://${url}`);
  return { host: hostname, port: port === '' ? NATS_PORT : Number(port) };
}
