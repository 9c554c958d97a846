/** Settings of the running engine: flags, then the environment, then the file, then defaults. */
import { availableParallelism } from 'node:os';
import { userError } from '../../engine/errors/errors.ts';
import { describeValue } from '../../engine/errors/wording.ts';
import type { Leaf } from '../../operators/schema/leaf.ts';
import { engineLimits, intakeLimits, type Range } from '../limits.ts';
import type { Environment } from './environment.ts';
import {
  type RuntimeFileSettings,
  type RuntimePath,
  runtimeSettings,
  type Setting,
  type ValueOf,
} from './runtime-table.ts';
import type { HostAndPort } from './server-leaves.ts';

const { partitions, reorderWindowMs, checkpointIntervalMs, messageIdsMax } = engineLimits;
const limits = intakeLimits;

export interface NatsSettings {
  /** Server URLs, comma-separated. */
  readonly url: string;
  /** @default 'events.>' */
  readonly events: string;
  /** @default 'LAPSE_EVENTS' */
  readonly stream: string;
  /** @default 1 */
  readonly replicas: number;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  /** The seed, not a file. */
  readonly nkey?: string;
  /** Path of a `.creds` file. */
  readonly creds?: string;
  /** Paths of PEM files. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

export interface ServerSettings {
  /** @default '127.0.0.1' */
  readonly host: string;
  /** @default 8080 */
  readonly port: number;
  /** Origins of web pages that may send events. @default none */
  readonly origins: readonly string[];
  /** Names besides those of loopback by which clients may call the server. @default none */
  readonly hostNames: readonly string[];
  /** Where /metrics, /healthz and /readyz are served besides. @default nowhere */
  readonly ops?: HostAndPort;
}

export type IntakeLimits = Readonly<Record<keyof typeof intakeLimits, number>>;

export interface RuntimeSettings {
  /** Absent: the embedded log. */
  readonly nats?: NatsSettings;
  readonly server: ServerSettings;
  /** See `AllowList`. @default none */
  readonly egress: { readonly allow: readonly string[] };
  /** Folder. @default 'lapse-data' */
  readonly data: string;
  readonly engine: {
    /** @default one less than there are cores, at least 1 */
    readonly workers: number;
    readonly partitions: number;
    readonly reorderWindowMs: number;
    readonly checkpointIntervalMs: number;
    /** Of all partitions together. */
    readonly messageIdsMax: number;
    /** @default 'disk' */
    readonly durability: 'disk' | 'process';
  };
  readonly limits: IntakeLimits;
}

function readText(leaf: Leaf<unknown>, written: unknown): unknown {
  const value = leaf.read(written);
  if (value !== undefined || typeof written !== 'string') return value;
  return leaf.read(written.trim());
}

/**
 * @param flags by their names on the command line: `nats`, `host`, `port`, `egress`, `data`; undefined is as
 *   good as absent
 * @param env an empty text is as good as absent
 * @param file of `loadConfiguration`
 * @throws LapseError ERR_SETTINGS naming the flag or the variable
 */
export function resolveRuntime(
  flags: Readonly<Record<string, unknown>>,
  env: Environment,
  file: RuntimeFileSettings,
): RuntimeSettings {
  const get = getterOf(flags, env, file);
  const nats = natsOf(get);
  return {
    ...(nats === undefined ? {} : { nats }),
    server: serverOf(get),
    egress: { allow: egressAllowOf(get) },
    data: get('data') ?? 'lapse-data',
    engine: {
      workers: get('engine.workers') ?? Math.max(1, availableParallelism() - 1),
      partitions: get('engine.partitions') ?? partitions.default,
      reorderWindowMs: get('engine.reorderWindow') ?? reorderWindowMs.default,
      checkpointIntervalMs: get('engine.checkpointInterval') ?? checkpointIntervalMs.default,
      messageIdsMax: get('engine.messageIdsMax') ?? messageIdsMax.default,
      durability: get('engine.durability') ?? 'disk',
    },
    limits: intakeLimitsOf(get),
  };
}

/** Receivers that may be private, by what `resolveRuntime` is given. */
export function resolveEgressAllow(
  flags: Readonly<Record<string, unknown>>,
  env: Environment,
  file: RuntimeFileSettings,
): readonly string[] {
  return egressAllowOf(getterOf(flags, env, file));
}

/** Receivers on this machine. */
const LOOPBACK_RECEIVERS = ['127.0.0.0/8', '::1', 'localhost'];
const LOOPBACK_HOST = /^(?:localhost|::1|127(?:\.\d{1,3}){3})$/;

/**
 * While the server listens on loopback only, whoever reaches it could reach a receiver there too, so
 * such receivers are allowed; a list that is given says all that is.
 */
function egressAllowOf(get: Get): readonly string[] {
  const host = get('server.host') ?? '127.0.0.1';
  return get('egress.allow') ?? (LOOPBACK_HOST.test(host) ? LOOPBACK_RECEIVERS : []);
}

function getterOf(
  flags: Readonly<Record<string, unknown>>,
  env: Environment,
  file: RuntimeFileSettings,
): Get {
  return <P extends RuntimePath>(path: P): ValueOf<P> | undefined => {
    const { leaf, environment, flag, isSecret } = runtimeSettings[path] as Setting<unknown>;
    const sources: [string, unknown][] = environment.map((name) => [name, env[name] || undefined]);
    if (flag !== undefined) sources.unshift([`--${flag}`, flags[flag]]);
    for (const [name, written] of sources) {
      if (written === undefined) continue;
      const value = readText(leaf, written);
      if (value !== undefined) return value as ValueOf<P>;
      const got = isSecret ? 'something else' : describeValue(written);
      throw userError('ERR_SETTINGS', `${name} must be ${leaf.wanted}, got ${got}`, { name });
    }
    return file[path] as ValueOf<P> | undefined;
  };
}

type Get = <P extends RuntimePath>(path: P) => ValueOf<P> | undefined;

function serverOf(get: Get): ServerSettings {
  const ops = get('server.ops');
  return {
    host: get('server.host') ?? '127.0.0.1',
    port: get('server.port') ?? 8080,
    origins: get('server.origins') ?? [],
    hostNames: get('server.hostNames') ?? [],
    ...(ops === undefined ? {} : { ops }),
  };
}

function intakeLimitsOf(get: Get): IntakeLimits {
  const read = (name: keyof typeof intakeLimits) =>
    get(`limits.${name}`) ?? (limits[name] as Range).default;
  const result = {
    eventBytesMax: read('eventBytesMax'),
    requestBytesMax: read('requestBytesMax'),
    requestEventsMax: read('requestEventsMax'),
    uploadRecordsMax: read('uploadRecordsMax'),
    propertiesMax: read('propertiesMax'),
    nameCharsMax: read('nameCharsMax'),
    depthMax: read('depthMax'),
  };
  if (result.eventBytesMax <= result.requestBytesMax) return result;
  throw userError(
    'ERR_SETTINGS',
    `limits.eventBytesMax must be at most limits.requestBytesMax (${result.requestBytesMax}), got ${result.eventBytesMax}`,
  );
}

const CREDENTIALS = ['user', 'token', 'nkey', 'creds'] as const;

function natsOf(get: Get): NatsSettings | undefined {
  const url = get('nats.url');
  if (url === undefined) return undefined;
  const optional = <K extends string, T>(key: K, value: T | undefined) =>
    (value === undefined ? {} : { [key]: value }) as { [P in K]?: T };
  const kinds = CREDENTIALS.filter((kind) => get(`nats.${kind}`) !== undefined);
  if (kinds.length > 1) {
    throw userError(
      'ERR_SETTINGS',
      `nats must be given one of user, token, nkey and creds, got ${kinds.join(' and ')}`,
    );
  }
  checkPair(get, 'nats.user', 'nats.password');
  checkPair(get, 'nats.tls.cert', 'nats.tls.key');
  const tls = {
    ...optional('ca', get('nats.tls.ca')),
    ...optional('cert', get('nats.tls.cert')),
    ...optional('key', get('nats.tls.key')),
  };
  return {
    url,
    events: get('nats.events') ?? 'events.>',
    stream: get('nats.stream') ?? 'LAPSE_EVENTS',
    replicas: get('nats.replicas') ?? 1,
    ...optional('user', get('nats.user')),
    ...optional('password', get('nats.password')),
    ...optional('token', get('nats.token')),
    ...optional('nkey', get('nats.nkey')),
    ...optional('creds', get('nats.creds')),
    ...optional('tls', Object.keys(tls).length === 0 ? undefined : tls),
  };
}

function checkPair(get: Get, one: RuntimePath, other: RuntimePath): void {
  const hasOne = get(one) !== undefined;
  if (hasOne === (get(other) !== undefined)) return;
  const [given, missing] = hasOne ? [one, other] : [other, one];
  throw userError('ERR_SETTINGS', `${missing} must be given beside ${given}, got nothing`);
}
