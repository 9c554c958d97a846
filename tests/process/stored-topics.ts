/**
 * What stands in the log of a process that runs or was killed, read from outside, and everything
 * ever seen there: Lapse trims what it has checkpointed, and the oracle wants the whole input.
 */
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DeliverPolicy,
  type JetStreamManager,
  type JsMsg,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type Database, open, type RootDatabase } from 'lmdb';
import {
  ENVELOPE_KEY_BYTES,
  envelopeKey,
  STORED,
  type TopicRecord,
} from '../../connectors/logs/embedded/lmdb-schema.ts';
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

class MissingEnvelope extends Error {}
const READ_TRIES_MAX = 200;
const READ_AGAIN_MS = 5;

/** Of an embedded log, by the files; they may be in use. */
export class EmbeddedTopics implements StoredTopics {
  readonly #directory: string;
  readonly #seen = new Map<string, { envelopes: Uint8Array[]; upTo: number }>();

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
    for (let tries = 1; ; tries++) {
      try {
        return await this.#readAll();
      } catch (error) {
        // A hole, a page or an envelope that is really spoilt stays so.
        if (tries >= READ_TRIES_MAX) throw error;
        await new Promise((resolve) => setTimeout(resolve, READ_AGAIN_MS));
      }
    }
  }

  /**
   * Reads a copy: opening the very files from a second process would take part in their locks.
   * A copy that commits fell into may not be whole; it is taken again.
   */
  async #readAll(): Promise<void> {
    const copy = await mkdtemp(join(tmpdir(), 'lapse-log-copy-'));
    try {
      await copyFile(join(this.#directory, 'data.mdb'), join(copy, 'data.mdb'));
      const root = open<unknown, string>({ path: copy, readOnly: true, maxDbs: 4 });
      try {
        this.#read(root);
      } finally {
        await root.close();
      }
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #read(root: RootDatabase<unknown, string>): void {
    const topics = root.openDB<TopicRecord, string>({ name: 'topics', encoding: 'json' });
    const envelopes = root.openDB<Buffer, Buffer>({
      name: 'envelopes',
      encoding: 'binary',
      keyEncoding: 'binary',
    });
    // One snapshot for all, or a trim between two reads would look like a hole.
    const transaction = root.useReadTransaction();
    try {
      for (const { key: name, value } of topics.getRange({ transaction })) {
        this.#readTopic(name, value, (offset) => valueAt(envelopes, value.id, offset, transaction));
      }
    } finally {
      transaction.done();
    }
  }

  #readTopic(name: string, record: TopicRecord, envelopeAt: (offset: number) => Buffer): void {
    let seen = this.#seen.get(name);
    if (seen === undefined) {
      seen = { envelopes: [], upTo: 0 };
      this.#seen.set(name, seen);
    }
    if (record.trimmedUpTo > seen.upTo && name.startsWith('in.')) {
      throw new Error(`${name} was trimmed up to ${record.trimmedUpTo}, seen was ${seen.upTo}`);
    }
    seen.upTo = Math.max(seen.upTo, record.trimmedUpTo);
    while (seen.upTo < record.tail) {
      const bytes = new Uint8Array(envelopeAt(seen.upTo + 1).subarray(STORED.bytes));
      // Throws at a checksum that is wrong.
      if (name.startsWith('in.')) new EnvelopeReader().load(bytes);
      seen.envelopes.push(bytes);
      seen.upTo++;
    }
  }
}

type Transaction = ReturnType<RootDatabase['useReadTransaction']>;

function valueAt(
  envelopes: Database<Buffer, Buffer>,
  topicId: number,
  offset: number,
  transaction: Transaction,
): Buffer {
  const key = envelopeKey(Buffer.alloc(ENVELOPE_KEY_BYTES), topicId, offset);
  const value = envelopes.get(key, { transaction });
  if (value === undefined) {
    throw new MissingEnvelope(`offset ${offset} of topic ${topicId} must be there, it is missing`);
  }
  return value;
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
      const { state } = await this.#manager.streams.info(stream);
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

  async #readOn(from: string): Promise<void> {
    const { state } = await this.#manager.streams.info(from);
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
