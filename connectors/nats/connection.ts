/** Connects to NATS, for the JetStream log and for the NATS door alike. */
import { readFile } from 'node:fs/promises';
import {
  type Authenticator,
  AuthorizationError,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node';
import { LapseError, messageOf, userError } from '../../engine/errors/errors.ts';

export interface NatsOptions {
  /** At least one, `nats://host:port` or `tls://host:port`. */
  readonly urls: readonly string[];
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  /** The seed itself, `SU…`. */
  readonly nkeySeed?: string;
  /** Path of a file with a JWT and a seed. */
  readonly credsFile?: string;
  readonly tls?: {
    readonly caFile?: string;
    readonly certFile?: string;
    readonly keyFile?: string;
  };
  /** Shown in the server's list of connections. @default 'lapse' */
  readonly name?: string;
  /** @default 5_000 */
  readonly connectTimeoutMs?: number;
}

const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_WAIT_MS = 250;
const PING_INTERVAL_MS = 10_000;

/**
 * A connection that reconnects for ever once it stood.
 * @throws LapseError `ERR_NATS_UNREACHABLE`, `ERR_NATS_AUTH`, `ERR_NATS_CREDENTIALS`
 */
export async function connectNats(options: NatsOptions): Promise<NatsConnection> {
  const settings = await settingsOf(options);
  try {
    return await connect(settings);
  } catch (error) {
    throw connectError(options, error);
  }
}

async function settingsOf(options: NatsOptions): Promise<ConnectionOptions> {
  const { user, password, token, tls } = options;
  const authenticator = await authenticatorOf(options);
  return {
    servers: [...options.urls],
    name: options.name ?? 'lapse',
    timeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    pingInterval: PING_INTERVAL_MS,
    // Otherwise every request takes a stack trace, which costs more than sending it does.
    noAsyncTraces: true,
    ...(user === undefined ? {} : { user, pass: password ?? '' }),
    ...(token === undefined ? {} : { token }),
    ...(authenticator === undefined ? {} : { authenticator }),
    ...(tls === undefined ? {} : { tls }),
  };
}

async function authenticatorOf(options: NatsOptions): Promise<Authenticator | undefined> {
  const { nkeySeed, credsFile } = options;
  try {
    if (nkeySeed !== undefined) return nkeyAuthenticator(new TextEncoder().encode(nkeySeed));
    if (credsFile !== undefined) return credsAuthenticator(await readFile(credsFile));
  } catch (error) {
    throw userError(
      'ERR_NATS_CREDENTIALS',
      `nats.credsFile must be a readable credentials file, '${credsFile}' is not: ` +
        `${messageOf(error)}.`,
    );
  }
  return undefined;
}

function connectError(options: NatsOptions, error: unknown): LapseError {
  const servers = options.urls.map(withoutSecrets).join(', ');
  const details = { domain: 'user', cause: error, facts: { servers } } as const;
  const isRefused =
    error instanceof AuthorizationError ||
    error instanceof UserAuthenticationExpiredError ||
    /authorization|authentication/i.test(messageOf(error));
  if (isRefused) {
    return new LapseError(
      'ERR_NATS_AUTH',
      `The NATS server at ${servers} must accept the credentials of nats.*, it refused ` +
        `${credentialsOf(options)}.`,
      details,
    );
  }
  return new LapseError(
    'ERR_NATS_UNREACHABLE',
    `A NATS server must answer at ${servers}, none did: ${messageOf(error)}.`,
    { ...details, retryable: true },
  );
}

function credentialsOf(options: NatsOptions): string {
  if (options.credsFile !== undefined) return `the file '${options.credsFile}'`;
  if (options.nkeySeed !== undefined) return 'the nkey';
  if (options.token !== undefined) return 'the token';
  if (options.user !== undefined) return `user '${options.user}'`;
  return 'a connection without any';
}

/** A URL may carry a user and a password; they do not belong in an error. */
function withoutSecrets(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//');
}
