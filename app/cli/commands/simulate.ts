import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { loadConfiguration } from '../../../config/definitions/definitions.ts';
import { LAPSE_VERSION } from '../../../config/definitions/version.ts';
import { readEventLines } from '../../../connectors/doors/file/event-lines.ts';
import { externalError, messageOf } from '../../../engine/errors/errors.ts';
import { formatInstant } from '../../../engine/time/duration.ts';
import { readReceiver } from '../../simulate/read-receiver.ts';
import { type SimulationSummary, simulate } from '../../simulate/simulation.ts';
import {
  ExitCode,
  readInstant,
  readInteger,
  say,
  unsetSentence,
  warningSentence,
} from '../command-line.ts';

export interface SimulateOptions {
  readonly config: readonly string[];
  readonly events: string;
  readonly receiver?: string;
  readonly from?: string;
  readonly until?: string;
  readonly partitions?: string;
  readonly out?: string;
  readonly json?: boolean;
}

const FLUSH_CHARS = 64 * 1024;

/**
 * `lapse simulate`: the engine on a simulated clock; NDJSON out, a summary on stderr. Resolves with
 * the exit code: 1 when every line was refused.
 */
export async function simulateCommand(options: SimulateOptions): Promise<number> {
  const { definitions, runtime, unset, warnings } = loadConfiguration(options.config, process.env, {
    hasPlaceholders: true,
  });
  if (unset.length > 0) say(unsetSentence(unset));
  for (const warning of warnings) say(warningSentence(warning));
  const out = new LineWriter(options.out ?? '-');
  const summary = await simulate({
    definitions,
    lines: readEventLines(options.events),
    userAgent: `Lapse/${LAPSE_VERSION}`,
    write: (line) => out.write(JSON.stringify(line)),
    reorderWindowMs: runtime['engine.reorderWindow'] ?? 5_000,
    ...(options.receiver === undefined ? {} : { receiver: readReceiver(options.receiver) }),
    ...(options.from === undefined ? {} : { fromMs: readInstant('--from', options.from) }),
    ...(options.until === undefined ? {} : { untilMs: readInstant('--until', options.until) }),
    ...(options.partitions === undefined
      ? {}
      : { partitionCount: readInteger('--partitions', options.partitions, 1, 4096) }),
  });
  await out.end();
  say(options.json === true ? JSON.stringify(summary) : sentenceOf(summary));
  // A file of which nothing could be read is no run without results, but no run.
  const isAllRefused = summary.lines > 0 && summary.rejected === summary.lines;
  return isAllRefused ? ExitCode.failed : ExitCode.done;
}

function sentenceOf(summary: SimulationSummary): string {
  const { lines, rejected, duplicates, qualified, attempts, delivered, failed } = summary;
  const parts = [
    `${lines} lines (${rejected} rejected, ${duplicates} duplicates)`,
    ...repairsOf(summary),
    `${summary.windowsOpened} windows opened, ${summary.windowsCancelled} cancelled, ${summary.windowsRefused} refused`,
    `${qualified} qualified`,
    `${attempts} attempts: ${delivered} delivered, ${failed} failed`,
    `${summary.windowsOpen} windows still open and ${summary.deliveriesPending} deliveries pending`,
  ];
  const end = summary.endedAtMs === 0 ? '' : ` at ${formatInstant(summary.endedAtMs)}`;
  return `${parts.join('; ')}${end}.`;
}

/** Said only when there is something to say. */
function repairsOf({ repairs }: SimulationSummary): string[] {
  const { surrogates, numbersAsText, sentAtIgnored } = repairs;
  return [
    ...(surrogates > 0 ? [`${surrogates} lone surrogates replaced by U+FFFD`] : []),
    ...(numbersAsText > 0 ? [`${numbersAsText} numbers beyond 64 bits taken as texts`] : []),
    ...(sentAtIgnored > 0 ? [`${sentAtIgnored} unreadable sentAt ignored`] : []),
  ];
}

/** Writes lines in blocks: one write a line would cost more than the simulation. */
class LineWriter {
  readonly #stream: Writable;
  readonly #path: string;
  #pending = '';
  #failure: unknown;

  constructor(path: string) {
    this.#path = path;
    this.#stream = path === '-' ? process.stdout : createWriteStream(path);
    this.#stream.on('error', (error) => {
      this.#failure = error;
    });
  }

  write(line: string): void {
    this.#pending += `${line}\n`;
    if (this.#pending.length >= FLUSH_CHARS) this.#flush();
  }

  async end(): Promise<void> {
    this.#flush();
    if (this.#path === '-') {
      await new Promise<void>((resolve) => this.#stream.write('', () => resolve()));
    } else {
      this.#stream.end();
      await finished(this.#stream).catch(() => undefined);
    }
    if (this.#failure !== undefined && (this.#failure as { code?: string }).code !== 'EPIPE') {
      throw externalError(
        'ERR_OUTPUT',
        `The output ${this.#path} cannot be written: ${messageOf(this.#failure)}`,
      );
    }
  }

  #flush(): void {
    if (this.#pending.length > 0) this.#stream.write(this.#pending);
    this.#pending = '';
  }
}
