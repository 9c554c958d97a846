/**
 * Looks at a NATS server before anything is built on it. Old servers ignore what they do not know
 * instead of refusing it, so what we need is asked for by version.
 */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { externalError, messageOf, userError } from '../../engine/errors/errors.ts';
import { connectNats, type NatsOptions } from './connection.ts';

export interface NatsProbe {
  readonly version: string;
  /** Largest message that the server takes, bytes. */
  readonly payloadBytesMax: number;
  /** Sentences to print: what works less well here than it could. */
  readonly degradations: readonly string[];
}

export interface NatsNeeds {
  readonly needsJetStream: boolean;
  /** @default 1 */
  readonly replicas?: number;
}

type Version = readonly [major: number, minor: number, patch: number];

const OLDEST: Version = [2, 9, 10];
/** Older ones let several writers win one compare-and-set on replicated streams. */
const OLDEST_REPLICATED: Version = [2, 11, 0];

/** Connects, looks, and closes the connection. @throws as `connectNats` and `probeConnection` */
export async function probeNats(options: NatsOptions, needs: NatsNeeds): Promise<NatsProbe> {
  const connection = await connectNats(options);
  try {
    return await probeConnection(connection, needs);
  } finally {
    await connection.close();
  }
}

/** @throws LapseError `ERR_NATS_VERSION`, `ERR_NATS_NO_JETSTREAM`, `ERR_NATS_REPLICAS` */
export async function probeConnection(
  connection: NatsConnection,
  { needsJetStream, replicas = 1 }: NatsNeeds,
): Promise<NatsProbe> {
  const info = connection.info;
  if (info === undefined) {
    throw externalError('ERR_NATS_UNREACHABLE', 'The NATS connection must be open, it is not.');
  }
  const version = versionOf(info.version);
  if (isBelow(version, OLDEST)) {
    throw userError(
      'ERR_NATS_VERSION',
      `The NATS server must be of version ${OLDEST.join('.')} or newer, it is ${info.version}.`,
      { version: info.version },
    );
  }
  if (needsJetStream) await requireJetStream(connection, info.jetstream === true);
  if (replicas > 1 && isBelow(version, OLDEST_REPLICATED)) {
    throw userError(
      'ERR_NATS_REPLICAS',
      `nats.replicas above 1 needs a NATS server of version ${OLDEST_REPLICATED.join('.')} or ` +
        `newer, it is ${info.version}: on older ones two owners can both win a replicated write.`,
      { version: info.version, replicas },
    );
  }
  return {
    version: info.version,
    payloadBytesMax: info.max_payload,
    degradations: needsJetStream ? degradationsOf(info.version, replicas) : [],
  };
}

async function requireJetStream(connection: NatsConnection, isAnnounced: boolean): Promise<void> {
  let reason = 'it does not announce it';
  if (isAnnounced) {
    try {
      await jetstreamManager(connection);
      return;
    } catch (error) {
      reason = messageOf(error);
    }
  }
  throw userError(
    'ERR_NATS_NO_JETSTREAM',
    `The NATS server must have JetStream enabled for this account, it has not: ${reason}.`,
  );
}

function degradationsOf(name: string, replicas: number): string[] {
  const version = versionOf(name);
  const found: string[] = [];
  if (isBelow(version, [2, 10, 0])) {
    found.push(
      `NATS ${name} syncs its files once a minute and cannot be told otherwise: ` +
        'a power loss can take what it acknowledged last.',
    );
  } else if (replicas === 1) {
    found.push(
      'JetStream acknowledges before the disk has it: with one replica, set ' +
        "'sync_interval: always' in the server to survive a power loss.",
    );
  }
  if (isBelow(version, [2, 11, 0])) {
    found.push(`NATS ${name} cannot replicate Lapse's log safely: one server only.`);
  }
  return found;
}

function versionOf(text: string): Version {
  const [major = 0, minor = 0, patch = 0] = text.split('-')[0]!.split('.').map(Number);
  return [major, minor, patch];
}

function isBelow(version: Version, least: Version): boolean {
  for (let i = 0; i < 3; i++) if (version[i] !== least[i]) return version[i]! < least[i]!;
  return false;
}
