import { EnvelopeReader } from '../../../engine/envelope/envelope-reader.ts';
import { type DeliveryOutcome, outcomeFrom } from '../../../engine/envelope/outcomes.ts';
import { RecordKind } from '../../../engine/envelope/records.ts';
import { externalError } from '../../../engine/errors/errors.ts';
import type { Fence, Log, LogReader, Offset } from '../../../engine/log/log.ts';
import type { MemoryLog } from '../../../engine/log/memory-log.ts';
import type {
  OutgoingRequest,
  Transport,
  TransportResult,
} from '../../../engine/sender/transport.ts';
import type { Clock } from '../../../engine/time/clock.ts';

interface Timer {
  readonly atMs: number;
  readonly sequence: number;
  readonly run: () => void;
}

/** A clock that stands still unless told to go on. */
export class SimulatedClock implements Clock {
  #nowMs: number;
  #sequence = 0;
  #timers: Timer[] = [];

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  at(atMs: number, run: () => void): () => void {
    const timer = { atMs, sequence: this.#sequence++, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Runs all that is due up to `untilMs`, one timer after the other, each to its end. */
  async runUntil(untilMs: number): Promise<void> {
    for (;;) {
      await settle();
      const [next] = this.#timers.toSorted((a, b) => a.atMs - b.atMs || a.sequence - b.sequence);
      if (next === undefined || next.atMs > untilMs) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
    }
    this.#nowMs = untilMs;
  }
}

/** Lets promises and `setImmediate`s run out. */
async function settle(): Promise<void> {
  for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve));
}

/** One life of the process: after `crash` nothing that belongs to it happens any more. */
export class Life {
  isOver = false;
  readonly clock: Clock;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.clock = {
      now: () => clock.now(),
      at: (atMs, callback) => clock.at(atMs, () => this.isOver || callback()),
    };
  }

  crash(): void {
    this.isOver = true;
  }

  /** Waits on the simulated clock; for ever, if this life ends meanwhile. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.at(this.#clock.now() + ms, () => {
        if (!this.isOver) resolve();
      });
    });
  }
}

export interface SlowLogOptions {
  readonly log: MemoryLog;
  readonly life: Life;
  /** How long the next step of an append takes. */
  readonly delayMs: () => number;
  /** Whether the next step fails: before storing nothing stands, after it the caller cannot know. */
  readonly isFailing: () => boolean;
  readonly onStored: (topic: string, bytes: Uint8Array) => void;
}

/** A log that takes its time and may fail, so that a crash hits before or after it stores. */
export class SlowLog implements Log {
  readonly partitionCount = 1;
  readonly #options: SlowLogOptions;
  readonly #log: MemoryLog;
  readonly #life: Life;
  readonly #chain = new Map<string, Promise<unknown>>();

  constructor(options: SlowLogOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#life = options.life;
  }

  append(topic: string, bytes: Uint8Array, fence?: Fence): Promise<Offset | undefined> {
    const copy = new Uint8Array(bytes);
    const before = this.#chain.get(topic) ?? Promise.resolve();
    const stored = before.then(async () => {
      await this.#step();
      const offset = await this.#log.append(topic, copy, fence);
      if (offset !== undefined) this.#options.onStored(topic, copy);
      return offset;
    });
    this.#chain.set(
      topic,
      stored.catch(() => undefined),
    );
    return stored.then(async (offset) => {
      await this.#step();
      return offset;
    });
  }

  async #step(): Promise<void> {
    await this.#life.pause(this.#options.delayMs());
    if (this.#options.isFailing()) throw externalError('ERR_LOG_UNAVAILABLE', 'The log is away.');
  }

  claim(partition: number, epoch: number, bytes: Uint8Array): Promise<Offset> {
    return this.#log.claim(partition, epoch, bytes);
  }

  epochOf(partition: number): Promise<number> {
    return this.#log.epochOf(partition);
  }

  read(topic: string, after: Offset, onReadable: () => void): LogReader {
    return this.#log.read(topic, after, () => this.#life.isOver || onReadable());
  }

  tail(topic: string): Promise<Offset> {
    return this.#log.tail(topic);
  }

  head(topic: string): Promise<Offset> {
    return this.#log.head(topic);
  }

  positionOf(topic: string, writer: number) {
    return this.#log.positionOf(topic, writer);
  }

  async trim(topic: string, upTo: Offset): Promise<void> {
    if (!this.#life.isOver) await this.#log.trim(topic, upTo);
  }

  async close(): Promise<void> {}
}

/** Answers as the script says, after a while. */
export class ScriptedTransport implements Transport {
  readonly #life: Life;
  readonly #script: (request: OutgoingRequest) => { afterMs: number; result: TransportResult };

  constructor(
    life: Life,
    script: (request: OutgoingRequest) => { afterMs: number; result: TransportResult },
  ) {
    this.#life = life;
    this.#script = script;
  }

  async send(request: OutgoingRequest): Promise<TransportResult> {
    const { afterMs, result } = this.#script(request);
    if (afterMs > 0) await this.#life.pause(afterMs);
    return result;
  }
}

/** Every envelope that a topic holds. */
export function envelopesOf(log: Log, topic: string): Uint8Array[] {
  const reader = log.read(topic, 0, () => {});
  const all: Uint8Array[] = [];
  for (let next = reader.poll(); next !== undefined; next = reader.poll()) all.push(next.bytes);
  reader.close();
  return all;
}

/** Every outcome that stands in a partition's log. */
export function outcomesIn(log: Log, topic: string): DeliveryOutcome[] {
  const reader = new EnvelopeReader();
  return envelopesOf(log, topic).flatMap((bytes) => {
    reader.load(bytes);
    const records = Array.from({ length: reader.count }, (_, i) => i);
    const outcomes = records.filter((i) => reader.kind[i] === RecordKind.outcome);
    return outcomes.map((i) => outcomeFrom(reader.jsonOf(i)));
  });
}
