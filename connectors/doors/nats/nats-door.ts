/**
 * The NATS door: events published under a subject are captured by a JetStream stream and read from
 * there in the stream's order. Why by an unacknowledged consumer with a position of our own:
 * docs/decisions/0004-nats-door.md.
 */
import { JetStreamApiError, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { type Msg, type NatsConnection, nuid } from '@nats-io/transport-node';
import { externalError, messageOf } from '../../../engine/errors/errors.ts';
import type { HorizonDoor } from '../../../engine/intake/horizon.ts';
import type { Intake } from '../../../engine/intake/intake.ts';
import type { Log } from '../../../engine/log/log.ts';
import type { Clock } from '../../../engine/time/clock.ts';
import {
  BEHIND_HISTORY_MS,
  DEFAULT_EVENT_LIMITS,
  type EventLimits,
} from '../../events/event-limits.ts';
import type { DeliveryCursor } from '../../nats/delivery-cursor.ts';
import { PullSession } from '../../nats/pull-session.ts';
import type { DoorCounters } from '../door-counters.ts';
import type { RejectedStore } from '../rejected.ts';
import { type Chunk, ChunkTrail } from './chunk-trail.ts';
import { ensureEventStream } from './event-stream.ts';
import { PayloadIntake } from './payload-intake.ts';
import { ReachProbe } from './reach-probe.ts';
import { SourcePosition, type StreamPosition } from './source-position.ts';

export interface NatsDoorOptions {
  /** Stays the caller's: it is not closed with the door. */
  readonly connection: NatsConnection;
  readonly intake: Intake;
  /** Where the position is kept. */
  readonly log: Log;
  readonly clock: Clock;
  readonly rejected: RejectedStore;
  readonly counters: DoorCounters;
  /** @default DEFAULT_EVENT_LIMITS */
  readonly limits?: EventLimits;
  /** The subject of events. @default events.> */
  readonly events?: string;
  /** @default LAPSE_EVENTS */
  readonly stream?: string;
  /** Of a stream that we create. @default 1 */
  readonly replicas?: number;
  /** Of a stream that we create. @default 7 d */
  readonly retentionMs?: number;
  /**
   * Joins the horizon without reading, until `start()`. So the door can be opened before all that
   * asks for ticks or appends control records, and reads when they are there.
   * @default false
   */
  readonly isHeld?: boolean;
  /** Told what goes wrong; the door goes on by itself. */
  readonly onTrouble?: (error: Error) => void;
}

/** Sequences of a stream count from 1. */
const NOTHING_READ = 0;
/** Half a batch: the next one is on its way while this is taken. */
const LOW_MESSAGES = 1_000;
const BATCH_BYTES_MIN = 4 * 1024 * 1024;
/** Room for the headers of a message beside its payload. */
const HEADERS_BYTES = 64 * 1024;
const CHUNK_MESSAGES_MAX = 2_000;
const RESTART_AFTER_MS = 500;
const RETENTION_MS = 7 * 86_400_000;
/** Behind by this much with more to come: other doors wait until the backlog is read. */
const BEHIND_MS = 2_000;

export class NatsDoor {
  readonly #options: NatsDoorOptions;
  readonly #manager: JetStreamManager;
  readonly #stream: string;
  readonly #created: string;
  readonly #payloads: PayloadIntake;
  readonly #position: SourcePosition;
  readonly #horizon: HorizonDoor;
  readonly #probe: ReachProbe;
  /** Everything up to this sequence is durable in our log; undefined before the first. */
  #durableSequence: number | undefined;
  /** When the stream stored the last message that is durable, or that need not be read. */
  #durableStoredAtMs = Number.NEGATIVE_INFINITY;
  /** A part of what was read is not stored: nothing more counts until it is read again. */
  #isLost = false;
  #session: PullSession | undefined;
  #trail: ChunkTrail;
  #chunk: Chunk | undefined;
  /** Consumer sequence of the last message that was taken. */
  #takenDelivery = 0;
  #isStopping = false;
  #running: Promise<void> = Promise.resolve();
  #wake: () => void = () => {};

  private constructor(
    options: NatsDoorOptions,
    manager: JetStreamManager,
    stream: { readonly name: string; readonly created: string },
    position: SourcePosition,
  ) {
    this.#options = options;
    this.#manager = manager;
    this.#stream = stream.name;
    this.#created = stream.created;
    this.#position = position;
    const { intake, rejected, counters, clock } = options;
    // A stream that is deleted and made again counts from 1: its ids must not be the old ones.
    const age = Math.floor(Date.parse(stream.created)).toString(36);
    this.#payloads = new PayloadIntake({
      intake,
      rejected,
      counters,
      limits: options.limits ?? DEFAULT_EVENT_LIMITS,
      idPrefix: `nats:${stream.name}@${age}`,
    });
    this.#horizon = intake.horizon.join(() => this.#probe.want());
    this.#probe = new ReachProbe({ clock, door: this.#horizon, ask: () => this.#reach() });
    this.#trail = this.#newTrail();
  }

  /**
   * Makes sure of the stream, joins the horizon, and reads unless it is held. To be called before
   * anything else is asked of the intake, be it a tick that is overdue or a control record: the
   * door's backlog is older.
   * @throws LapseError `ERR_NATS_STREAM`, or when the server does not answer
   */
  static async open(options: NatsDoorOptions): Promise<NatsDoor> {
    const { clock, log } = options;
    const manager = await jetstreamManager(options.connection);
    const info = await ensureEventStream(manager, {
      stream: options.stream ?? 'LAPSE_EVENTS',
      events: options.events ?? 'events.>',
      replicas: options.replicas ?? 1,
      retentionMs: options.retentionMs ?? RETENTION_MS,
    });
    const stream = { name: info.config.name, created: info.created };
    const position = new SourcePosition(log, clock, stream.name);
    const saved = await position.load();
    const door = new NatsDoor(options, manager, stream, position);
    // Of an older stream of that name: this one counts anew.
    const isSame = saved?.created === stream.created && saved.sequence > NOTHING_READ;
    if (isSame) door.#durableSequence = saved.sequence;
    // Known from the start, so that control records have a time that the backlog is not behind. A
    // door that has never read holds nothing back: what lies there came before its campaigns (E16).
    const { storedAtMs } = saved ?? (await door.#begin());
    door.#durableStoredAtMs = storedAtMs;
    door.#horizon.passed(storedAtMs);
    if (options.isHeld !== true) door.start();
    return door;
  }

  /** Saved before anything is read: a crash right after the first events must not pass for never. */
  async #begin(): Promise<StreamPosition> {
    const storedAtMs = this.#options.clock.now();
    const position = { sequence: NOTHING_READ, storedAtMs, created: this.#created };
    await this.#position.save(position);
    return position;
  }

  /** Starts to read behind the last position; needed only with `isHeld`. */
  start(): void {
    this.#running = this.#run();
  }

  /** Sequence of the last message whose events are durable; undefined before the first. */
  get durableSequence(): number | undefined {
    return this.#durableSequence;
  }

  /**
   * Stops reading, waits for what was read to be durable, and saves the position. The horizon stays
   * where it is: what waits in the stream is older than the ticks that wait for it, and the next
   * start reads it first.
   */
  async close(): Promise<void> {
    this.#isStopping = true;
    this.#probe.close();
    this.#wake();
    this.#session?.break('the door is closed');
    await this.#running;
    await this.#position.flush();
  }

  async #run(): Promise<void> {
    void this.#watchConnection();
    while (!this.#isStopping) {
      try {
        await this.#read();
      } catch (error) {
        this.#trouble('The stream of events cannot be read', error);
      }
      this.#closeChunk();
      // The next consumer starts behind what is durable: it has to be known.
      await this.#trail.idle();
      if (!this.#isStopping) await this.#pause();
    }
  }

  #pause(): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const cancel = clock.at(clock.now() + RESTART_AFTER_MS, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Reads with a new consumer until it breaks, a message is missing or an append failed. */
  async #read(): Promise<void> {
    this.#trail = this.#newTrail();
    this.#isLost = false;
    let session: PullSession | undefined;
    const broken = new Promise<void>((resolve, reject) => {
      session = this.#newSession(resolve, reject);
    });
    // Whether the consumer cannot be made or the intake is closed meanwhile: one failure is told.
    broken.catch(() => undefined);
    this.#session = session!;
    try {
      await this.#session.open();
      this.#probe.restart();
      this.#pull(this.#session);
      await broken;
    } finally {
      this.#session.end();
    }
  }

  #newSession(onBroken: () => void, onRefused: (error: unknown) => void): PullSession {
    const { connection, clock, events = 'events.>' } = this.#options;
    const durable = this.#durableSequence;
    const payloadBytesMax = connection.info?.max_payload ?? 0;
    const session: PullSession = new PullSession({
      connection,
      manager: this.#manager,
      stream: this.#stream,
      filter: events,
      consumer: `lapse-door-${nuid.next()}`,
      start:
        durable === undefined
          ? { storedAtMs: clock.now() - BEHIND_HISTORY_MS }
          : { sequence: durable + 1 },
      batchBytesMax: Math.max(BATCH_BYTES_MIN, payloadBytesMax) + HEADERS_BYTES,
      lowMessages: LOW_MESSAGES,
      clock,
      onMessage: (message, at) => {
        try {
          this.#take(message, at);
        } catch (error) {
          session.end();
          onRefused(error);
        }
      },
      onLow: () => this.#pull(session),
      onBroken,
    });
    return session;
  }

  /** Asks for more when the intake has room: what was asked for before still comes. */
  #pull(session: PullSession): void {
    const { intake } = this.#options;
    if (intake.hasRoom) session.pull();
    else void intake.room().then(() => session.pull());
  }

  #newTrail(): ChunkTrail {
    return new ChunkTrail({
      onDurable: ({ lastSequence, lastStoredAtMs }) => {
        this.#durableSequence = lastSequence;
        this.#durableStoredAtMs = lastStoredAtMs;
        this.#position.set({
          sequence: lastSequence,
          storedAtMs: lastStoredAtMs,
          created: this.#created,
        });
      },
      onFailure: (error) => {
        this.#trouble('Events could not be stored and will be read again', error);
      },
    });
  }

  #take(message: Msg, at: DeliveryCursor): void {
    const { streamSequence, storedAtMs, pending } = at;
    let chunk = this.#chunk;
    if (chunk === undefined) {
      chunk = ChunkTrail.newChunk(() => this.#fallBack());
      this.#chunk = chunk;
      // The messages of one read from the socket are taken in one turn and share the chunk.
      setImmediate(() => this.#closeChunk(chunk));
    }
    this.#payloads.take(message, streamSequence, storedAtMs, chunk.acknowledgement);
    chunk.lastSequence = streamSequence;
    chunk.lastStoredAtMs = storedAtMs;
    this.#takenDelivery = at.consumerSequence;
    if (++chunk.count < CHUNK_MESSAGES_MAX) return;
    this.#closeChunk();
    const isLate = this.#options.clock.now() - storedAtMs > BEHIND_MS;
    if (pending > 0 && isLate && !this.#horizon.isBehind) this.#probe.fellBehind();
  }

  /**
   * At once, and not when the whole chunk has settled: no tick must pass meanwhile, and no message
   * that is on its way overtake what comes again.
   */
  #fallBack(): void {
    this.#isLost = true;
    this.#session?.break('events could not be stored');
    this.#probe.forget();
    this.#horizon.fallBack(this.#durableStoredAtMs);
  }

  /** @param only the chunk that is meant; another one has taken its place when it was full */
  #closeChunk(only?: Chunk): void {
    const chunk = this.#chunk;
    if (chunk === undefined || (only !== undefined && only !== chunk)) return;
    this.#chunk = undefined;
    // Everything stored before the last one has been added; of its own millisecond more may come.
    if (chunk.lastSequence > 0 && !this.#isLost) {
      this.#horizon.passed(Math.min(chunk.lastStoredAtMs, this.#options.clock.now()));
      this.#probe.taken(this.#takenDelivery);
    }
    this.#trail.send(chunk);
  }

  async #reach(): Promise<{ consumerSequence: number }> {
    const session = this.#session;
    if (session === undefined) throw externalError('ERR_NATS_DOOR', 'There is no consumer.');
    try {
      return { consumerSequence: await session.reach() };
    } catch (error) {
      // A server that comes back has forgotten it; without this the silence is noticed much later.
      if (error instanceof JetStreamApiError) session.break(error.message);
      throw error;
    }
  }

  async #watchConnection(): Promise<void> {
    for await (const status of this.#options.connection.status()) {
      if (this.#isStopping) return;
      if (status.type === 'disconnect' || status.type === 'reconnect') this.#probe.fellBehind();
      // What was asked for is forgotten with the connection.
      if (status.type === 'reconnect') this.#session?.break('the server was away');
      if (status.type === 'disconnect') {
        this.#trouble('Lapse has lost NATS and tries to reach it again', status.server);
      }
    }
  }

  #trouble(what: string, error: unknown): void {
    if (this.#isStopping) return;
    this.#options.onTrouble?.(
      externalError('ERR_NATS_DOOR', `${what}: ${messageOf(error).replace(/\.$/, '')}.`, {
        cause: error,
        facts: { stream: this.#stream },
      }),
    );
  }
}
