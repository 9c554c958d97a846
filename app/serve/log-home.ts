import { join } from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import type { NatsSettings, RuntimeSettings } from '../../config/definitions/runtime.ts';
import {
  connectEmbeddedLog,
  type EmbeddedLogAddress,
} from '../../connectors/logs/embedded/embedded-log.ts';
import { startEmbeddedLog } from '../../connectors/logs/embedded/embedded-server.ts';
import {
  connectJetStreamLog,
  type JetStreamLogOptions,
} from '../../connectors/logs/jetstream/jetstream-log.ts';
import type { NatsOptions } from '../../connectors/nats/connection.ts';
import { probeNats } from '../../connectors/nats/probe.ts';
import type { LapseError } from '../../engine/errors/errors.ts';
import { type ConditionReporter, silentReporter } from '../../engine/health/conditions.ts';
import { WatchedLog } from '../../engine/health/watched-log.ts';
import type { SizedLog } from '../../engine/log/log.ts';
import { systemClock } from '../../engine/time/clock.ts';
import { LOG_FOLDER } from './data-folder.ts';
import { checkMessageSize } from './message-size.ts';

/** Where a thread finds the log; crosses threads by structured clone. */
export type LogAddress =
  | EmbeddedLogAddress
  | { readonly kind: 'jetstream'; readonly options: JetStreamLogOptions };

/** The log's home as the main thread holds it. */
export interface LogHome {
  readonly kind: 'embedded' | 'jetstream';
  /** For one more thread. */
  address(): { readonly address: LogAddress; readonly transfer: MessagePort[] };
  /** Sentences about what works less well here than it could. */
  readonly degradations: readonly string[];
  /** Close all connections first. */
  close(): Promise<void>;
}

/**
 * @param onFailure the log is gone and will not come back by itself
 * @throws LapseError what the homes refuse at start
 */
export async function openLogHome(
  settings: RuntimeSettings,
  onFailure: (error: LapseError) => void,
): Promise<LogHome> {
  const { nats, engine, limits } = settings;
  if (nats === undefined) {
    const server = await startEmbeddedLog({
      directory: join(settings.data, LOG_FOLDER),
      partitionCount: engine.partitions,
      durability: engine.durability,
      onFailure,
    });
    return {
      kind: 'embedded',
      address: () => server.address(),
      degradations: [],
      close: () => server.close(),
    };
  }
  const { replicas } = nats;
  const options: JetStreamLogOptions = {
    nats: natsOptions(nats),
    partitionCount: engine.partitions,
    replicas,
  };
  const probe = await probeNats(options.nats, { needsJetStream: true, replicas });
  checkMessageSize(probe.payloadBytesMax, limits.eventBytesMax);
  return {
    kind: 'jetstream',
    address: () => ({ address: { kind: 'jetstream', options }, transfer: [] }),
    degradations: probe.degradations,
    close: () => Promise.resolve(),
  };
}

/** Connects the calling thread. @param conditions told what is wrong with the log, and when it is over */
export async function connectLog(
  address: LogAddress,
  conditions: ConditionReporter = silentReporter,
): Promise<SizedLog> {
  const log =
    address.kind === 'embedded'
      ? await connectEmbeddedLog(address)
      : await connectJetStreamLog({ ...address.options, conditions });
  return new WatchedLog(log, systemClock, conditions);
}

export function natsOptions(settings: NatsSettings): NatsOptions {
  const { url, user, password, token, nkey, creds, tls } = settings;
  return {
    urls: url.split(',').map((one) => one.trim()),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(token === undefined ? {} : { token }),
    ...(nkey === undefined ? {} : { nkeySeed: nkey }),
    ...(creds === undefined ? {} : { credsFile: creds }),
    ...(tls === undefined ? {} : { tls: tlsOf(tls) }),
  };
}

function tlsOf({ ca, cert, key }: NonNullable<NatsSettings['tls']>) {
  return {
    ...(ca === undefined ? {} : { caFile: ca }),
    ...(cert === undefined ? {} : { certFile: cert }),
    ...(key === undefined ? {} : { keyFile: key }),
  };
}
