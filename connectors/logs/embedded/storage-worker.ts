/**
 * The storage thread: the one writer of an embedded log. It gathers every batch that has arrived,
 * commits them in one transaction (one wait for the disk for all of them), answers their clients
 * and tells those who follow the touched topics. Any failure but a full disk ends it: after a
 * failed sync nobody can say what the disk holds, only opening the log anew can.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../../engine/clock.ts';
import { LapseError, messageOf } from '../../../engine/errors.ts';
import { fullError, type PendingBatch, Storage, type Topic } from './storage.ts';
import {
  type Answer,
  ENTRY,
  type ErrorParts,
  type FromStorage,
  type FromStorageThread,
  type Question,
  RESULT,
  ResultStatus,
  type StorageThreadData,
  type TopicTail,
  type ToStorage,
  type ToStorageThread,
} from './storage-protocol.ts';

/** Bytes after which a transaction is closed and the rest waits for the next. */
const COMMIT_BYTES_MAX = 16 * 2 ** 20;

/** After a full disk refused a commit, appends are refused for this long without trying. */
const FULL_PAUSE_MS = 100;

interface Client {
  readonly port: MessagePort;
  /** The topics in the order in which the client first named them. */
  readonly topics: string[];
  readonly follows: Set<string>;
}

const clients = new Set<Client>();
let pending: (PendingBatch & { readonly client: Client })[] = [];
let trims: { client: Client; id: number; topic: string; upTo: number }[] = [];
let isScheduled = false;
let isFullUntilMs = 0;
let storage: Storage;

function partsOf(error: unknown): ErrorParts {
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

function tellParent(message: FromStorageThread): void {
  parentPort!.postMessage(message);
}

function tailOf({ name, id, tail, trimmedUpTo }: Topic): TopicTail {
  return { topic: name, topicId: id, tail, trimmedUpTo };
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  // After the messages of this turn have all been taken in: they share a transaction.
  setImmediate(() => {
    isScheduled = false;
    try {
      commitSome();
      trimSome();
    } catch (error) {
      fail(error);
    }
    if (pending.length > 0 || trims.length > 0) schedule();
  });
}

function commitSome(): void {
  if (pending.length === 0) return;
  let bytes = 0;
  let count = 0;
  while (count < pending.length && (count === 0 || bytes < COMMIT_BYTES_MAX)) {
    bytes += pending[count++]!.batch.bytes.length;
  }
  const batches = pending.slice(0, count);
  pending = pending.slice(count);
  if (systemClock.now() < isFullUntilMs) {
    refuse(batches);
    return;
  }
  try {
    const { results, touched } = storage.commit(batches);
    for (const [i, { client }] of batches.entries()) {
      tell(client, { kind: 'appended', results: results[i]! }, [results[i]!.buffer]);
    }
    notify(touched);
  } catch (error) {
    if (!(error instanceof LapseError) || error.code !== 'ERR_LOG_FULL') throw error;
    isFullUntilMs = systemClock.now() + FULL_PAUSE_MS;
    refuse(batches);
  }
}

/** Tells the callers that the log is full; nothing of the batches is stored. */
function refuse(batches: typeof pending): void {
  for (const { client, batch } of batches) {
    const results = new Float64Array((batch.entries.length / ENTRY.fields) * RESULT.fields);
    for (let at = 0; at < results.length; at += RESULT.fields) {
      results[at + RESULT.status] = ResultStatus.full;
    }
    tell(client, { kind: 'appended', results }, [results.buffer]);
  }
}

function notify(touched: ReadonlySet<Topic>): void {
  for (const client of clients) {
    const topics: TopicTail[] = [];
    for (const topic of touched) if (client.follows.has(topic.name)) topics.push(tailOf(topic));
    if (topics.length > 0) tell(client, { kind: 'readable', topics });
  }
}

/** One step of the first trim, so that appends never wait for a long one. */
function trimSome(): void {
  const trim = trims[0];
  if (trim === undefined) return;
  try {
    if (!storage.trimSome(trim.topic, trim.upTo)) return;
    isFullUntilMs = 0;
    tell(trim.client, { kind: 'answer', id: trim.id, answer: undefined });
    notify(new Set([storage.topic(trim.topic)]));
  } catch (error) {
    if (!(error instanceof LapseError) || error.code !== 'ERR_LOG_FULL') throw error;
    const refusal = partsOf(fullError('no room for the note of what was trimmed'));
    tell(trim.client, { kind: 'refused', id: trim.id, error: refusal });
  }
  trims = trims.slice(1);
}

function answer(question: Exclude<Question, { what: 'trim' }>): Answer {
  const topic = storage.topic(question.topic);
  if (question.what === 'position') return topic.positions.get(question.writer);
  if (question.what === 'tail') return topic.tail;
  if (question.what === 'head') return topic.trimmedUpTo < topic.tail ? topic.trimmedUpTo + 1 : 0;
  return topic.epoch;
}

function onMessage(client: Client, message: ToStorage): void {
  switch (message.kind) {
    case 'append':
      client.topics.push(...message.newTopics);
      pending.push({ client, batch: message, topics: client.topics });
      schedule();
      break;
    case 'ask': {
      const { id, question } = message;
      if (question.what === 'trim') {
        trims.push({ client, id, topic: question.topic, upTo: question.upTo });
        schedule();
      } else tell(client, { kind: 'answer', id, answer: answer(question) });
      break;
    }
    case 'follow':
      client.follows.add(message.topic);
      tell(client, { kind: 'readable', topics: [tailOf(storage.topic(message.topic))] });
      break;
    case 'unfollow':
      client.follows.delete(message.topic);
      break;
  }
}

function connect(port: MessagePort): void {
  const client: Client = { port, topics: [], follows: new Set() };
  clients.add(client);
  port.on('message', (message: ToStorage) => onMessage(client, message));
  port.on('close', () => clients.delete(client));
}

function fail(error: unknown): never {
  const parts = partsOf(error);
  for (const client of clients) tell(client, { kind: 'failed', error: parts });
  tellParent({ kind: 'failed', error: parts });
  // Thrown out of the thread, which ends it; the ports close behind it.
  throw error;
}

async function close(): Promise<void> {
  while (pending.length > 0) commitSome();
  for (const client of clients) client.port.close();
  parentPort!.close();
  await storage.close();
}

try {
  storage = new Storage(workerData as StorageThreadData, systemClock);
  parentPort!.on('message', (message: ToStorageThread) => {
    if (message.kind === 'connect') return connect(message.port);
    close().then(() => undefined, fail);
  });
  tellParent({ kind: 'ready', id: storage.id });
} catch (error) {
  tellParent({ kind: 'failed', error: partsOf(error) });
}
