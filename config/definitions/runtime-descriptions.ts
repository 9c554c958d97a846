/** What each setting, and each group of them, is for; shown by editors. */
import type { RuntimePath } from './runtime-table.ts';

export const runtimeDescriptions: Readonly<Record<RuntimePath, string>> = {
  'nats.url': 'URL of a NATS server, or several with commas. Absent: the embedded log.',
  'nats.events': 'Subjects that events come in by.',
  'nats.stream': 'Stream that the events are kept in.',
  'nats.replicas': 'Copies that the cluster keeps of each stream.',
  'nats.user': 'User name at the server.',
  'nats.password': 'Password of the user.',
  'nats.token': 'Token at the server.',
  'nats.nkey': 'Seed of an nkey.',
  'nats.creds': 'Path of a .creds file.',
  'nats.tls.ca': 'Path of the PEM file of the authorities that are trusted.',
  'nats.tls.cert': 'Path of the PEM file of our certificate.',
  'nats.tls.key': 'Path of the PEM file of its key.',
  'server.host': 'Address that the server listens on.',
  'server.port': 'Port that the server listens on; 0 takes a free one.',
  'server.origins':
    'Origins of web pages that may send events, like https://shop.example.com; * for any.',
  'server.hostNames':
    'Names besides localhost by which clients call the server, as a proxy passes them on.',
  'server.ops': 'Address and port where /metrics, /healthz and /readyz are served besides.',
  data: 'Folder of the log, checkpoints and queues.',
  'egress.allow':
    'Private receivers that webhooks may reach: addresses, ranges and names. ' +
    'Default: loopback while the server listens on loopback only, else none.',
  'engine.workers': 'Threads that process events. Default: one less than there are cores.',
  'engine.partitions': 'Partitions of the log; fixed when the log is made.',
  'engine.reorderWindow':
    'How far events of a user may overtake one another and still count in order.',
  'engine.checkpointInterval': 'Time between two checkpoints of a partition.',
  'engine.messageIdsMax':
    'Message ids that are remembered for 24 h, about 20 bytes each. Above it the oldest are forgotten.',
  'engine.durability':
    'When an event is acknowledged: once it is on disk, or once the process has it.',
  'limits.eventBytesMax': 'Size of one event.',
  'limits.requestBytesMax': 'Size of the body of one request.',
  'limits.requestEventsMax': 'Events in one request.',
  'limits.uploadRecordsMax': 'Records in one upload in the form of CleverTap.',
  'limits.propertiesMax': 'Properties of one event.',
  'limits.nameCharsMax': 'Characters of the name of an event or a property.',
  'limits.depthMax': 'Nesting of the properties of an event.',
};

export const groupDescriptions: Readonly<Record<string, string>> = {
  nats: 'Connection to NATS, for the log of many machines.',
  'nats.tls': 'TLS towards the server.',
  server: 'The HTTP server.',
  egress: 'Where webhooks may go; receivers must be public otherwise.',
  engine: 'How events are processed.',
  limits: 'What a door takes in.',
};
