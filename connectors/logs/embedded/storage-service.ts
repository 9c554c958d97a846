/**
 * The one writer of an embedded log, as its clients talk to it. It gathers every batch that has
 * arrived, commits them together (one wait for the disk for all of them), answers their clients and
 * tells those who follow the touched topics. In between, the tables take over what was committed.
 * Any failure but a full disk ends it: after a failed sync nobody can say what the disk holds, only
 * opening the log anew can.
 */

import { LapseError, messageOf } from '../../../engine/errors/errors.ts';
import type { Clock } from '../../../engine/time/clock.ts';
import type { PendingBatch } from './apply-batch.ts';
import { freshValues } from './fresh-values.ts';
import { fullError } from './log-full.ts';
import type { Storage } from './storage.ts';
import {
  type Answer,
  ENTRY,
  type ErrorParts,
  type FromStorage,
  type Question,
  RESULT,
  ResultStatus,
  type StoragePort,
  type ToStorage,
} from './storage-protocol.ts';
import type { Topic } from './topics.ts';

/** Bytes after which a commit is closed and the rest waits for the next. */
const COMMIT_BYTES_MAX = 16 * 2 ** 20;

/** After a full disk refused a commit, appends are refused for this long without trying. */
const FULL_PAUSE_MS = 100;

/** What was committed stands in the tables some time later; what gathers there shares pages. */
const FLUSH_AFTER_MS = 1_000;

interface Client {
  readonly port: StoragePort;
  /** The topics in the order in which the client first named them. */
  readonly topics: string[];
  readonly follows: Set<string>;
}

export interface StorageServiceOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  /** It has failed and told its clients; nothing more must be asked of it. */
  readonly onFailure: (error: unknown) => void;
}

export class StorageService {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #onFailure: (error: unknown) => void;
  readonly #clients = new Set<Client>();
  #pending: (PendingBatch & { readonly client: Client })[] = [];
  #trims: { client: Client; id: number; topic: string; upTo: number }[] = [];
  #isScheduled = false;
  #isFullUntilMs = 0;
  /** The tables are taking over, step by step. */
  #isFlushing = false;
  #cancelFlush: (() => void) | undefined;

  constructor({ storage, clock, onFailure }: StorageServiceOptions) {
    this.#storage = storage;
    this.#clock = clock;
    this.#onFailure = onFailure;
  }

  connect(port: StoragePort): void {
    const client: Client = { port, topics: [], follows: new Set() };
    this.#clients.add(client);
    port.on('message', (message: ToStorage) => this.#onMessage(client, message));
    port.on('close', () => this.#clients.delete(client));
  }

  /** Commits what has arrived and lets go of clients and storage. */
  async close(): Promise<void> {
    while (this.#pending.length > 0) this.#commitSome();
    this.#cancelFlush?.();
    for (const client of this.#clients) client.port.close();
    await this.#storage.close();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // After the messages of this turn have all been taken in: they share a transaction.
    setImmediate(() => {
      this.#isScheduled = false;
      try {
        this.#commitSome();
        this.#trimSome();
        this.#flushSome();
      } catch (error) {
        this.#fail(error);
        return;
      }
      const hasMore = this.#pending.length > 0 || this.#trims.length > 0 || this.#isFlushing;
      if (hasMore) this.#schedule();
    });
  }

  #commitSome(): void {
    if (this.#pending.length === 0) return;
    let bytes = 0;
    let count = 0;
    while (count < this.#pending.length && (count === 0 || bytes < COMMIT_BYTES_MAX)) {
      bytes += this.#pending[count++]!.batch.bytes.length;
    }
    const batches = this.#pending.slice(0, count);
    this.#pending = this.#pending.slice(count);
    if (this.#clock.now() < this.#isFullUntilMs) {
      refuse(batches);
      return;
    }
    try {
      const { results, counts } = this.#storage.commit(batches);
      for (const [i, { client }] of batches.entries()) {
        tell(client, { kind: 'appended', results: results[i]! }, [results[i]!.buffer]);
      }
      this.#notify(counts);
    } catch (error) {
      if (!(error instanceof LapseError) || error.code !== 'ERR_LOG_FULL') throw error;
      this.#isFullUntilMs = this.#clock.now() + FULL_PAUSE_MS;
      refuse(batches);
    }
  }

  /** @param counts how many values each topic has got since the last news of it */
  #notify(counts: ReadonlyMap<Topic, number>): void {
    for (const client of this.#clients) {
      const followed = [...counts].filter(([{ name }]) => client.follows.has(name));
      if (followed.length === 0) continue;
      const news = freshValues(followed);
      tell(client, news, [news.bytes.buffer]);
    }
  }

  /** One step, so that appends never wait for a long one. */
  #flushSome(): void {
    this.#isFlushing ||= this.#storage.mustFlush;
    if (!this.#isFlushing) {
      if (this.#storage.isDirty) this.#flushLater(FLUSH_AFTER_MS);
      return;
    }
    try {
      const flushed = this.#storage.flushSome();
      this.#notify(new Map(flushed.topics.map((topic) => [topic, 0])));
      this.#isFlushing = flushed.hasMore;
      if (!flushed.hasMore && this.#storage.isDirty) this.#flushLater(FLUSH_AFTER_MS);
    } catch (error) {
      if (!(error instanceof LapseError) || error.code !== 'ERR_LOG_FULL') throw error;
      this.#isFlushing = false;
      this.#flushLater(FULL_PAUSE_MS);
    }
  }

  #flushLater(ms: number): void {
    this.#cancelFlush ??= this.#clock.at(this.#clock.now() + ms, () => {
      this.#cancelFlush = undefined;
      this.#isFlushing = true;
      this.#schedule();
    });
  }

  /** One step of the first trim, so that appends never wait for a long one. */
  #trimSome(): void {
    const trim = this.#trims[0];
    if (trim === undefined) return;
    try {
      if (!this.#storage.trimSome(trim.topic, trim.upTo)) return;
      this.#isFullUntilMs = 0;
      tell(trim.client, { kind: 'answer', id: trim.id, answer: undefined });
      this.#notify(new Map([[this.#storage.topic(trim.topic), 0]]));
    } catch (error) {
      if (!(error instanceof LapseError) || error.code !== 'ERR_LOG_FULL') throw error;
      const refusal = partsOf(fullError('no room for the note of what was trimmed'));
      tell(trim.client, { kind: 'refused', id: trim.id, error: refusal });
    }
    this.#trims = this.#trims.slice(1);
  }

  #answer(question: Exclude<Question, { what: 'trim' }>): Answer {
    const topic = this.#storage.topic(question.topic);
    if (question.what === 'position') return topic.positions.get(question.writer);
    if (question.what === 'tail') return topic.tail;
    if (question.what === 'head') {
      return topic.trimmedUpTo < topic.tail ? topic.trimmedUpTo + 1 : 0;
    }
    return topic.epoch;
  }

  #onMessage(client: Client, message: ToStorage): void {
    switch (message.kind) {
      case 'append':
        client.topics.push(...message.newTopics);
        this.#pending.push({ client, batch: message, topics: client.topics });
        this.#schedule();
        break;
      case 'ask': {
        const { id, question } = message;
        if (question.what === 'trim') {
          this.#trims.push({ client, id, topic: question.topic, upTo: question.upTo });
          this.#schedule();
        } else tell(client, { kind: 'answer', id, answer: this.#answer(question) });
        break;
      }
      case 'follow':
        client.follows.add(message.topic);
        tell(client, freshValues([[this.#storage.topic(message.topic), 'whole']]));
        break;
      case 'unfollow':
        client.follows.delete(message.topic);
        break;
    }
  }

  #fail(error: unknown): void {
    const parts = partsOf(error);
    for (const client of this.#clients) tell(client, { kind: 'failed', error: parts });
    this.#onFailure(error);
  }
}

/** An error as it crosses a thread. */
export function partsOf(error: unknown): ErrorParts {
  if (error instanceof LapseError) {
    const { code, message, domain, retryable } = error;
    return { code, message, domain, retryable };
  }
  const message = `The storage thread of the log failed: ${messageOf(error)}.`;
  return { code: 'ERR_LOG_UNAVAILABLE', message, domain: 'external', retryable: true };
}

function tell(client: Client, message: FromStorage, transfer: ArrayBuffer[] = []): void {
  client.port.postMessage(message, transfer);
}

/** Tells the callers that the log is full; nothing of the batches is stored. */
function refuse(batches: readonly (PendingBatch & { readonly client: Client })[]): void {
  for (const { client, batch } of batches) {
    const results = new Float64Array((batch.entries.length / ENTRY.fields) * RESULT.fields);
    for (let at = 0; at < results.length; at += RESULT.fields) {
      results[at + RESULT.status] = ResultStatus.full;
    }
    tell(client, { kind: 'appended', results }, [results.buffer]);
  }
}
