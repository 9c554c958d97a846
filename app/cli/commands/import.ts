import { createReadStream, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { intakeLimits } from '../../../config/limits.ts';
import { readEventLines } from '../../../connectors/doors/file/event-lines.ts';
import type { EventCounts } from '../../../connectors/doors/http/event-counts.ts';
import { LapseError } from '../../../engine/errors/errors.ts';
import { systemClock } from '../../../engine/time/clock.ts';
import { formatDuration, MINUTE_MS } from '../../../engine/time/duration.ts';
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
/** How long an import waits for a Lapse that restarts, or for a line that is cut. */
const PATIENCE_MS = 5 * MINUTE_MS;
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
  const asJson = options.json === true;
  const client = new LapseClient({
    ...{ url, clock: systemClock, connections: LANES, patienceMs: PATIENCE_MS },
    onRetry: (error) => run.interrupted(error),
  });
  const run = new ImportRun(client, !asJson);
  let failure: LapseError | undefined;
  try {
    for (const file of files) await run.read(file, names.get(file));
    await run.end();
  } catch (error) {
    // What went in is told all the same. Before the first answer there is nothing to tell.
    if (!(error instanceof LapseError) || !run.hasBegun) throw error;
    failure = error;
  } finally {
    run.progress.end();
    await client.close();
  }
  run.report(asJson, files.length, failure);
  return run.refusedCount === 0 && failure === undefined ? ExitCode.done : ExitCode.failed;
}

class ImportRun {
  readonly progress: Progress;
  readonly #lanes: ImportLanes;
  readonly #startedMs = performance.now();
  readonly #refused: ImportRefusal[] = [];
  readonly #refusedByCode = new Map<string, number>();
  #accepted = 0;
  /** Undefined as long as Lapse does not count: an older one. */
  #counts: EventCounts | undefined;
  #isInterrupted = false;
  readonly #isShown: boolean;

  constructor(client: LapseClient, isShown: boolean) {
    this.#isShown = isShown;
    this.progress = new Progress({ clock: systemClock, stream: process.stderr, isShown });
    this.#lanes = new ImportLanes({
      client,
      laneCount: LANES,
      eventsMax: intakeLimits.requestEventsMax.default,
      bytesMax: intakeLimits.requestBytesMax.default,
      onAnswer: ({ accepted, counts }, refused) => {
        this.#accepted += accepted;
        this.#count(counts);
        this.#isInterrupted = false;
        for (const one of refused) this.#refuse(one);
      },
    });
  }

  get refusedCount(): number {
    return [...this.#refusedByCode.values()].reduce((sum, count) => sum + count, 0);
  }

  get hasBegun(): boolean {
    return this.#accepted > 0 || this.refusedCount > 0;
  }

  /** Says once that the import waits, however many requests wait and however often they try. */
  interrupted(error: LapseError): void {
    if (this.#isInterrupted || error.code !== 'ERR_UNREACHABLE') return;
    this.#isInterrupted = true;
    this.progress.end();
    const patience = formatDuration(PATIENCE_MS);
    if (this.#isShown) say(`${visibleText(error.message)} Trying again for up to ${patience}.`);
  }

  #count(counts: EventCounts | undefined): void {
    if (counts === undefined) return;
    this.#counts ??= { new: 0, known: 0, tooOld: 0, unasked: 0 };
    this.#counts.new += counts.new;
    this.#counts.known += counts.known;
    this.#counts.tooOld += counts.tooOld;
    this.#counts.unasked += counts.unasked;
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

  report(asJson: boolean, files: number, failure: LapseError | undefined): void {
    const seconds = (performance.now() - this.#startedMs) / 1_000;
    const accepted = this.#accepted;
    const rejected = this.refusedCount;
    const refused = this.#refused.sort(byPlace);
    if (asJson) {
      const eventsPerSecond = Math.round(accepted / seconds);
      const error =
        failure === undefined ? {} : { error: { code: failure.code, message: failure.message } };
      const totals = { files, accepted, ...this.#counts, rejected, seconds, eventsPerSecond };
      printJson({ ...totals, rejections: refused, ...error });
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
    if (this.#counts !== undefined) printLine(sentenceOf(this.#counts));
    if (failure === undefined) return;
    say(`${visibleText(failure.message)} [${failure.code}]`);
    say('The import is not complete. Repeat it within 24 hours: what went in is ignored then.');
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

function sentenceOf({ new: fresh, known, tooOld, unasked }: EventCounts): string {
  const [a, b, c, d] = [fresh, known, tooOld, unasked].map((n) => n.toLocaleString('en-US'));
  return (
    `Of the accepted, ${a} are new, ${b} were known and are ignored, ${c} are too old or too far ` +
    `ahead to trigger, and no campaign asks about ${d}.`
  );
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
