/** Files of events: their lines, plain and gzip, and what `import` makes of a line. */
import { isUtf8 } from 'node:buffer';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { parseLine } from '../../../app/cli/commands/import-lines.ts';
import { SimulationLines } from '../../../app/simulate/simulation-lines.ts';
import { type EventLine, readEventLines } from '../../../connectors/doors/file/event-lines.ts';
import { DEFAULT_EVENT_LIMITS } from '../../../connectors/events/event-limits.ts';
import { demand, type FuzzTarget, type Outcome } from '../target.ts';
import { demandEvent } from './event-payloads.ts';
import { EVENT_WORDS, NDJSON_SEEDS, PAYLOAD_SEEDS } from './event-seeds.ts';

const LINE_BYTES_MAX = DEFAULT_EVENT_LIMITS.eventBytesMax;

interface ReadLine {
  readonly lineNumber: number;
  readonly bytes: Buffer;
  readonly isRefused: boolean;
}

function chunksOf(input: Uint8Array, chunkBytes: number): Readable {
  const chunks: Buffer[] = [];
  for (let at = 0; at < input.length; at += chunkBytes) {
    chunks.push(Buffer.from(input.subarray(at, at + chunkBytes)));
  }
  return Readable.from(chunks);
}

async function readLines(
  input: Readable,
  take: (line: EventLine) => void = () => undefined,
): Promise<ReadLine[]> {
  const lines: ReadLine[] = [];
  for await (const line of readEventLines('fuzz', { input })) {
    take(line);
    demand(line.bytes.length <= LINE_BYTES_MAX, () => `A line of ${line.bytes.length} bytes.`);
    const { lineNumber, bytes, refused } = line;
    lines.push({ lineNumber, bytes: Buffer.from(bytes), isRefused: refused !== undefined });
  }
  return lines;
}

/** Reads the lines for a simulation, and once more in other chunks: the same must come out. */
async function runLines(input: Uint8Array): Promise<Outcome> {
  const simulation = new SimulationLines(DEFAULT_EVENT_LIMITS);
  let accepted = 0;
  const lines = await readLines(chunksOf(input, 64 * 1024), (line) => {
    const read = simulation.read(line);
    if (read.kind === 'rejected') return;
    accepted++;
    demand(Number.isFinite(read.atMs), () => `A time of receipt of ${read.atMs}.`);
    if (read.kind === 'event') demandEvent(read.event);
  });
  if (input.length < 8 * 1024) {
    const again = await readLines(chunksOf(input, 1 + (input.length % 97)));
    demand(again.length === lines.length, () => `${lines.length} lines, or ${again.length}.`);
    for (const [i, line] of again.entries()) {
      const isSame = line.bytes.equals(lines[i]!.bytes) && line.isRefused === lines[i]!.isRefused;
      demand(isSame, () => `Line ${line.lineNumber} is another one in other chunks.`);
    }
  }
  return accepted > 0 ? 'accepted' : 'refused';
}

/** Inflated they are up to 20 MB: time goes with what comes out, and only that. */
const PACKED_BYTES_MAX = 20 * 1024;
/** Far more than a reader takes at a time: what is read of a bomb until somebody stops. */
const GZIP_LINES_MAX = 20_000;

/** Lines of a bomb come one by one, so that whoever reads may stop at any. */
async function runGzip(input: Uint8Array): Promise<Outcome> {
  const isGzip = input[0] === 0x1f && input[1] === 0x8b;
  const packed = isGzip ? input : gzipSync(input, { level: 1 });
  let lines = 0;
  const file = chunksOf(packed.subarray(0, PACKED_BYTES_MAX), 16 * 1024);
  for await (const line of readEventLines('fuzz', { input: file })) {
    demand(line.bytes.length <= LINE_BYTES_MAX, () => `A line of ${line.bytes.length} bytes.`);
    if (++lines === GZIP_LINES_MAX) break;
  }
  return lines > 0 ? 'accepted' : 'refused';
}

/** An element of a batch must say what the line says, and have an id. */
function runImport(input: Uint8Array): Outcome {
  const parsed = parseLine(input, () => 'import:1:1');
  if ('code' in parsed) return 'refused';
  demand(isUtf8(input), () => 'Bytes that are not UTF-8 were taken.');
  demand(parsed.user.isWellFormed() || parsed.user.length > 0, () => 'A user of no text.');
  const was = JSON.parse(Buffer.from(input).toString().trim()) as unknown;
  const [is] = (JSON.parse(`{"batch":[${parsed.text}]}`) as { batch: unknown[] }).batch;
  if (typeof was !== 'object' || was === null || Array.isArray(was)) {
    demand(JSON.stringify(is) === JSON.stringify(was), () => 'A line became another value.');
    return 'accepted';
  }
  const { messageId: id, ...rest } = is as Record<string, unknown>;
  const { messageId: given, ...given_ } = was as Record<string, unknown>;
  demand(JSON.stringify(rest) === JSON.stringify(given_), () => 'A line became another event.');
  const wanted = given ?? 'import:1:1';
  demand(JSON.stringify(id) === JSON.stringify(wanted), () => 'A line got another id.');
  return 'accepted';
}

export const fileLines: FuzzTarget = {
  name: 'file-lines',
  format: 'bytes',
  seeds: () => NDJSON_SEEDS,
  words: EVENT_WORDS,
  share: 0.2,
  open: () => ({ run: runLines }),
};

export const fileGzip: FuzzTarget = {
  name: 'file-gzip',
  format: 'bytes',
  seeds: () => [
    ...NDJSON_SEEDS,
    ...NDJSON_SEEDS.map((seed) => gzipSync(seed)),
    Buffer.concat([gzipSync('{"a":1}\n'), gzipSync('{"b":2}')]),
    gzipSync(Buffer.alloc(2 * 1024 * 1024, '[')),
    gzipSync(Buffer.alloc(256 * 1024, '0\n')),
  ],
  words: EVENT_WORDS,
  share: 0.1,
  open: () => ({ run: runGzip }),
};

export const importLines: FuzzTarget = {
  name: 'import-line',
  format: 'json',
  seeds: () => [...PAYLOAD_SEEDS, ' {} ', '{"messageId":null}', '{"userId":7}'],
  words: EVENT_WORDS,
  open: () => ({ run: runImport }),
};
