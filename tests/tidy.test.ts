import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const ROOMS = ['engine', 'operators', 'connectors', 'config', 'app', 'api', 'bench'] as const;
type Room = (typeof ROOMS)[number];

/** Which rooms a room may import from, besides itself. */
const MAY_IMPORT: Readonly<Record<Room, readonly Room[]>> = {
  engine: [],
  operators: ['engine'],
  connectors: ['engine'],
  config: ['engine', 'operators', 'connectors'],
  app: ['engine', 'operators', 'connectors', 'config', 'api'],
  api: ['engine', 'operators', 'config'],
  bench: ['engine', 'operators', 'connectors', 'config', 'app'],
};

/** Third-party packages and the folders that may import them; bench and tests import anything. */
const PACKAGE_HOMES: Readonly<Record<string, readonly string[]>> = {
  '@nats-io/jetstream': ['connectors/nats', 'connectors/logs/jetstream', 'connectors/doors/nats'],
  '@nats-io/transport-node': [
    'connectors/nats',
    'connectors/logs/jetstream',
    'connectors/doors/nats',
  ],
  ws: ['connectors/doors/websocket'],
  lmdb: ['connectors/logs/embedded'],
  'ipaddr.js': ['connectors/webhook/egress'],
  undici: ['connectors/webhook', 'app/cli', 'app/demo'],
  fastify: [
    'connectors/doors/http',
    'connectors/doors/clevertap',
    'connectors/doors/cloudevents',
    'app/serve',
  ],
  'prom-client': ['connectors/metrics'],
  liquidjs: ['operators/render'],
  re2js: ['operators/filters'],
  zod: ['config', 'operators', 'app/simulate'],
  yaml: ['config', 'app'],
  pino: ['app/cli'],
  commander: ['app/cli'],
  'temporal-polyfill': ['engine/time/zone.ts'],
};

const LINES_MAX = 400;
const LINE_CHARS_MAX = 120;

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

interface Source {
  readonly path: string;
  readonly room: Room;
  readonly text: string;
  /** Module names as written. */
  readonly imports: readonly string[];
}

const sources: Source[] = ROOMS.filter((room) => exists(join(root, room))).flatMap((room) =>
  filesBelow(join(root, room)).map((path) => {
    const text = readFileSync(path, 'utf8');
    const found = text.matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^;]*?from\s*'([^']+)'|import\('([^']+)'\)/g,
    );
    return {
      path: relative(root, path),
      room,
      text,
      imports: [...found].map((match) => match[1] ?? match[2]!),
    };
  }),
);

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function roomOf(source: Source, imported: string): Room | undefined {
  if (!imported.startsWith('.')) return undefined;
  const target = relative(root, join(root, dirname(source.path), imported));
  return ROOMS.find((room) => target.startsWith(`${room}/`));
}

describe('the tree', () => {
  test('imports go in one direction only', () => {
    const wrong = sources.flatMap((source) =>
      source.imports
        .map((imported) => [imported, roomOf(source, imported)] as const)
        .filter(([, room]) => room !== undefined && room !== source.room)
        .filter(([, room]) => !MAY_IMPORT[source.room].includes(room!))
        .map(([imported]) => `${source.path} imports ${imported}`),
    );
    expect(wrong).toEqual([]);
  });

  test('connectors do not import each other, but for the decoding of events and the NATS connection', () => {
    const wrong = sources
      .filter(({ room }) => room === 'connectors')
      .flatMap((source) =>
        source.imports
          .filter((imported) => imported.startsWith('.'))
          .map((imported) => relative(root, join(root, dirname(source.path), imported)))
          .filter((target) => target.startsWith('connectors/'))
          .filter((target) => target.split('/')[1] !== source.path.split('/')[1])
          .filter((target) => !/^connectors\/(nats|events)\//.test(target))
          .map((target) => `${source.path} imports ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  test('a third-party package lives in its own folder', () => {
    const wrong = sources
      .filter(({ room }) => room !== 'bench')
      .flatMap((source) =>
        source.imports
          .filter((imported) => PACKAGE_HOMES[imported] !== undefined)
          .filter((name) => !PACKAGE_HOMES[name]!.some((home) => source.path.startsWith(home)))
          .map((name) => `${source.path} imports ${name}`),
      );
    expect(wrong).toEqual([]);
  });

  test('clocks and chance are injected: none in engine and operators', () => {
    const allowed = ['engine/time/clock.ts', 'engine/worker/partition-worker.ts'];
    const wrong = sources
      .filter(({ room, path }) => ['engine', 'operators'].includes(room) && !allowed.includes(path))
      .filter(({ text }) =>
        /\bDate\.now\(|new Date\(\)|Math\.random|randomUUID|\bsetTimeout\(|\bsetInterval\(/.test(
          text,
        ),
      )
      .map(({ path }) => path);
    expect(wrong).toEqual([]);
  });

  test('no code is made from text', () => {
    const wrong = sources
      .filter(({ text }) => /\beval\(|new Function\(/.test(text))
      .map(({ path }) => path);
    expect(wrong).toEqual([]);
  });

  test(`no file has more than ${LINES_MAX} lines, no line more than ${LINE_CHARS_MAX} characters`, () => {
    const wrong = sources.flatMap(({ path, text }) => {
      const lines = text.split('\n');
      const long = lines.findIndex((line) => line.length > LINE_CHARS_MAX && !line.includes('`'));
      return [
        ...(lines.length > LINES_MAX ? [`${path} has ${lines.length} lines`] : []),
        ...(long >= 0 ? [`${path}:${long + 1} has ${lines[long]!.length} characters`] : []),
      ];
    });
    expect(wrong).toEqual([]);
  });

  test('files have names of their own, not shelves', () => {
    const wrong = sources
      .map(({ path }) => path)
      .filter((path) => /\/(utils?|helpers?|common|manager|handler|misc)\.ts$/.test(path));
    expect(wrong).toEqual([]);
  });
});
