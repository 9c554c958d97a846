/**
 * Reads a topic of a JetStream log: keeps a bounded stock of envelopes ahead of `poll()`, and
 * starts a new consumer right behind the last one received whenever the old one is in doubt.
 */
import type { JetStreamManager } from '@nats-io/jetstream';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { LapseError } from '../../../engine/errors/errors.ts';
import type { LogReader, Offset, StoredEnvelope } from '../../../engine/log/log.ts';
import type { Clock } from '../../../engine/time/clock.ts';
import type { DeliveryCursor } from '../../nats/delivery-cursor.ts';
import { PullSession } from '../../nats/pull-session.ts';
import { FENCE_HEADER, positionFrom } from './fence-header.ts';
import type { TopicPlace } from './subjects.ts';

/** Room for the headers of a message beside its payload. */
const HEADERS_BYTES = 64 * 1024;
const BATCH_BYTES_MIN = 1024 * 1024;

export interface ReaderOptions {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly clock: Clock;
  readonly place: TopicPlace;
  readonly after: Offset;
  readonly payloadBytesMax: number;
  readonly onReadable: () => void;
  readonly onClose: () => void;
  /** Resolves with the offset up to which the topic is trimmed, once its stream exists. */
  readonly trimmedUpTo: () => Promise<Offset>;
  /** @throws LapseError `ERR_LOG_GONE` when the stream is not the one that it was */
  readonly checkOrigin: () => Promise<void>;
  /** Repeats while the server is away. */
  readonly retried: (request: () => Promise<void>) => Promise<void>;
}

export class JetStreamReader implements LogReader {
  readonly #options: ReaderOptions;
  readonly #batchBytesMax: number;
  #stock: StoredEnvelope[] = [];
  #taken = 0;
  #stockBytes = 0;
  /** The last offset put into stock. */
  #last: Offset;
  #session: PullSession | undefined;
  #isStarting = false;
  #isWaiting = false;
  #isClosed = false;
  #failure: LapseError | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#last = options.after;
    this.#batchBytesMax = Math.max(BATCH_BYTES_MIN, options.payloadBytesMax) + HEADERS_BYTES;
    this.restart();
  }

  poll(): StoredEnvelope | undefined {
    const envelope = this.#stock[this.#taken];
    if (envelope === undefined) {
      if (this.#failure !== undefined) throw this.#failure;
      this.#isWaiting = true;
      return undefined;
    }
    this.#taken++;
    this.#stockBytes -= envelope.bytes.length;
    if (this.#taken === this.#stock.length || this.#taken === 1024) {
      this.#stock = this.#stock.slice(this.#taken);
      this.#taken = 0;
    }
    this.#pullWhenLow();
    return envelope;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#session?.end();
    this.#stock = [];
    this.#options.onClose();
  }

  /** Begins anew behind what is in stock; after a reconnection the old consumer may be gone. */
  restart(): void {
    this.#session?.end();
    this.#session = undefined;
    if (this.#isStarting || this.#isClosed || this.#failure !== undefined) return;
    this.#isStarting = true;
    this.#options
      .retried(() => this.#start())
      .catch((error: unknown) => this.fail(error as LapseError))
      .finally(() => {
        this.#isStarting = false;
        // Broken while it was starting.
        if (this.#session === undefined) this.restart();
      });
  }

  fail(error: LapseError): void {
    if (this.#isClosed || this.#failure !== undefined) return;
    this.#failure = error;
    this.#session?.end();
    this.#wake();
  }

  async #start(): Promise<void> {
    if (this.#isClosed) return;
    const { connection, manager, clock, place, trimmedUpTo, checkOrigin } = this.#options;
    const startSequence = Math.max(this.#last, await trimmedUpTo()) + 1;
    if (this.#isClosed) return;
    this.#session?.end();
    const session = new PullSession({
      connection,
      manager,
      clock,
      stream: place.stream,
      filter: place.filter,
      start: { sequence: startSequence },
      batchBytesMax: this.#batchBytesMax,
      onMessage: (message, at) => this.#take(message, at),
      onLow: () => this.#pullWhenLow(),
      onBroken: () => this.restart(),
    });
    this.#session = session;
    try {
      await session.open();
      // After the consumer is made: it is one of the stream that was there by then, or of none.
      await checkOrigin();
    } catch (error) {
      session.end();
      throw error;
    }
    this.#pullWhenLow();
  }

  #pullWhenLow(): void {
    if (this.#stockBytes < this.#batchBytesMax / 2) this.#session?.pull();
  }

  #take(message: Msg, { streamSequence: offset, storedAtMs }: DeliveryCursor): void {
    const bytes = message.data;
    const text = message.headers?.get(FENCE_HEADER) ?? '';
    const position = text === '' ? undefined : positionFrom(text);
    const writer = Number(message.subject.slice(message.subject.lastIndexOf('.') + 1));
    this.#last = offset;
    this.#stockBytes += bytes.length;
    this.#stock.push(
      // Claims carry a position too, but have no number at the end of their subject.
      position === undefined || Number.isNaN(writer)
        ? { offset, storedAtMs, bytes }
        : { offset, storedAtMs, fence: { writer, position }, bytes },
    );
    this.#wake();
  }

  #wake(): void {
    if (!this.#isWaiting || this.#isClosed) return;
    this.#isWaiting = false;
    this.#options.onReadable();
  }
}
