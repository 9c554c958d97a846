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
import { EnvelopeReader } from '../../engine/envelope-reader.ts';
import { until } from '../support/until.ts';

export interface StoredTopics {
  /** Takes in what is new. Call at least once between two checkpoints of a running process. */
  collect(): Promise<void>;
  /** All that was ever seen of a topic, in order. */
  envelopesOf(topic: string): readonly Uint8Array[];
  /** Offset of the last one seen; 0 before the first. */
  tailOf(topic: string): number;
  readonly topics: readonly string[];
  close(): Promise<void>;
}

/** What the reading process answers of a topic. */
interface TopicRead {
  readonly name: string;
  readonly tail: number;
  readonly trimmedUpTo: number;
  /** Those behind the later of what was seen and what is trimmed. */
  readonly envelopes: readonly Uint8Array[];
}

const READER = fileURLToPath(new URL('read-embedded-log.mjs', import.meta.url));

/** Of an embedded log, by its files, read by another process; they may be in use. */
export class EmbeddedTopics implements StoredTopics {
  readonly #directory: string;
  readonly #seen = new Map<string, { envelopes: Uint8Array[]; upTo: number }>();
  #reader: ChildProcess | undefined;

  /** @param directory the log's folder */
  constructor(directory: string) {
    this.#directory = directory;
  }

  get topics(): string[] {
    return [...this.#seen.keys()];
  }

  envelopesOf(topic: string): readonly Uint8Array[] {
    return this.#seen.get(topic)?.envelopes ?? [];
  }

  tailOf(topic: string): number {
    return this.#seen.get(topic)?.upTo ?? 0;
  }

  async collect(): Promise<void> {
    for (const read of await this.#ask()) this.#take(read);
  }

  async close(): Promise<void> {
    if (this.#reader?.exitCode !== null) return;
    const exited = once(this.#reader, 'exit');
    this.#reader.kill();
    await exited;
  }

  async #ask(): Promise<readonly TopicRead[]> {
    this.#reader ??= fork(READER, { serialization: 'advanced' });
    const reader = this.#reader;
    const upTo = Object.fromEntries([...this.#seen].map(([name, seen]) => [name, seen.upTo]));
    const answered = once(reader, 'message');
    const exited = once(reader, 'exit').then(([code, signal]) => {
      throw new Error(`the process that reads the log ended with ${code ?? signal}`);
    });
    // One that ends after it has answered is nobody's business.
    exited.catch(() => undefined);
    reader.send({ directory: this.#directory, upTo });
    const [answer] = (await Promise.race([answered, exited])) as [
      { topics: readonly TopicRead[] } | { error: string },
    ];
    if ('error' in answer) throw new Error(answer.error);
    return answer.topics;
  }

  #take({ name, tail, trimmedUpTo, envelopes }: TopicRead): void {
    let seen = this.#seen.get(name);
    if (seen === undefined) {
      seen = { envelopes: [], upTo: 0 };
      this.#seen.set(name, seen);
    }
    if (trimmedUpTo > seen.upTo && name.startsWith('in.')) {
      throw new Error(`${name} was trimmed up to ${trimmedUpTo}, seen was ${seen.upTo}`);
    }
    for (const bytes of envelopes) {
      // Throws at a checksum that is wrong.
      if (name.startsWith('in.')) new EnvelopeReader().load(bytes);
      seen.envelopes.push(bytes);
    }
    seen.upTo = Math.max(tail, trimmedUpTo);
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
    return [...this.#seen.keys()];
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
