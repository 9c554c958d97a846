/**
 * The log of this machine, as one thread sees it: appends and questions go to the storage thread
 * over a port, reads come from its news and the memory map. Every thread that uses the log connects once.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import { externalError, LapseError } from '../../../engine/errors/errors.ts';
import type {
  Fence,
  LogReader,
  Offset,
  SizedLog,
  WriterPosition,
} from '../../../engine/log/log.ts';
import { AppendQueue } from './append-queue.ts';
import { EmbeddedReader } from './embedded-reader.ts';
import { FollowedTopic } from './followed-topic.ts';
import { valuesOf } from './fresh-values.ts';
import { type Durability, type LogTables, openTables } from './lmdb-schema.ts';
import type { Answer, FromStorage, Question, StoragePort, ToStorage } from './storage-protocol.ts';

/** Crosses threads by structured clone; the port must be in the transfer list. */
export interface EmbeddedLogAddress {
  readonly kind: 'embedded';
  readonly directory: string;
  readonly durability: Durability;
  readonly partitionCount: number;
  readonly port: MessagePort;
}

interface Asked {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: LapseError) => void;
}

/** Connects the calling thread; an address is good for one connection. */
export async function connectEmbeddedLog(address: EmbeddedLogAddress): Promise<SizedLog> {
  const { partitionCount, port, directory } = address;
  return new EmbeddedLog({
    partitionCount,
    port,
    directory,
    tables: takeTables(address),
    letGo: () => giveBackTables(directory),
  });
}

export interface EmbeddedLogParts {
  readonly partitionCount: number;
  readonly port: StoragePort;
  readonly directory: string;
  /** Read only; shared by all connections of a thread. */
  readonly tables: LogTables;
  /** The connection is closed and does not touch the tables any more. */
  readonly letGo: () => Promise<void>;
}

export class EmbeddedLog implements SizedLog {
  readonly partitionCount: number;
  readonly #directory: string;
  readonly #port: StoragePort;
  readonly #letGo: () => Promise<void>;
  readonly #tables: LogTables;
  readonly #queue: AppendQueue;
  readonly #followed = new Map<string, FollowedTopic>();
  readonly #asked = new Map<number, Asked>();
  #askedCount = 0;
  #failure: LapseError | undefined;
  #isClosed = false;
  #onPortClosed: () => void = () => undefined;

  constructor({ partitionCount, port, directory, tables, letGo }: EmbeddedLogParts) {
    this.partitionCount = partitionCount;
    this.#directory = directory;
    this.#letGo = letGo;
    this.#tables = tables;
    this.#port = port;
    this.#queue = new AppendQueue((batch, transfer) => this.#port.postMessage(batch, transfer));
    this.#port.on('message', (message: FromStorage) => this.#onMessage(message));
    this.#port.on('close', () => {
      this.#fail(
        externalError('ERR_LOG_UNAVAILABLE', 'The log must be open, its storage thread has ended.'),
      );
      this.#onPortClosed();
    });
  }

  append(topic: string, bytes: Uint8Array, fence?: Fence): Promise<Offset | undefined> {
    return this.#queue.add({ topic, bytes, fence });
  }

  claim(partition: number, epoch: number, bytes: Uint8Array): Promise<Offset> {
    const claim = { partition, epoch };
    return this.#queue.add({ topic: `in.${partition}`, bytes, claim }) as Promise<Offset>;
  }

  epochOf(partition: number): Promise<number> {
    return this.#ask({ what: 'epoch', topic: `in.${partition}` }) as Promise<number>;
  }

  read(name: string, after: Offset, onReadable: () => void): LogReader {
    let topic = this.#followed.get(name);
    if (topic === undefined) {
      topic = new FollowedTopic(name);
      topic.failure = this.#failure;
      this.#followed.set(name, topic);
      this.#post({ kind: 'follow', topic: name });
    }
    const onClose = () => this.#unfollow(name);
    return new EmbeddedReader({ tables: this.#tables, topic, after, onReadable, onClose });
  }

  tail(topic: string): Promise<Offset> {
    return this.#ask({ what: 'tail', topic }) as Promise<Offset>;
  }

  head(topic: string): Promise<Offset> {
    return this.#ask({ what: 'head', topic }) as Promise<Offset>;
  }

  positionOf(topic: string, writer: number): Promise<WriterPosition | undefined> {
    const answer = this.#ask({ what: 'position', topic, writer });
    return answer as Promise<WriterPosition | undefined>;
  }

  async trim(topic: string, upTo: Offset): Promise<void> {
    await this.#ask({ what: 'trim', topic, upTo });
  }

  async sizeBytes(): Promise<number> {
    const names = await readdir(this.#directory);
    const files = await Promise.all(names.map((name) => stat(join(this.#directory, name))));
    return files.reduce((sum, { size }) => sum + size, 0);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#queue.idle();
    // The tables go away with the connection: a reader that still polls must not touch them.
    const closed = externalError('ERR_LOG_UNAVAILABLE', 'The log must be open, it was closed.');
    for (const topic of this.#followed.values()) topic.failure = closed;
    this.#followed.clear();
    await new Promise<void>((resolve) => {
      this.#onPortClosed = resolve;
      this.#port.close();
      if (this.#failure !== undefined) resolve();
    });
    await this.#letGo();
  }

  #post(message: ToStorage): void {
    if (this.#failure === undefined) this.#port.postMessage(message);
  }

  #ask(question: Question): Promise<Answer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = ++this.#askedCount;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#post({ kind: 'ask', id, question });
    });
  }

  #unfollow(name: string): void {
    const topic = this.#followed.get(name);
    if (topic === undefined || topic.followers.size > 0) return;
    this.#followed.delete(name);
    this.#post({ kind: 'unfollow', topic: name });
  }

  #onMessage(message: FromStorage): void {
    switch (message.kind) {
      case 'appended':
        this.#queue.onResults(message.results);
        break;
      case 'answer':
        this.#asked.get(message.id)?.resolve(message.answer);
        this.#asked.delete(message.id);
        break;
      case 'refused': {
        const { code, message: text, ...details } = message.error;
        this.#asked.get(message.id)?.reject(new LapseError(code, text, details));
        this.#asked.delete(message.id);
        break;
      }
      case 'readable':
        for (const [news, values] of valuesOf(message)) {
          this.#followed.get(news.topic)?.onNews(news, values);
        }
        break;
      case 'failed': {
        const { code, message: text, ...details } = message.error;
        this.#fail(new LapseError(code, text, details));
        break;
      }
    }
  }

  #fail(error: LapseError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#queue.fail(error);
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
    for (const topic of this.#followed.values()) topic.fail(error);
  }
}

/** The tables of this thread by folder: lmdb-js wants one environment a thread and path. */
const tablesInUse = new Map<string, { readonly tables: LogTables; uses: number }>();

function takeTables({ directory, durability }: EmbeddedLogAddress): LogTables {
  let taken = tablesInUse.get(directory);
  if (taken === undefined) {
    taken = { tables: openTables(directory, durability), uses: 0 };
    tablesInUse.set(directory, taken);
  }
  taken.uses++;
  return taken.tables;
}

async function giveBackTables(directory: string): Promise<void> {
  const taken = tablesInUse.get(directory);
  if (taken === undefined || --taken.uses > 0) return;
  tablesInUse.delete(directory);
  await taken.tables.root.close();
}
