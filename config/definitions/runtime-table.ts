/**
 * The settings of the running engine as one table: for each its path in a file, its environment
 * variables, its flag, and how it is read.
 */
import * as z from 'zod';
import { ENTRIES_MAX, isAllowEntry } from '../../connectors/webhook/egress/allow-list.ts';
import { formatDuration } from '../../engine/time/duration.ts';
import {
  byteSize,
  choice,
  duration,
  formatBytes,
  integer,
  type Leaf,
  mapping,
  schemaOf,
  text,
} from '../../operators/schema/leaf.ts';
import { engineLimits, intakeLimits } from '../limits.ts';
import { groupDescriptions, runtimeDescriptions } from './runtime-descriptions.ts';
import { hostAndPort, hostNames, origins } from './server-leaves.ts';

const TEXT_CHARS_MAX = 4_096;

const fileName = text('the path of a file', { charsMax: TEXT_CHARS_MAX });
const credential = text('a text without line ends', {
  charsMax: TEXT_CHARS_MAX,
  pattern: /^[^\p{Cc}]+$/u,
});
const natsUrl = text(
  'the URL of a NATS server like nats://127.0.0.1:4222, or several with commas',
  {
    charsMax: TEXT_CHARS_MAX,
    pattern:
      /^(?:(?:nats|tls|wss?):\/\/)?[^\s,/]+\/?(?:, ?(?:(?:nats|tls|wss?):\/\/)?[^\s,/]+\/?)*$/,
  },
);
const subject = text('a NATS subject like events.>', {
  charsMax: 255,
  pattern: /^(?:[^\s.*>]+|\*)(?:\.(?:[^\s.*>]+|\*))*(?:\.>)?$|^>$/,
});
const streamName = text('the name of a NATS stream without spaces, dots, *, > and slashes', {
  charsMax: 255,
  pattern: /^[^\s.*>/\\]+$/,
});

const allowList: Leaf<readonly string[]> = {
  wanted: `at most ${ENTRIES_MAX} addresses, ranges and names like 10.0.0.0/8, 127.0.0.1, crm.local and *.local`,
  read: (value) => {
    const list = typeof value === 'string' ? value.split(',') : value;
    if (!Array.isArray(list) || list.length > ENTRIES_MAX) return undefined;
    const entries = list.map((one: unknown) => (typeof one === 'string' ? one.trim() : ''));
    return entries.every(isAllowEntry) ? entries : undefined;
  },
  json: {
    anyOf: [{ type: 'array', items: { type: 'string' } }, { type: 'string' }],
    examples: [['10.0.0.0/8', 'crm.local']],
  },
};

export interface Setting<T> {
  readonly leaf: Leaf<T>;
  readonly environment: readonly string[];
  readonly flag?: string;
  /** Relative ones in a file are meant from the file's folder. */
  readonly isPath?: true;
  /** Never shown in a sentence. */
  readonly isSecret?: true;
}

function setting<T>(
  leaf: Leaf<T>,
  environment: string | readonly string[],
  more: Pick<Setting<T>, 'flag' | 'isPath' | 'isSecret'> = {},
): Setting<T> {
  return {
    leaf,
    environment: typeof environment === 'string' ? [environment] : environment,
    ...more,
  };
}

const { workers, partitions, reorderWindowMs, checkpointIntervalMs, messageIdsMax } = engineLimits;
const limits = intakeLimits;

/** The path of each setting in a definitions file, and what it is called elsewhere. */
export const runtimeSettings = {
  'nats.url': setting(natsUrl, ['LAPSE_NATS_URL', 'NATS_URL'], { flag: 'nats' }),
  'nats.events': setting(subject, 'LAPSE_NATS_EVENTS'),
  'nats.stream': setting(streamName, 'LAPSE_NATS_STREAM'),
  'nats.replicas': setting(integer({ min: 1, max: 5 }), 'LAPSE_NATS_REPLICAS'),
  'nats.user': setting(credential, 'LAPSE_NATS_USER'),
  'nats.password': setting(credential, 'LAPSE_NATS_PASSWORD', { isSecret: true }),
  'nats.token': setting(credential, 'LAPSE_NATS_TOKEN', { isSecret: true }),
  'nats.nkey': setting(credential, 'LAPSE_NATS_NKEY', { isSecret: true }),
  'nats.creds': setting(fileName, 'LAPSE_NATS_CREDS', { isPath: true }),
  'nats.tls.ca': setting(fileName, 'LAPSE_NATS_TLS_CA', { isPath: true }),
  'nats.tls.cert': setting(fileName, 'LAPSE_NATS_TLS_CERT', { isPath: true }),
  'nats.tls.key': setting(fileName, 'LAPSE_NATS_TLS_KEY', { isPath: true }),
  'server.host': setting(
    text('a host name or address', { charsMax: 255, pattern: /^\S+$/ }),
    'LAPSE_HOST',
    { flag: 'host' },
  ),
  'server.port': setting(integer({ min: 0, max: 65_535 }), 'LAPSE_PORT', { flag: 'port' }),
  'server.origins': setting(origins, 'LAPSE_ORIGINS', { flag: 'origins' }),
  'server.hostNames': setting(hostNames, 'LAPSE_HOST_NAMES'),
  'server.ops': setting(hostAndPort, 'LAPSE_OPS', { flag: 'ops' }),
  data: setting(text('the path of a folder', { charsMax: TEXT_CHARS_MAX }), 'LAPSE_DATA', {
    flag: 'data',
    isPath: true,
  }),
  'egress.allow': setting(allowList, 'LAPSE_EGRESS_ALLOW', { flag: 'egress' }),
  'engine.workers': setting(integer(workers), 'LAPSE_ENGINE_WORKERS'),
  'engine.partitions': setting(integer(partitions), 'LAPSE_ENGINE_PARTITIONS'),
  'engine.reorderWindow': setting(duration(reorderWindowMs), 'LAPSE_ENGINE_REORDER_WINDOW'),
  'engine.checkpointInterval': setting(
    duration(checkpointIntervalMs),
    'LAPSE_ENGINE_CHECKPOINT_INTERVAL',
  ),
  'engine.messageIdsMax': setting(integer(messageIdsMax), 'LAPSE_ENGINE_MESSAGE_IDS_MAX'),
  'engine.durability': setting(choice('disk', 'process'), 'LAPSE_ENGINE_DURABILITY'),
  'limits.eventBytesMax': setting(byteSize(limits.eventBytesMax), 'LAPSE_LIMITS_EVENT_BYTES_MAX'),
  'limits.requestBytesMax': setting(
    byteSize(limits.requestBytesMax),
    'LAPSE_LIMITS_REQUEST_BYTES_MAX',
  ),
  'limits.requestEventsMax': setting(
    integer(limits.requestEventsMax),
    'LAPSE_LIMITS_REQUEST_EVENTS_MAX',
  ),
  'limits.uploadRecordsMax': setting(
    integer(limits.uploadRecordsMax),
    'LAPSE_LIMITS_UPLOAD_RECORDS_MAX',
  ),
  'limits.propertiesMax': setting(integer(limits.propertiesMax), 'LAPSE_LIMITS_PROPERTIES_MAX'),
  'limits.nameCharsMax': setting(integer(limits.nameCharsMax), 'LAPSE_LIMITS_NAME_CHARS_MAX'),
  'limits.depthMax': setting(integer(limits.depthMax), 'LAPSE_LIMITS_DEPTH_MAX'),
} as const;

type Settings = typeof runtimeSettings;
export type RuntimePath = keyof Settings;
export type ValueOf<P extends RuntimePath> = Settings[P] extends Setting<infer T> ? T : never;

/** What files say of the settings, read but without defaults. */
export type RuntimeFileSettings = { readonly [P in RuntimePath]?: ValueOf<P> };

export const RUNTIME_PATHS = Object.keys(runtimeSettings) as RuntimePath[];

/** As one writes them; those that are not here depend on the machine, or are absent. */
const defaults: { readonly [P in RuntimePath]?: string | number } = {
  'nats.events': 'events.>',
  'nats.stream': 'LAPSE_EVENTS',
  'nats.replicas': 1,
  'server.host': '127.0.0.1',
  'server.port': 8080,
  data: 'lapse-data',
  'engine.partitions': partitions.default,
  'engine.reorderWindow': formatDuration(reorderWindowMs.default),
  'engine.checkpointInterval': formatDuration(checkpointIntervalMs.default),
  'engine.messageIdsMax': messageIdsMax.default,
  'engine.durability': 'disk',
  'limits.eventBytesMax': formatBytes(limits.eventBytesMax.default),
  'limits.requestBytesMax': formatBytes(limits.requestBytesMax.default),
  'limits.requestEventsMax': limits.requestEventsMax.default,
  'limits.uploadRecordsMax': limits.uploadRecordsMax.default,
  'limits.propertiesMax': limits.propertiesMax.default,
  'limits.nameCharsMax': limits.nameCharsMax.default,
  'limits.depthMax': limits.depthMax.default,
};

type Tree = { [key: string]: Tree | z.ZodType };

/** The top-level keys of a file that hold these settings, each optional. */
export const runtimeShape: Record<string, z.ZodType> = shapeOf(runtimeTree());

function runtimeTree(): Tree {
  const root: Tree = {};
  for (const path of RUNTIME_PATHS) {
    const keys = path.split('.');
    let node = root;
    for (const key of keys.slice(0, -1)) {
      node[key] ??= {};
      node = node[key] as Tree;
    }
    const schema = schemaOf<unknown>(runtimeSettings[path].leaf);
    const byDefault = defaults[path];
    node[keys.at(-1)!] = (byDefault === undefined ? schema : schema.meta({ default: byDefault }))
      .describe(runtimeDescriptions[path])
      .optional();
  }
  return root;
}

function shapeOf(tree: Tree, parent = ''): Record<string, z.ZodType> {
  return Object.fromEntries(
    Object.entries(tree).map(([key, node]) => {
      if (node instanceof z.ZodType) return [key, node];
      const group = mapping(shapeOf(node, `${parent}${key}.`));
      return [key, group.describe(groupDescriptions[`${parent}${key}`]!).optional()];
    }),
  );
}

/** The setting's value in a file's checked value; undefined when the file is silent. */
export function runtimeValueIn(file: unknown, path: RuntimePath): unknown {
  let value = file;
  for (const key of path.split('.')) {
    value = (value as Readonly<Record<string, unknown>> | undefined)?.[key];
  }
  return value;
}
