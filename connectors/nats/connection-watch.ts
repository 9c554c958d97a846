import type { NatsConnection } from '@nats-io/transport-node';
import type { ConditionReporter } from '../../engine/health/conditions.ts';

export interface ConnectionCalls {
  /** The connection is lost; the client tries to make it again by itself. */
  readonly onAway?: () => void;
  /** It stands again; what the server was asked for before is forgotten. */
  readonly onBack?: () => void;
  readonly onError?: (error: Error) => void;
}

/** Follows a connection until it is closed, and says while it is away that NATS is. */
export async function watchConnection(
  connection: NatsConnection,
  conditions: ConditionReporter,
  { onAway, onBack, onError }: ConnectionCalls,
): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'error') onError?.(status.error);
    if (status.type === 'disconnect') {
      const sentence = `Lapse has lost its connection to NATS at ${status.server} and tries to make it again. Until then events and timers wait.`;
      conditions.begin('nats-away', '', sentence);
      onAway?.();
    }
    if (status.type === 'reconnect') {
      conditions.over('nats-away', '');
      onBack?.();
    }
  }
  // Closed by whoever has it: nobody waits for this connection any more.
  conditions.over('nats-away', '');
}
