import type { Acknowledgement } from './acknowledgement.ts';
import type { Clock } from './clock.ts';
import { EnvelopeWriter } from './envelope-writer.ts';
import { type ErrorDetails, externalError, LapseError, messageOf } from './errors.ts';
import { partitionOf } from './hash.ts';
import { Horizon } from './horizon.ts';
import type { Log } from './log.ts';
import type { IncomingEvent, RecordKind } from './records.ts';

export { Acknowledgement } from './acknowledgement.ts';

export interface IntakeOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** Above this many bytes on their way, `hasRoom` is false. @default 64 MiB */
  readonly inFlightBytesMax?: number;
  /**
   * Appends under way at a time, over all partitions. Fewer make larger envelopes: where an append
   * costs much (JetStream: 40 µs of CPU), records gather in the partitions that wait their turn.
   * @default 64
   */
  readonly appendsMax?: number;
}

/** An envelope on its way. */
interface Sealed {
  readonly bytes: Uint8Array;
  readonly recordCount: number;
  readonly acknowledgements: Acknowledgement[];
}

interface Lane {
  readonly topic: string;
  readonly writer: EnvelopeWriter;
  acknowledgements: Acknowledgement[];
  /** Full envelopes waiting for the one append in flight. */
  readonly full: Sealed[];
  isAppending: boolean;
  isQueued: boolean;
  isTickDeferred: boolean;
  lastReceivedAtMs: number;
  /** Of the envelope that is being gathered. */
  firstReceivedAtMs: number;
}

/** Times are kept as 32 bits behind the envelope's first: 49 days, which an old backlog exceeds. */
const ENVELOPE_SPAN_MS_MAX = 2 ** 32 - 1;

/**
 * Where the doors' events become records: gathers them by partition and appends envelopes to the
 * log. Everything that enters a partition of this process passes here, ticks too, so that the
 * times of receipt never go back within a partition.
 *
 * One append a partition is in flight; while it is, records gather. So the path is instant when
 * idle and batches by itself under load. An append that fails fails its acknowledgements, with an
 * error that says whether to come again, and the partition goes on with the next one.
 */
export class Intake {
  readonly horizon: Horizon;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #lanes: Lane[];
  readonly #inFlightBytesMax: number;
  readonly #appendsMax: number;
  /** Lanes with something to append, each at most once, in the order in which they came to it. */
  readonly #ready: Ring<Lane>;
  #appends = 0;
  #bytesInFlight = 0;
  #isScheduled = false;
  #roomWaiters: (() => void)[] = [];
  #idleWaiters: (() => void)[] = [];
  #failure: LapseError | undefined;
  recordsAppended = 0;
  envelopesAppended = 0;
  appendsFailed = 0;

  constructor(options: IntakeOptions) {
    this.#log = options.log;
    this.#clock = options.clock;
    this.horizon = new Horizon(options.clock);
    this.#inFlightBytesMax = options.inFlightBytesMax ?? 64 * 1024 * 1024;
    this.#appendsMax = options.appendsMax ?? 64;
    this.#ready = new Ring(options.log.partitionCount);
    this.#lanes = Array.from({ length: options.log.partitionCount }, (_, partition) => ({
      topic: `in.${partition}`,
      writer: new EnvelopeWriter(),
      acknowledgements: [],
      full: [],
      isAppending: false,
      isQueued: false,
      isTickDeferred: false,
      lastReceivedAtMs: 0,
      firstReceivedAtMs: 0,
    }));
  }

  /** False while too much is on its way: doors push back. */
  get hasRoom(): boolean {
    return this.#bytesInFlight < this.#inFlightBytesMax;
  }

  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  /** True while a door works off a backlog: the others answer that senders shall come again. */
  get isCatchingUp(): boolean {
    return this.horizon.isCatchingUp;
  }

  /** Unix ms: everything received before has been added. */
  horizonMs(): number {
    return this.horizon.atMs;
  }

  /** Resolves as soon as there is room. */
  room(): Promise<void> {
    if (this.hasRoom) return Promise.resolve();
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  /**
   * Adds an event; it is copied before the call returns.
   * @param receivedAtMs Unix ms; raised to that of the partition's record before, if below
   * @throws LapseError what `fail` was called with
   */
  add(event: IncomingEvent, receivedAtMs: number, acknowledgement: Acknowledgement): void {
    if (this.#failure !== undefined) throw this.#failure;
    const lane = this.#lanes[partitionOf(event.userId, this.#lanes.length)]!;
    const at = this.#timeOf(lane, receivedAtMs);
    const before = gatheredBytes(lane);
    lane.writer.addEvent(event, at);
    this.#added(lane, before, acknowledgement);
  }

  /**
   * Appends a record that only carries time, as soon as everything received up to and with `atMs`
   * has been added. Time never goes back, so the tick may be later than asked.
   */
  requestTick(partition: number, atMs: number): void {
    const lane = this.#lanes[partition]!;
    this.horizon.wait(atMs, () => {
      if (this.#failure !== undefined) return;
      const lastAtMs = lane.lastReceivedAtMs;
      if (lastAtMs > atMs && lastAtMs >= this.horizon.atMs) {
        // More of that very instant may come, and belongs before a tick that is raised to it.
        this.#deferTick(partition, lane, lastAtMs);
        return;
      }
      const at = this.#timeOf(lane, atMs);
      const before = gatheredBytes(lane);
      lane.writer.addTick(at);
      this.#added(lane, before, undefined);
    });
  }

  /** One a partition: under load it may be put off again and again, and records bring time. */
  #deferTick(partition: number, lane: Lane, atMs: number): void {
    if (lane.isTickDeferred) return;
    lane.isTickDeferred = true;
    this.horizon.wait(atMs, () => {
      lane.isTickDeferred = false;
      this.requestTick(partition, atMs);
    });
  }

  /** Appends a control record to every partition. */
  control(value: unknown, acknowledgement: Acknowledgement, kind: RecordKind): void {
    if (this.#failure !== undefined) throw this.#failure;
    // At the backlog's time while there is one, or it would carry partition time past the backlog.
    const atMs = this.isCatchingUp ? Math.max(0, this.horizon.atMs) : this.#clock.now();
    for (const lane of this.#lanes) {
      const at = this.#timeOf(lane, atMs);
      const before = gatheredBytes(lane);
      lane.writer.addJson(kind, value, at);
      this.#added(lane, before, acknowledgement);
    }
  }

  /** Resolves when nothing is on its way. */
  idle(): Promise<void> {
    if (this.#bytesInFlight === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Refuses everything from now on, with the reason. What is on its way still goes. */
  fail(code: string, message: string, details: ErrorDetails = {}): void {
    this.#failure = new LapseError(code, message, details);
    this.horizon.close();
  }

  #added(lane: Lane, bytesBefore: number, acknowledgement: Acknowledgement | undefined): void {
    this.#bytesInFlight += gatheredBytes(lane) - bytesBefore;
    if (acknowledgement !== undefined && lane.acknowledgements.at(-1) !== acknowledgement) {
      acknowledgement.hold();
      lane.acknowledgements.push(acknowledgement);
    }
    if (lane.writer.isFull) this.#seal(lane);
    if (lane.isQueued || lane.isAppending) return;
    lane.isQueued = true;
    this.#ready.push(lane);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // At the end of the turn: a request's or a pull's events leave together.
    setImmediate(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  /** The time of the lane's next record, which is not below that of the one before. */
  #timeOf(lane: Lane, receivedAtMs: number): number {
    if (receivedAtMs > lane.lastReceivedAtMs) lane.lastReceivedAtMs = receivedAtMs;
    const atMs = lane.lastReceivedAtMs;
    if (lane.writer.count === 0) lane.firstReceivedAtMs = atMs;
    else if (atMs - lane.firstReceivedAtMs > ENVELOPE_SPAN_MS_MAX) {
      this.#seal(lane);
      lane.firstReceivedAtMs = atMs;
    }
    return atMs;
  }

  #seal(lane: Lane): void {
    const { byteLength, count } = lane.writer;
    const bytes = lane.writer.finish();
    this.#bytesInFlight += bytes.length - byteLength;
    lane.full.push({ bytes, recordCount: count, acknowledgements: lane.acknowledgements });
    lane.acknowledgements = [];
  }

  #pump(): void {
    while (this.#appends < this.#appendsMax) {
      const lane = this.#ready.shift();
      if (lane === undefined) return;
      lane.isQueued = false;
      if (lane.full.length === 0) this.#seal(lane);
      const sealed = lane.full.shift()!;
      lane.isAppending = true;
      this.#appends++;
      this.#append(lane, sealed).then(
        () => this.#settle(lane, sealed, undefined),
        (error: unknown) => this.#settle(lane, sealed, error),
      );
    }
  }

  async #append(lane: Lane, sealed: Sealed): Promise<void> {
    await this.#log.append(lane.topic, sealed.bytes);
  }

  #settle(lane: Lane, sealed: Sealed, error: unknown): void {
    lane.isAppending = false;
    this.#appends--;
    this.#bytesInFlight -= sealed.bytes.length;
    if (error === undefined) {
      this.envelopesAppended++;
      this.recordsAppended += sealed.recordCount;
    } else this.appendsFailed++;
    if (lane.writer.count > 0 || lane.full.length > 0) {
      lane.isQueued = true;
      this.#ready.push(lane);
    }
    const failure = error === undefined ? undefined : unavailable(error);
    for (const acknowledgement of sealed.acknowledgements) acknowledgement.settle(failure);
    if (this.hasRoom) for (const resolve of this.#roomWaiters.splice(0)) resolve();
    if (this.#bytesInFlight === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
    this.#pump();
  }
}

/** An empty writer counts nothing: the header comes with its first record. */
function gatheredBytes(lane: Lane): number {
  return lane.writer.count === 0 ? 0 : lane.writer.byteLength;
}

function unavailable(error: unknown): LapseError {
  if (error instanceof LapseError) return error;
  return externalError('ERR_LOG_UNAVAILABLE', `The log took no records: ${messageOf(error)}.`, {
    cause: error,
  });
}

/** First in, first out, of at most `capacity` values; an array's `shift` moves all the others. */
class Ring<T> {
  readonly #values: (T | undefined)[];
  #head = 0;
  #length = 0;

  constructor(capacity: number) {
    this.#values = new Array<T | undefined>(capacity).fill(undefined);
  }

  push(value: T): void {
    this.#values[(this.#head + this.#length++) % this.#values.length] = value;
  }

  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const value = this.#values[this.#head];
    this.#values[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#values.length;
    this.#length--;
    return value;
  }
}
