import { createReadStream, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { intakeLimits } from '../../../config/limits.ts';
import { readEventLines } from '../../../connectors/doors/file/event-lines.ts';
import { systemClock } from '../../../engine/time/clock.ts';
import { ExitCode, printJson, printLine, say } from '../command-line.ts';
import { LapseClient, serverUrl } from '../lapse-client.ts';
import { Progress } from '../progress.ts';
import { visibleText } from '../visible-text.ts';
import { ImportLanes, type ImportRefusal } from './import-lanes.ts';
import { fileName, lineName, parseLine } from './import-lines.ts';

export interface ImportOptions {
  readonly url?: string;
  readonly json?: boolean;
}

/** Requests in flight; a further one gains nothing on one Lapse. */
const LANES = 4;
/** Refusals that are shown in words; the rest is counted by code. */
const REFUSALS_SHOWN = 20;
/** Refusals that `--json` lists. */
const REFUSALS_KEPT = 10_000;

/** `lapse import`: files of events through the HTTP API; resolves with the exit code. */
export async function importCommand(
  files: readonly string[],
  options: ImportOptions,
): Promise<number> {
  const url = serverUrl(options.url, process.env);
  const names = new Map<string, string>();
  // Before the first event leaves: a missing file must not end an import half way.
  for (const file of files) if (file !== '-') names.set(file, await fileName(file));
  const client = new LapseClient({ url, clock: systemClock, connections: LANES });
  const run = new ImportRun(client, options.json !== true);
  try {
    for (const file of files) await run.read(file, names.get(file));
    await run.end();
  } finally {
    run.progress.end();
    await client.close();
  }
  run.report(options.json === true, files.length);
  return run.refusedCount === 0 ? ExitCode.done : ExitCode.failed;
}

class ImportRun {
  readonly progress: Progress;
  readonly #lanes: ImportLanes;
  readonly #startedMs = performance.now();
  readonly #refused: ImportRefusal[] = [];
  readonly #refusedByCode = new Map<string, number>();
  #accepted = 0;

  constructor(client: LapseClient, isShown: boolean) {
    this.progress = new Progress({ clock: systemClock, stream: process.stderr, isShown });
    this.#lanes = new ImportLanes({
      client,
      laneCount: LANES,
      eventsMax: intakeLimits.requestEventsMax.default,
      bytesMax: intakeLimits.requestBytesMax.default,
      onAnswer: (accepted, refused) => {
        this.#accepted += accepted;
        for (const one of refused) this.#refuse(one);
      },
    });
  }

  get refusedCount(): number {
    return [...this.#refusedByCode.values()].reduce((sum, count) => sum + count, 0);
  }

  /** @param name what ids are made of; undefined for standard input */
  async read(file: string, name: string | undefined): Promise<void> {
    const { input, share } = open(file);
    for await (const { lineNumber: line, bytes, refused } of readEventLines(file, { input })) {
      const newId = () => `import:${name ?? lineName(bytes)}:${line}`;
      const parsed = refused ?? parseLine(bytes, newId);
      if ('code' in parsed)
        this.#refuse({ file, line, code: parsed.code, message: parsed.message });
      else await this.#lanes.add(parsed.user, { file, line, text: parsed.text });
      this.progress.update(share(), () => `${file}: ${this.#pace()}`);
    }
  }

  end(): Promise<void> {
    return this.#lanes.end();
  }

  report(asJson: boolean, files: number): void {
    const seconds = (performance.now() - this.#startedMs) / 1_000;
    const accepted = this.#accepted;
    const rejected = this.refusedCount;
    const refused = this.#refused.sort(byPlace);
    if (asJson) {
      const eventsPerSecond = Math.round(accepted / seconds);
      const facts = { files, accepted, rejected, seconds, eventsPerSecond, rejections: refused };
      printJson(facts);
      return;
    }
    for (const { file, line, code, message } of refused.slice(0, REFUSALS_SHOWN)) {
      say(`${file}:${line}: ${visibleText(message)} [${code}]`);
    }
    if (rejected > REFUSALS_SHOWN) {
      const counts = [...this.#refusedByCode].map(([code, count]) => `${count} ${code}`);
      say(`… and ${rejected - REFUSALS_SHOWN} more; in all ${counts.join(', ')}.`);
    }
    printLine(`${this.#pace()}, in ${seconds.toFixed(1)} s.`);
  }

  #pace(): string {
    const seconds = (performance.now() - this.#startedMs) / 1_000;
    const rate = Math.round(this.#accepted / seconds);
    const [accepted, perSecond] = [this.#accepted, rate].map((n) => n.toLocaleString('en-US'));
    return `${accepted} accepted, ${this.refusedCount} rejected, ${perSecond} events/s`;
  }

  #refuse(refusal: ImportRefusal): void {
    if (this.#refused.length < REFUSALS_KEPT) this.#refused.push(refusal);
    this.#refusedByCode.set(refusal.code, (this.#refusedByCode.get(refusal.code) ?? 0) + 1);
  }
}

/** @returns how much of the file was read, of its bytes as they lie on disk, packed or not */
function open(file: string): { input: Readable; share: () => number | undefined } {
  if (file === '-') return { input: process.stdin, share: () => undefined };
  const input = createReadStream(file);
  const size = statSync(file).size;
  return { input, share: () => (size === 0 ? 1 : input.bytesRead / size) };
}

/** In the order of characters' codes: another machine's language would have another order. */
function byPlace(a: ImportRefusal, b: ImportRefusal): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line;
}
