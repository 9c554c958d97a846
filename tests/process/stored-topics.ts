/**
 * What stands in the log of a process that runs or was killed, read from outside, and everything
 * ever seen there: Lapse trims what it has checkpointed, and the oracle wants the whole input.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  DeliverPolicy,
  type JetStreamManager,
  type JsMsg,
  jetstream,
  jetstreamManager,
  type StreamInfo,
} from '@nats-io/jetstream';
import { connect, type NatsConnection, TimeoutError } from '@nats-io/transport-node';
import { EnvelopeReader } from '../../engine/envelope/envelope-reader.ts';
import { until } from '../support/until.ts';

export interface StoredTopics {
  /** Takes in what is new. */
  collect(): Promise<void>;
  /** All that was ever seen of a topic, in order. */
  envelopesOf(topic: string): readonly Uint8Array[];
  /** Offset of the last one seen; 0 before the first. */
  tailOf(topic: string): number;
  readonly topics: readonly string[];
  close(): Promise<void>;
}

/** What the reading process answers of a topic: what it has read since it was asked last. */
interface TopicRead {
  readonly name: string;
  readonly tail: number;
  readonly envelopes: readonly Uint8Array[];
}

const READER = fileURLToPath(new URL('read-embedded-log.mjs', import.meta.url));

/** What a log that was full was tried with holds nothing; in a subject of NATS, `~` is `=7e`. */
function isNoProbe(topic: string): boolean {
  return !/\.(~|=7e)probe$/.test(topic);
}

/** Whether a topic is the input of a partition. */
function isInput(topic: string): boolean {
  return /^in\.\d+$/.test(topic);
}

/** Of an embedded log, by its files, read by another process; they may be in use. */
export class EmbeddedTopics implements StoredTopics {
  readonly #seen = new Map<string, { envelopes: Uint8Array[]; upTo: number }>();
  readonly #reader: ChildProcess;
  readonly #exited: Promise<never>;

  /** To be made before the log is: it reads on by itself. @param directory the log's folder */
  constructor(directory: string) {
    this.#reader = fork(READER, [directory], { serialization: 'advanced' });
    this.#exited = once(this.#reader, 'exit').then(([code, signal]) => {
      throw new Error(`the process that reads the log ended with ${code ?? signal}`);
    });
    // One that ends while nobody asks it is told to the next who does.
    this.#exited.catch(() => undefined);
  }

  get topics(): string[] {
    return [...this.#seen.keys()].filter(isNoProbe);
  }

  envelopesOf(topic: string): readonly Uint8Array[] {
    return this.#seen.get(topic)?.envelopes ?? [];
  }

  tailOf(topic: string): number {
    return this.#seen.get(topic)?.upTo ?? 0;
  }

  async collect(): Promise<void> {
    const answered = new Promise<{ topics: readonly TopicRead[] } | { error: string }>((resolve) =>
      this.#reader.once('message', resolve),
    );
    this.#reader.send('read');
    const answer = await Promise.race([answered, this.#exited]);
    if ('error' in answer) throw new Error(answer.error);
    for (const read of answer.topics) this.#take(read);
  }

  async close(): Promise<void> {
    this.#reader.kill();
    await this.#exited.catch(() => undefined);
  }

  #take({ name, tail, envelopes }: TopicRead): void {
    let seen = this.#seen.get(name);
    if (seen === undefined) {
      seen = { envelopes: [], upTo: 0 };
      this.#seen.set(name, seen);
    }
    for (const bytes of envelopes) {
      // Throws at a checksum that is wrong.
      if (isInput(name)) new EnvelopeReader().load(bytes);
      seen.envelopes.push(bytes);
    }
    seen.upTo = tail;
  }
}

const COPY = 'TEST_COPY';
/** `<stream> <sequence>` and, of newer servers, more. */
const SOURCE_HEADER = 'Nats-Stream-Source';
const STREAMS = ['LAPSE_IN', 'LAPSE_DONE'];

/**
 * Of a JetStream log. Where much is trimmed, by a stream that copies its streams: the server keeps
 * it up by itself. (2.9 does not go on with it after a crash of its own.)
 */
export class JetStreamTopics implements StoredTopics {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #hasCopy: boolean;
  readonly #seen = new Map<string, Uint8Array[]>();
  readonly #tails = new Map<string, number>();
  /** Sequence of the last message read, by stream that it is read from. */
  readonly #readTo = new Map<string, number>();
  /** Sequence of the last message seen, by stream of the log. */
  readonly #upTo = new Map<string, number>();

  private constructor(connection: NatsConnection, manager: JetStreamManager, hasCopy: boolean) {
    this.#connection = connection;
    this.#manager = manager;
    this.#hasCopy = hasCopy;
  }

  /** To be opened once Lapse has made its streams. */
  static async open(url: string, hasCopy: boolean): Promise<JetStreamTopics> {
    const connection = await connect({ servers: url, maxReconnectAttempts: -1 });
    const manager = await jetstreamManager(connection);
    if (hasCopy) {
      await manager.streams.add({ name: COPY, sources: STREAMS.map((name) => ({ name })) });
    }
    return new JetStreamTopics(connection, manager, hasCopy);
  }

  get topics(): string[] {
    return [...this.#seen.keys()].filter(isNoProbe);
  }

  envelopesOf(topic: string): readonly Uint8Array[] {
    return this.#seen.get(topic) ?? [];
  }

  tailOf(topic: string): number {
    return this.#tails.get(topic) ?? 0;
  }

  async collect(): Promise<void> {
    for (const stream of STREAMS) {
      const { state } = await this.#info(stream);
      // What is trimmed later has been copied before; the last of a stream is never trimmed.
      await until(`${stream} is read`, async () => {
        if ((this.#upTo.get(stream) ?? 0) >= state.last_seq) return true;
        await this.#readOn(this.#hasCopy ? COPY : stream);
        return false;
      });
    }
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** A server that has just come back may let a request go unanswered: it is asked again. */
  #info(stream: string): Promise<StreamInfo> {
    return until(`${stream} tells how far it reaches`, () =>
      this.#manager.streams.info(stream).catch((error: unknown) => {
        if (error instanceof TimeoutError) return undefined;
        throw error;
      }),
    );
  }

  async #readOn(from: string): Promise<void> {
    const { state } = await this.#info(from);
    const readTo = this.#readTo.get(from) ?? 0;
    if (state.last_seq <= readTo) return;
    const consumer = await jetstream(this.#connection).consumers.get(from, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: readTo + 1,
    });
    const messages = await consumer.consume({ max_messages: 1_000 });
    for await (const message of messages) {
      this.#take(from, message);
      if (message.seq >= state.last_seq) break;
    }
    await messages.close();
  }

  #take(from: string, { subject, data, seq, headers }: JsMsg): void {
    const [, kind = '', name = ''] = subject.split('.');
    const topic = `${kind}.${name}`;
    const [stream = '', sequence = ''] =
      from === COPY ? headers!.get(SOURCE_HEADER).split(' ') : [from, String(seq)];
    const seen = this.#seen.get(topic);
    if (seen === undefined) this.#seen.set(topic, [new Uint8Array(data)]);
    else seen.push(new Uint8Array(data));
    this.#tails.set(topic, Number(sequence));
    this.#upTo.set(stream, Number(sequence));
    this.#readTo.set(from, seq);
  }
}
