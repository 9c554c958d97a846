/**
 * The NATS door: events published under a subject are captured by a JetStream stream and read from
 * there in the stream's order. Why by an unacknowledged consumer with a position of our own:
 * docs/decisions/0004-nats-door.md.
 */
import { JetStreamApiError, jetstreamManager } from '@nats-io/jetstream';
import { type Msg, nuid } from '@nats-io/transport-node';
import { externalError } from '../../../engine/errors/errors.ts';
import { silentReporter } from '../../../engine/health/conditions.ts';
import type { HorizonDoor } from '../../../engine/intake/horizon.ts';
import { BEHIND_HISTORY_MS, DEFAULT_EVENT_LIMITS } from '../../events/event-limits.ts';
import { watchConnection } from '../../nats/connection-watch.ts';
import type { DeliveryCursor } from '../../nats/delivery-cursor.ts';
import { PullSession } from '../../nats/pull-session.ts';
import { type Chunk, ChunkTrail } from './chunk-trail.ts';
import { ensureEventStream } from './event-stream.ts';
import { FollowedStream } from './followed-stream.ts';
import type { NatsDoorOptions } from './nats-door-options.ts';
import { PayloadIntake } from './payload-intake.ts';
import { ReachProbe } from './reach-probe.ts';
import { SourcePosition, type StreamPosition } from './source-position.ts';
import { identityOf } from './stream-identity.ts';
import { UnlessLost } from './unless-lost.ts';

export type { NatsDoorOptions } from './nats-door-options.ts';

const DEFAULT_EVENTS = 'events.>';
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
  readonly #stream: FollowedStream;
  #payloads: PayloadIntake;
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
  /** Its consumer is one of this very stream; until then what it has to come says nothing. */
  #isSure = false;
  #trail: ChunkTrail;
  #chunk: Chunk | undefined;
  /** Consumer sequence of the last message that was taken. */
  #takenDelivery = 0;
  #isStopping = false;
  #running: Promise<void> = Promise.resolve();
  #wake: () => void = () => {};
  #isAway = false;
  readonly #unlessLost = new UnlessLost();

  private constructor(options: NatsDoorOptions, stream: FollowedStream, position: SourcePosition) {
    this.#options = options;
    this.#stream = stream;
    this.#position = position;
    const { intake, clock } = options;
    this.#payloads = this.#newPayloads();
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
    const { clock, log, conditions, onNotice, events = DEFAULT_EVENTS } = options;
    const manager = await jetstreamManager(options.connection);
    const info = await ensureEventStream(manager, {
      stream: options.stream ?? 'LAPSE_EVENTS',
      events,
      replicas: options.replicas ?? 1,
      retentionMs: options.retentionMs ?? RETENTION_MS,
    });
    const { name } = info.config;
    const position = new SourcePosition(log, clock, name);
    const saved = await position.load();
    const identity = await identityOf(manager, info, saved);
    const followed = { manager, name, events, conditions, onNotice };
    const door = new NatsDoor(options, new FollowedStream(followed, identity), position);
    // Known from the start, so that control records have a time that the backlog is not behind. A
    // door that has never read holds nothing back: what lies there came before its campaigns (E16).
    door.#durableStoredAtMs = saved?.storedAtMs ?? clock.now();
    if (saved === undefined) await door.#saveBeginning();
    else if (saved.created !== identity) await door.#renew();
    else if (saved.sequence > NOTHING_READ) door.#durableSequence = saved.sequence;
    const storedAtMs = door.#durableStoredAtMs;
    door.#horizon.passed(storedAtMs);
    if (options.isHeld !== true) door.start();
    return door;
  }

  /** Saved before anything is read: a crash right after the first events must not pass for never. */
  async #saveBeginning(): Promise<void> {
    // What was durable of an older stream is not to be saved behind it.
    await this.#position.flush();
    const storedAtMs = this.#durableStoredAtMs;
    const position = { sequence: NOTHING_READ, storedAtMs, created: this.#stream.identity };
    await this.#position.save(position);
  }

  /** The stream was made anew: all that it holds is new, and its ids must not be the old ones. */
  async #renew(): Promise<void> {
    this.#payloads = this.#newPayloads();
    this.#durableSequence = NOTHING_READ;
    this.#stream.renewed();
    await this.#saveBeginning();
  }

  #newPayloads(): PayloadIntake {
    const { intake, rejected, counters, limits = DEFAULT_EVENT_LIMITS } = this.#options;
    const { idPrefix } = this.#stream;
    return new PayloadIntake({ intake, rejected, counters, limits, idPrefix });
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
    this.#unlessLost.lost();
    this.#session?.break('the door is closed');
    await this.#running;
    await this.#position.flush();
  }

  async #run(): Promise<void> {
    void this.#watchConnection();
    while (!this.#isStopping) {
      try {
        if (!this.#isAway) await this.#read();
      } catch (error) {
        // Whoever waits for the door learns that nothing can be read.
        if (!this.#isStopping && this.#stream.failed(error)) this.#probe.restart();
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
    this.#isSure = false;
    await this.#unlessLost.answered(this.#renewIfOther());
    let session: PullSession | undefined;
    const broken = new Promise<void>((resolve, reject) => {
      session = this.#newSession(resolve, reject);
    });
    // Whether the consumer cannot be made or the intake is closed meanwhile: one failure is told.
    broken.catch(() => undefined);
    this.#session = session!;
    try {
      await this.#unlessLost.answered(this.#session.open());
      // Once more: the consumer is one of the stream that was there when it was made.
      if (await this.#unlessLost.answered(this.#renewIfOther())) return;
      this.#stream.readable();
      this.#isSure = true;
      this.#probe.restart();
      this.#pull(this.#session);
      await broken;
    } finally {
      this.#session.end();
    }
  }

  /** Makes sure that the position is one of the stream that is there. @returns whether it was not */
  async #renewIfOther(): Promise<boolean> {
    if (!(await this.#stream.isRenewed(this.position))) return false;
    await this.#renew();
    return true;
  }

  /** How far everything is durable, and in which stream of its name. */
  get position(): StreamPosition {
    return {
      sequence: this.#durableSequence ?? NOTHING_READ,
      storedAtMs: this.#durableStoredAtMs,
      created: this.#stream.identity,
    };
  }

  #newSession(onBroken: () => void, onRefused: (error: unknown) => void): PullSession {
    const { connection, clock, events = DEFAULT_EVENTS } = this.#options;
    const durable = this.#durableSequence;
    const payloadBytesMax = connection.info?.max_payload ?? 0;
    const session: PullSession = new PullSession({
      connection,
      manager: this.#stream.manager,
      stream: this.#stream.name,
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
        this.#position.set(this.position);
      },
      // What failed is read again, and the log itself says why it failed.
      onFailure: () => this.#options.onReadAgain?.(),
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
    if (this.#stream.isMissing) return await this.#reachOfNone();
    const session = this.#session;
    if (session === undefined || !this.#isSure)
      throw externalError('ERR_NATS_DOOR', 'There is no consumer.');
    try {
      return { consumerSequence: await session.reach() };
    } catch (error) {
      // A server that comes back has forgotten it; without this the silence is noticed much later.
      if (error instanceof JetStreamApiError) session.break(error.message);
      throw error;
    }
  }

  /**
   * How far a door is that has nothing to read: the server says now that nothing can have come by
   * then. So timers go on firing, and no event overtakes them when the stream is made again.
   */
  async #reachOfNone(): Promise<{ consumerSequence: number }> {
    if (await this.#stream.isMissingNow()) return { consumerSequence: NOTHING_READ };
    this.#wake();
    throw externalError('ERR_NATS_DOOR', 'The stream is there again and not read yet.');
  }

  #watchConnection(): Promise<void> {
    const { connection, conditions = silentReporter } = this.#options;
    return watchConnection(connection, conditions, {
      onAway: () => {
        if (this.#isStopping) return;
        this.#isAway = true;
        this.#unlessLost.lost();
        this.#probe.fellBehind();
      },
      onBack: () => {
        if (this.#isStopping) return;
        this.#isAway = false;
        this.#wake();
        this.#probe.fellBehind();
        // What was asked for is forgotten with the connection.
        this.#session?.break('the server was away');
      },
    });
  }
}
