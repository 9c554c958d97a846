/**
 * What travels between the storage thread and its clients in the other threads. Appends made in
 * one turn go in one message: `bytes` holds each as it will lie in LMDB (32 bytes `STORED`, then
 * the envelope, padded to 8), `entries` says where, in records of `ENTRY.fields` numbers.
 */
import type { MessagePort } from 'node:worker_threads';
import type { ErrorDomain } from '../../../engine/errors/errors.ts';
import type { WriterPosition } from '../../../engine/log/log.ts';
import type { Durability } from './lmdb-schema.ts';

/** What both ends need of the port between them. */
export type StoragePort = Pick<MessagePort, 'postMessage' | 'on' | 'close'>;

/** Fields of an entry of a batch, by index. */
export const ENTRY = {
  /** Index into the client's topics, in the order in which it first named them. */
  topic: 0,
  start: 1,
  length: 2,
  kind: 3,
  /** Of a claim; the fence of an append lies in its bytes. */
  epoch: 4,
  fields: 5,
} as const;

export const EntryKind = { append: 0, claim: 1 } as const;

/** Fields of an entry of an answer, by index. */
export const RESULT = {
  status: 0,
  /** The offset when stored; the stored epoch when fenced or taken. */
  value: 1,
  fields: 2,
} as const;

export const ResultStatus = { stored: 0, replay: 1, fenced: 2, taken: 3, full: 4 } as const;

export interface AppendBatch {
  readonly kind: 'append';
  readonly newTopics: readonly string[];
  readonly entries: Float64Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export type Question =
  | { readonly what: 'tail' | 'head' | 'epoch'; readonly topic: string }
  | { readonly what: 'position'; readonly topic: string; readonly writer: number }
  | { readonly what: 'trim'; readonly topic: string; readonly upTo: number };

export type ToStorage =
  | AppendBatch
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }
  /** Asks for a `readable` now and after each commit that touched the topic. */
  | { readonly kind: 'follow'; readonly topic: string }
  | { readonly kind: 'unfollow'; readonly topic: string };

export type Answer = number | WriterPosition | undefined;

export type FromStorage =
  /** Answers the oldest batch that has none. */
  | { readonly kind: 'appended'; readonly results: Float64Array<ArrayBuffer> }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly kind: 'refused'; readonly id: number; readonly error: ErrorParts }
  | FreshValues
  /** Nothing more will be answered; what is in flight may or may not be stored. */
  | { readonly kind: 'failed'; readonly error: ErrorParts };

/** Something is new in topics that the client follows. */
export interface FreshValues {
  readonly kind: 'readable';
  readonly topics: readonly TopicNews[];
  /** The new values that the tables do not have yet, topic by topic, each padded to 8. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface TopicNews {
  readonly topic: string;
  readonly topicId: number;
  readonly tail: number;
  readonly trimmedUpTo: number;
  /** Up to here its values stand in the tables. */
  readonly flushedUpTo: number;
  /** Of the values that go with it: the topic's last ones. */
  readonly lengths: readonly number[];
  /** All that the tables do not have goes with it, not only what has come since the last news. */
  readonly isWhole: boolean;
}

/** An error as it crosses a thread: structured clone would lose its class and code. */
export interface ErrorParts {
  readonly code: string;
  readonly message: string;
  readonly domain: ErrorDomain;
  readonly retryable: boolean;
}

/** Messages to the storage thread's own port, from the thread that started it. */
export type ToStorageThread =
  | { readonly kind: 'connect'; readonly port: MessagePort }
  | { readonly kind: 'close' };

export type FromStorageThread =
  | { readonly kind: 'ready'; readonly id: string }
  | { readonly kind: 'failed'; readonly error: ErrorParts };

export interface StorageThreadData {
  readonly directory: string;
  readonly partitionCount: number;
  readonly durability: Durability;
  /** Ceiling of the bytes kept; appends beyond it are refused until something is trimmed. */
  readonly bytesMax: number;
  readonly ownerToken: string;
}
