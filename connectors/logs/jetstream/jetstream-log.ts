/** The log on NATS JetStream, for many machines. Every thread that uses it has its own connection. */
import {
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  type MsgRequest,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { externalError, LapseError, messageOf } from '../../../engine/errors/errors.ts';
import { type ConditionReporter, silentReporter } from '../../../engine/health/conditions.ts';
import {
  BEGINNING,
  type Fence,
  type LogReader,
  type Offset,
  type SizedLog,
  type WriterPosition,
} from '../../../engine/log/log.ts';
import { type Clock, systemClock } from '../../../engine/time/clock.ts';
import { connectNats, type NatsOptions } from '../../nats/connection.ts';
import { probeConnection } from '../../nats/probe.ts';
import { StreamPublisher } from '../../nats/stream-publisher.ts';
import { JetStreamAppender } from './jetstream-appender.ts';
import { JetStreamReader } from './jetstream-reader.ts';
import { ATTEMPT_TIMEOUT_MS, withRetries } from './retry.ts';
import { StreamOrigins } from './stream-origin.ts';
import { StreamWatch } from './stream-watch.ts';
import { ensureIdentity, ensureStream, type StreamOptions } from './streams.ts';
import { placeOf, streamOf, type TopicPlace } from './subjects.ts';

export interface JetStreamLogOptions {
  readonly nats: NatsOptions;
  /** Lower-case letters, digits and dashes; first token of all subjects. @default 'lapse' */
  readonly prefix?: string;
  /** Fixed when the log was created. */
  readonly partitionCount: number;
  /** Of streams that are made; existing ones keep theirs. @default 1 */
  readonly replicas?: number;
  /** Whether missing streams are made. @default true */
  readonly create?: boolean;
  /** Told what is wrong with the connection and the streams. */
  readonly conditions?: ConditionReporter;
}

/** Those that every log has. */
const FIRST_KINDS = ['meta', 'in', 'out', 'done'] as const;

/**
 * @throws LapseError `ERR_NATS_UNREACHABLE`, `ERR_NATS_AUTH`, `ERR_NATS_VERSION`,
 *   `ERR_NATS_NO_JETSTREAM`, `ERR_NATS_REPLICAS`, `ERR_STREAM_FOREIGN`, `ERR_STREAM_MISSING`,
 *   `ERR_LOG_VERSION`, `ERR_PARTITION_COUNT`, `ERR_LOG_GONE`
 */
export async function connectJetStreamLog(options: JetStreamLogOptions): Promise<SizedLog> {
  return openJetStreamLog(await connectNats(options.nats), options);
}

/**
 * Opens the log over a connection, which is then the log's own and is closed when it fails.
 * @throws as `connectJetStreamLog`
 */
export async function openJetStreamLog(
  connection: NatsConnection,
  options: Omit<JetStreamLogOptions, 'nats'>,
  clock: Clock = systemClock,
): Promise<SizedLog> {
  const { prefix = 'lapse', partitionCount, replicas = 1, create = true } = options;
  try {
    const probe = await probeConnection(connection, { needsJetStream: true, replicas });
    const api = { timeout: ATTEMPT_TIMEOUT_MS };
    const manager = await jetstreamManager(connection, api);
    const client = jetstream(connection, api);
    const streams: StreamOptions = { prefix, replicas, create };
    const clients = { manager, client };
    const origins = new StreamOrigins(manager, clock, prefix);
    for (const kind of FIRST_KINDS) {
      origins.learn(kind, await ensureStream(clients, kind, streams));
    }
    await ensureIdentity(clients, prefix, partitionCount);
    const { payloadBytesMax } = probe;
    return new JetStreamLog({
      connection,
      manager,
      client,
      clock,
      streams,
      origins,
      partitionCount,
      payloadBytesMax,
      conditions: options.conditions ?? silentReporter,
    });
  } catch (error) {
    await connection.close();
    if (error instanceof LapseError) throw error;
    throw externalError(
      'ERR_LOG_UNAVAILABLE',
      `The NATS server must let the log be opened, it did not: ${messageOf(error)}.`,
      { cause: error },
    );
  }
}

interface Parts {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly client: JetStreamClient;
  readonly clock: Clock;
  readonly streams: StreamOptions;
  readonly origins: StreamOrigins;
  readonly conditions: ConditionReporter;
  readonly partitionCount: number;
  readonly payloadBytesMax: number;
}

class JetStreamLog implements SizedLog {
  readonly partitionCount: number;
  readonly #parts: Parts;
  readonly #watch: StreamWatch;
  readonly #publisher: StreamPublisher;
  readonly #appender: JetStreamAppender;
  readonly #readers = new Set<JetStreamReader>();
  readonly #ensured = new Map<string, Promise<void>>();
  #isClosed = false;

  constructor(parts: Parts) {
    this.partitionCount = parts.partitionCount;
    this.#parts = parts;
    const { connection, manager, clock, payloadBytesMax } = parts;
    const { prefix } = parts.streams;
    const ensure = (kind: string) => this.#ensure(kind);
    const retried = <Result>(what: string, request: () => Promise<Result>) =>
      this.#retried(what, request);
    this.#publisher = new StreamPublisher({ connection, clock, timeoutMs: ATTEMPT_TIMEOUT_MS });
    this.#appender = new JetStreamAppender({
      publisher: this.#publisher,
      manager,
      prefix,
      payloadBytesMax,
      ensure,
      retried,
    });
    for (const kind of FIRST_KINDS) this.#ensured.set(kind, Promise.resolve());
    this.#watch = new StreamWatch({
      ...parts,
      onReturned: () => {
        for (const reader of this.#readers) reader.restart();
      },
      onGone: (error) => {
        for (const reader of [...this.#readers]) reader.fail(error);
      },
      onError: (error) => this.#publisher.onError(error),
    });
  }

  append(topic: string, bytes: Uint8Array, fence?: Fence): Promise<Offset | undefined> {
    return this.#appender.append(topic, bytes, fence);
  }

  claim(partition: number, epoch: number, bytes: Uint8Array): Promise<Offset> {
    return this.#appender.claim(partition, epoch, bytes);
  }

  async epochOf(partition: number): Promise<number> {
    const { stream, claims } = await this.#place(`in.${partition}`);
    return (await this.#appender.lastOn(stream, claims))?.position.epoch ?? 0;
  }

  read(topic: string, after: Offset, onReadable: () => void): LogReader {
    const { connection, manager, clock, payloadBytesMax, streams } = this.#parts;
    const place = placeOf(streams.prefix, topic);
    const reader = new JetStreamReader({
      connection,
      manager,
      clock,
      place,
      after,
      payloadBytesMax,
      onReadable,
      onClose: () => this.#readers.delete(reader),
      trimmedUpTo: async () => {
        await this.#ensure(place.kind);
        return this.#trimmedUpTo(place);
      },
      checkOrigin: () => this.#watch.check(place.kind),
      retried: (request) => this.#retried(`read '${topic}'`, request, Number.POSITIVE_INFINITY),
    });
    this.#readers.add(reader);
    return reader;
  }

  async tail(topic: string): Promise<Offset> {
    const { stream, filter } = await this.#place(topic);
    const last = await this.#message(stream, { last_by_subj: filter });
    return last?.seq ?? BEGINNING;
  }

  async head(topic: string): Promise<Offset> {
    const place = await this.#place(topic);
    const seq = (await this.#trimmedUpTo(place)) + 1;
    const first = await this.#message(place.stream, {
      seq,
      next_by_subj: place.filter,
    } as MsgRequest);
    return first?.seq ?? BEGINNING;
  }

  async positionOf(topic: string, writer: number): Promise<WriterPosition | undefined> {
    const place = await this.#place(topic);
    return (await this.#appender.lastOn(place.stream, place.fenced(writer)))?.position;
  }

  /**
   * Keeps the last message of every subject, whatever its age: from these the tail, the epochs and
   * the writers' positions are known. A note says that they are not to be read any more.
   */
  async trim(topic: string, upTo: Offset): Promise<void> {
    const { manager, client, streams } = this.#parts;
    const place = await this.#place(topic);
    const goal = Math.min(upTo, await this.tail(topic));
    if (goal <= (await this.#trimmedUpTo(place))) return;
    const what = `trim '${topic}'`;
    await this.#retried(what, () => client.publish(place.trimNote, String(goal)));
    const info = await this.#retried(what, () =>
      manager.streams.info(streamOf(streams.prefix, place.kind), { subjects_filter: place.filter }),
    );
    for (const subject of Object.keys(info.state.subjects ?? {})) {
      const last = await this.#message(place.stream, { last_by_subj: subject });
      if (last === null) continue;
      const seq = Math.min(last.seq, goal + 1);
      await this.#retried(what, () =>
        manager.streams.purge(place.stream, { filter: subject, seq }),
      );
    }
  }

  /** Of one replica. */
  async sizeBytes(): Promise<number> {
    const { manager, streams } = this.#parts;
    const kinds = ['meta', ...this.#ensured.keys()];
    const infos = await Promise.all(
      kinds.map((kind) => manager.streams.info(streamOf(streams.prefix, kind))),
    );
    return infos.reduce((sum, { state }) => sum + state.bytes, 0);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.#appender.idle();
    this.#isClosed = true;
    this.#watch.close();
    for (const reader of this.#readers) reader.close();
    this.#publisher.close();
    await this.#parts.connection.close();
  }

  /** Once a kind, as kinds other than the usual are made at first use. */
  #ensure(kind: string): Promise<void> {
    const { failure } = this.#watch;
    if (failure !== undefined) return Promise.reject(failure);
    let ensured = this.#ensured.get(kind);
    if (ensured === undefined) {
      const { streams, origins } = this.#parts;
      ensured = this.#retried(`make the stream of '${kind}'`, async () => {
        origins.learn(kind, await ensureStream(this.#parts, kind, streams));
      });
      this.#ensured.set(kind, ensured);
      ensured.catch(() => this.#ensured.delete(kind));
    }
    return ensured;
  }

  async #place(topic: string): Promise<TopicPlace> {
    const place = placeOf(this.#parts.streams.prefix, topic);
    await this.#ensure(place.kind);
    return place;
  }

  async #trimmedUpTo(place: TopicPlace): Promise<Offset> {
    const meta = streamOf(this.#parts.streams.prefix, 'meta');
    const note = await this.#message(meta, { last_by_subj: place.trimNote });
    return note === null ? BEGINNING : Number(note.string());
  }

  #message(stream: string, query: MsgRequest) {
    const { manager } = this.#parts;
    return this.#retried(`read ${stream}`, () => manager.streams.getMessage(stream, query));
  }

  async #retried<Result>(
    what: string,
    request: () => Promise<Result>,
    giveUpAfterMs?: number,
  ): Promise<Result> {
    const { failure } = this.#watch;
    if (failure !== undefined) throw failure;
    return withRetries(() => this.#watch.confirmed(request), {
      what,
      clock: this.#parts.clock,
      isClosed: () => this.#isClosed,
      isConnected: () => this.#watch.isConnected,
      ...(giveUpAfterMs === undefined ? {} : { giveUpAfterMs }),
    });
  }
}
