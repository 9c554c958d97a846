import type { ServerSettings } from '../../../config/definitions/runtime.ts';
import { registerCleverTapDoor } from '../../../connectors/doors/clevertap/clevertap-door.ts';
import { registerCloudEventsDoor } from '../../../connectors/doors/cloudevents/cloudevents-door.ts';
import { registerHttpDoor } from '../../../connectors/doors/http/http-door.ts';
import { type HttpDoorOptions, HttpFront } from '../../../connectors/doors/http/http-front.ts';
import { sendProblem } from '../../../connectors/doors/http/http-problem.ts';
import { RequestTurns } from '../../../connectors/doors/http/request-turns.ts';
import { STREAM_PATH, WebSocketDoor } from '../../../connectors/doors/websocket/websocket-door.ts';
import type { LapseError } from '../../../engine/errors/errors.ts';
import type { ConnectionLimit } from './connection-limit.ts';
import { addControlRoutes, type Control } from './control-routes.ts';
import type { Health } from './health-routes.ts';
import { createHttpServer, listen } from './http-server.ts';
import { addInspectRoutes, type Inspection } from './inspect-routes.ts';
import { listenForOps } from './ops-server.ts';
import { RequestGuard } from './request-guard.ts';

export interface StartHttpOptions extends Health, Inspection, Control {
  readonly settings: ServerSettings;
  readonly door: HttpDoorOptions;
  readonly connections: ConnectionLimit;
  /** Whether the doors are still closed, as the partitions recover. */
  readonly isStarting: () => boolean;
  readonly onFull: (error: LapseError) => void;
}

/** The HTTP server with its doors, and the one for operators where it is asked for. */
export interface RunningHttp {
  readonly url: string;
  /** Absent without `server.ops`. */
  readonly opsUrl?: string;
  /** Closes the doors; operators are still answered. */
  close(): Promise<void>;
  closeOps(): Promise<void>;
}

const NOT_READY = {
  status: 503,
  code: 'ERR_NOT_READY',
  detail: 'Lapse is starting; send again later.',
  retryAfterSeconds: 1,
} as const;

/** @throws LapseError `ERR_HOST`, `ERR_PORT_IN_USE`, `ERR_LISTEN`; nothing listens then */
export async function startHttp(options: StartHttpOptions): Promise<RunningHttp> {
  const { settings, connections, onFull } = options;
  // HTTP and streams wait for one and the same turn.
  const door = { turns: new RequestTurns(), ...options.door };
  const onRefused = (code: string) => door.counters.turnedAway(code);
  const front = new HttpFront(door);
  const stream = new WebSocketDoor(door);
  const guard = new RequestGuard({
    origins: settings.origins,
    hostNames: settings.hostNames,
    isDoor: (path) => path === STREAM_PATH || front.isDoor(path),
    onRefused,
  });
  const server = createHttpServer({ ...options, connections, guard, onRefused });
  server.addHook('onRequest', async (request, reply) => {
    if (!options.isStarting() || !front.isDoor(request.url.split('?')[0]!)) return;
    onRefused(NOT_READY.code);
    return sendProblem(reply, NOT_READY);
  });
  stream.attach(
    server.server,
    (request) => guard.problemOf(request) ?? (options.isStarting() ? NOT_READY : undefined),
    (socket) => connections.leave(socket),
  );
  await registerHttpDoor(server, front);
  await registerCleverTapDoor(server, front);
  await registerCloudEventsDoor(server, front);
  addInspectRoutes(server, options);
  await addControlRoutes(server, options);
  const url = await listen(server, settings);
  try {
    const { ops } = settings;
    const opsServer =
      ops === undefined ? undefined : await listenForOps({ ...options, ...ops, onRefused, onFull });
    return {
      url,
      ...(opsServer === undefined ? {} : { opsUrl: opsServer.listeningOrigin }),
      close: async () => {
        await stream.close();
        await server.close();
      },
      closeOps: async () => opsServer?.close(),
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}
