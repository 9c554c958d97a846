import { externalError } from '../../engine/errors/errors.ts';
import { epochTakenError, fencedError, judgeFence, movedError } from '../../engine/log/fence.ts';
import {
  BEGINNING,
  type Fence,
  type Log,
  type LogReader,
  type Offset,
  type StoredEnvelope,
  type WriterPosition,
} from '../../engine/log/log.ts';
import type { Archive } from './archive.ts';
import type { Life, Scheduler } from './scheduler.ts';
import type { Connecting, SimulatedHome } from './simulated-home.ts';

/** How the way to the log behaves; the world changes it when the faults are over. */
export interface LogFaults {
  /** Longest way of a request or an answer, ms. */
  slowMs: number;
  /** Share of requests that never arrive. */
  lostRequests: number;
  /** Share of answers that never arrive, though the request did. */
  lostAnswers: number;
  /** Requests overtake each other, also of one topic. */
  reorders: boolean;
  /** The log takes nothing and says nothing before this instant, Unix ms. */
  awayUntilMs: number;
}

interface Topic {
  readonly name: string;
  envelopes: StoredEnvelope[];
  tail: Offset;
  trimmedUpTo: Offset;
  epoch: number;
  readonly positions: Map<number, WriterPosition>;
  readonly readers: Set<SimulatedReader>;
}

/** Offsets grow and need not be dense. */
const OFFSET_STEP_MAX = 3;
/** How long a caller waits for an answer that does not come, ms. */
const GIVE_UP_MS_MAX = 3_000;

/** The log as its contract has it, in no home: what stands in it outlives every process. */
export class LogServer implements SimulatedHome {
  readonly name = 'contract';
  readonly scheduler: Scheduler;
  readonly faults: LogFaults;
  readonly #archive: Archive;
  readonly #topics = new Map<string, Topic>();

  constructor(scheduler: Scheduler, faults: LogFaults, archive: Archive) {
    this.scheduler = scheduler;
    this.faults = faults;
    this.#archive = archive;
  }

  connect({ life, partitionCount }: Connecting): Promise<Log> {
    return Promise.resolve(new SimulatedLog(this, life, partitionCount));
  }

  away(ms: number): void {
    this.faults.awayUntilMs = this.scheduler.nowMs + ms;
  }

  get isAway(): boolean {
    return this.scheduler.nowMs < this.faults.awayUntilMs;
  }

  topic(name: string): Topic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = {
        name,
        envelopes: [],
        tail: BEGINNING,
        trimmedUpTo: BEGINNING,
        epoch: 0,
        positions: new Map(),
        readers: new Set(),
      };
      this.#topics.set(name, topic);
    }
    return topic;
  }

  append(name: string, bytes: Uint8Array, fence: Fence | undefined): Offset | undefined {
    const topic = this.topic(name);
    if (fence !== undefined) {
      const stored = topic.positions.get(fence.writer);
      const verdict = judgeFence(stored, fence);
      if (verdict === 'fenced') throw fencedError(name, fence, stored?.epoch ?? 0);
      if (verdict === 'moved') throw movedError(name, fence);
      if (verdict === 'replay') return undefined;
      topic.positions.set(fence.writer, fence.position);
    }
    return this.#store(topic, bytes, fence);
  }

  claim(partition: number, epoch: number, bytes: Uint8Array): Offset {
    const topic = this.topic(`in.${partition}`);
    if (epoch <= topic.epoch) throw epochTakenError(partition, epoch, topic.epoch);
    topic.epoch = epoch;
    return this.#store(topic, bytes, undefined);
  }

  trim(name: string, upTo: Offset): void {
    const topic = this.topic(name);
    topic.trimmedUpTo = Math.max(topic.trimmedUpTo, Math.min(upTo, topic.tail));
    topic.envelopes = topic.envelopes.filter(({ offset }) => offset > topic.trimmedUpTo);
  }

  #store(topic: Topic, bytes: Uint8Array, fence: Fence | undefined): Offset {
    const { scheduler } = this;
    topic.tail += 1 + scheduler.prng.below(OFFSET_STEP_MAX);
    const offset = topic.tail;
    const storedAtMs = Math.floor(scheduler.nowMs);
    topic.envelopes.push({
      offset,
      storedAtMs,
      bytes,
      ...(fence === undefined ? {} : { fence }),
    });
    const { steps: step, nowMs: atMs } = scheduler;
    this.#archive.add(topic.name, { offset, bytes, fence, step, atMs });
    for (const reader of topic.readers) reader.announce();
    return offset;
  }
}

class SimulatedReader implements LogReader {
  readonly #server: LogServer;
  readonly #life: Life;
  readonly #topic: Topic;
  readonly #onReadable: () => void;
  #after: Offset;
  #visibleTo: Offset = BEGINNING;
  #isWaiting = false;
  #handedOut: Uint8Array | undefined;

  constructor(server: LogServer, life: Life, name: string, after: Offset, onReadable: () => void) {
    this.#server = server;
    this.#life = life;
    this.#topic = server.topic(name);
    this.#after = after;
    this.#onReadable = onReadable;
    this.#topic.readers.add(this);
    this.announce();
  }

  poll(): StoredEnvelope | undefined {
    // Valid until the next poll: whoever kept the bytes without a copy must notice.
    this.#handedOut?.fill(0xee);
    this.#handedOut = undefined;
    const { envelopes } = this.#topic;
    const next = envelopes.find(({ offset }) => offset > this.#after);
    if (next === undefined || next.offset > this.#visibleTo) {
      this.#isWaiting = true;
      return undefined;
    }
    this.#after = next.offset;
    this.#handedOut = new Uint8Array(next.bytes);
    return { ...next, bytes: this.#handedOut };
  }

  close(): void {
    this.#topic.readers.delete(this);
  }

  /** Something was stored: word of it is on its way. */
  announce(): void {
    const { scheduler, faults } = this.#server;
    const arrivesAtMs = Math.max(scheduler.nowMs, faults.awayUntilMs);
    const { tail } = this.#topic;
    scheduler.at(arrivesAtMs + scheduler.delayMs(0.02, faults.slowMs), this.#life, () => {
      this.#visibleTo = Math.max(this.#visibleTo, tail);
      if (!this.#isWaiting || !this.#topic.readers.has(this) || tail <= this.#after) return;
      this.#isWaiting = false;
      this.#onReadable();
    });
  }
}

/** One connection of one life to the log. */
class SimulatedLog implements Log {
  readonly partitionCount: number;
  readonly #server: LogServer;
  readonly #life: Life;
  /** Requests on their way, oldest first; a crash leaves them to their fate. */
  readonly #underWay = new Set<() => void>();
  /** When the last request of a topic arrives: the next one comes after it. */
  readonly #arrivals = new Map<string, number>();

  constructor(server: LogServer, life: Life, partitionCount: number) {
    this.#server = server;
    this.#life = life;
    this.partitionCount = partitionCount;
    life.onEnd.push(() => this.#leave());
  }

  append(topic: string, bytes: Uint8Array, fence?: Fence): Promise<Offset | undefined> {
    const copy = new Uint8Array(bytes);
    return this.#ask(topic, () => this.#server.append(topic, copy, fence));
  }

  claim(partition: number, epoch: number, bytes: Uint8Array): Promise<Offset> {
    const copy = new Uint8Array(bytes);
    return this.#ask(`in.${partition}`, () => this.#server.claim(partition, epoch, copy));
  }

  epochOf(partition: number): Promise<number> {
    return this.#ask(`in.${partition}`, () => this.#server.topic(`in.${partition}`).epoch);
  }

  read(topic: string, after: Offset, onReadable: () => void): LogReader {
    return new SimulatedReader(this.#server, this.#life, topic, after, onReadable);
  }

  tail(topic: string): Promise<Offset> {
    return this.#ask(topic, () => this.#server.topic(topic).tail);
  }

  head(topic: string): Promise<Offset> {
    return this.#ask(topic, () => this.#server.topic(topic).envelopes[0]?.offset ?? BEGINNING);
  }

  positionOf(topic: string, writer: number): Promise<WriterPosition | undefined> {
    return this.#ask(topic, () => this.#server.topic(topic).positions.get(writer));
  }

  trim(topic: string, upTo: Offset): Promise<void> {
    return this.#ask(topic, () => this.#server.trim(topic, upTo));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** A request travels, is served or not, and its answer travels back, or not. */
  #ask<Result>(topic: string, serve: () => Result): Promise<Result> {
    const { scheduler, faults } = this.#server;
    const { prng, coverage } = scheduler;
    return new Promise((resolve, reject) => {
      const isLost = prng.chance(faults.lostRequests);
      const travelMs = scheduler.delayMs(0.02, faults.slowMs);
      if (travelMs > 100) coverage.met('request to the log of over 100 ms');
      const earliestMs = faults.reorders ? 0 : (this.#arrivals.get(topic) ?? 0);
      const arrivesAtMs = Math.max(scheduler.nowMs + travelMs, earliestMs);
      if (arrivesAtMs < (this.#arrivals.get(topic) ?? 0)) {
        coverage.met('request to the log overtook another');
      }
      this.#arrivals.set(topic, arrivesAtMs);
      const arrive = () => {
        this.#underWay.delete(arrive);
        if (isLost || this.#server.isAway) {
          coverage.met('request to the log lost');
          this.#answer(scheduler.delayMs(10, GIVE_UP_MS_MAX), () => reject(unavailable(topic)));
          return;
        }
        const settle = settlementOf(serve, resolve, reject);
        if (prng.chance(faults.lostAnswers)) {
          coverage.met('answer of the log lost');
          this.#answer(scheduler.delayMs(10, GIVE_UP_MS_MAX), () => reject(unavailable(topic)));
        } else this.#answer(scheduler.delayMs(0.02, faults.slowMs), settle);
      };
      this.#underWay.add(arrive);
      scheduler.at(arrivesAtMs, undefined, () => {
        if (this.#underWay.has(arrive)) arrive();
      });
    });
  }

  #answer(delayMs: number, settle: () => void): void {
    this.#server.scheduler.after(delayMs, this.#life, settle);
  }

  /** The process has died: of what it sent last, the log gets a part, from the front. */
  #leave(): void {
    const { prng } = this.#server.scheduler;
    const arriving = [...this.#underWay];
    const count = prng.below(arriving.length + 1);
    for (const arrive of arriving.slice(0, count)) arrive();
    this.#underWay.clear();
  }
}

function settlementOf<Result>(
  serve: () => Result,
  resolve: (result: Result) => void,
  reject: (error: unknown) => void,
): () => void {
  try {
    const result = serve();
    return () => resolve(result);
  } catch (error) {
    return () => reject(error);
  }
}

function unavailable(topic: string): Error {
  return externalError('ERR_LOG_UNAVAILABLE', `The log did not answer about '${topic}'.`);
}
