/** Writes a workload into a log as the intake would under load: full envelopes, before the clock. */
import { EnvelopeWriter } from '../../engine/envelope/envelope-writer.ts';
import { RecordKind } from '../../engine/envelope/records.ts';
import type { Log } from '../../engine/log/log.ts';
import { partitionOf } from '../../engine/state/hash.ts';
import type { Definitions } from '../../operators/definitions.ts';
import { startProgress } from '../harness/progress.ts';
import type { ShopWorkload } from './shop.ts';

/** Bytes of appends under way: below what either log refuses. */
const IN_FLIGHT_BYTES_MAX = 32 * 2 ** 20;

export interface Filled {
  readonly envelopes: number;
  readonly bytes: number;
}

/**
 * Puts the definitions first, so that every partition knows its campaigns before its first event,
 * and a tick at `untilMs` last.
 * @param total events of the workload, for the progress bar
 */
export async function fillLog(
  log: Log,
  workload: ShopWorkload,
  options: {
    readonly definitions: Definitions;
    readonly fromMs: number;
    readonly untilMs: number;
    readonly total: number;
  },
): Promise<Filled> {
  const { definitions, fromMs, untilMs, total } = options;
  const writers = Array.from({ length: log.partitionCount }, () => new EnvelopeWriter());
  const filler = new Filler(log);
  for (const [partition, writer] of writers.entries()) {
    writer.addJson(RecordKind.control, { type: 'definitions', definitions }, fromMs);
    await filler.append(partition, writer);
  }
  const progress = startProgress('filling the log', total);
  for (let i = 0; workload.next(); i++) {
    const { event, receivedAtMs } = workload;
    const partition = partitionOf(event.userId, writers.length);
    const writer = writers[partition]!;
    writer.addEvent(event, receivedAtMs);
    if (!writer.isFull) continue;
    await filler.append(partition, writer);
    progress.at(i);
  }
  for (const [partition, writer] of writers.entries()) {
    // Time comes to its end in every partition alike, whatever came in last.
    writer.addTick(untilMs);
    await filler.append(partition, writer);
  }
  const filled = await filler.end();
  progress.end();
  return filled;
}

class Filler {
  readonly #log: Log;
  #inFlightBytes = 0;
  #envelopes = 0;
  #bytes = 0;
  #wake: () => void = () => {};
  #failure: unknown;

  constructor(log: Log) {
    this.#log = log;
  }

  async append(partition: number, writer: EnvelopeWriter): Promise<void> {
    const bytes = writer.finish();
    this.#envelopes++;
    this.#bytes += bytes.length;
    this.#inFlightBytes += bytes.length;
    this.#log.append(`in.${partition}`, bytes).then(
      () => this.#settle(bytes.length),
      (error: unknown) => {
        this.#failure = error;
        this.#settle(bytes.length);
      },
    );
    await this.#until(IN_FLIGHT_BYTES_MAX);
  }

  async end(): Promise<Filled> {
    await this.#until(0);
    return { envelopes: this.#envelopes, bytes: this.#bytes };
  }

  #settle(length: number): void {
    this.#inFlightBytes -= length;
    this.#wake();
  }

  async #until(bytesMax: number): Promise<void> {
    while (this.#inFlightBytes > bytesMax && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }
}
