/**
 * The writing half of a client of the storage thread. All appends of one turn are laid out in one
 * buffer, as they will lie in LMDB, and go over in one message. At most a window of bytes is under
 * way unanswered; what comes on top waits here, and beyond a ceiling it is refused.
 */
import { externalError, type LapseError } from '../../../engine/errors/errors.ts';
import { epochTakenError, fencedError } from '../../../engine/log/fence.ts';
import type { Fence, Offset } from '../../../engine/log/log.ts';
import { padded, STORED, writeFence } from './lmdb-schema.ts';
import { type AppendBatch, ENTRY, EntryKind, RESULT, ResultStatus } from './storage-protocol.ts';

const BATCH_BYTES_MAX = 4 * 2 ** 20;
const WINDOW_BYTES = 16 * 2 ** 20;
const QUEUE_BYTES_MAX = 128 * 2 ** 20;
const BATCH_BYTES_MIN = 2 * 1024;

/** One append as called for: the fence of an append or the partition and epoch of a claim. */
export interface AppendRequest {
  readonly topic: string;
  readonly bytes: Uint8Array;
  readonly fence?: Fence | undefined;
  readonly claim?: { readonly partition: number; readonly epoch: number };
}

interface Waiting {
  readonly topic: string;
  readonly fence: Fence | undefined;
  readonly claim: AppendRequest['claim'];
  readonly resolve: (offset: Offset | undefined) => void;
  readonly reject: (error: LapseError) => void;
}

interface OpenBatch {
  buffer: Buffer<ArrayBuffer>;
  length: number;
  readonly newTopics: string[];
  readonly entries: number[];
  readonly waiting: Waiting[];
}

export class AppendQueue {
  readonly #send: (batch: AppendBatch, transfer: ArrayBuffer[]) => void;
  readonly #topicIndex = new Map<string, number>();
  #open: OpenBatch | undefined;
  #isScheduled = false;
  /** Laid out, waiting for the window. */
  #held: OpenBatch[] = [];
  /** Sent and not answered, oldest first. */
  readonly #sent: { readonly bytes: number; readonly waiting: readonly Waiting[] }[] = [];
  #sentBytes = 0;
  #queuedBytes = 0;
  #lastBatchBytes = BATCH_BYTES_MIN;
  #failure: LapseError | undefined;
  #onIdle: (() => void)[] = [];

  constructor(send: (batch: AppendBatch, transfer: ArrayBuffer[]) => void) {
    this.#send = send;
  }

  /** The bytes are copied before it returns. */
  add(request: AppendRequest): Promise<Offset | undefined> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const length = STORED.bytes + request.bytes.length;
    if (this.#queuedBytes + length > QUEUE_BYTES_MAX) {
      return Promise.reject(
        externalError(
          'ERR_LOG_UNAVAILABLE',
          `At most ${QUEUE_BYTES_MAX} bytes may wait for the log, ${this.#queuedBytes} do.`,
        ),
      );
    }
    this.#queuedBytes += length;
    return new Promise((resolve, reject) => {
      const batch = this.#batchFor(length);
      const { topic, fence, claim } = request;
      layOut(batch, request, this.#indexOf(topic, batch), length);
      batch.waiting.push({ topic, fence, claim, resolve, reject });
    });
  }

  /** The answer to the oldest batch sent. */
  onResults(results: Float64Array): void {
    const answered = this.#sent.shift()!;
    this.#sentBytes -= answered.bytes;
    this.#queuedBytes -= answered.bytes;
    for (const [i, waiting] of answered.waiting.entries()) {
      const status = results[i * RESULT.fields + RESULT.status]!;
      settle(waiting, status, results[i * RESULT.fields + RESULT.value]!);
    }
    this.#sendHeld();
    this.#tellIdle();
  }

  /** Rejects everything that has no answer and all that is still to come. */
  fail(error: LapseError): void {
    this.#failure = error;
    const open = this.#open === undefined ? [] : [this.#open];
    for (const batch of [...this.#sent, ...this.#held, ...open]) {
      for (const waiting of batch.waiting) waiting.reject(error);
    }
    this.#sent.length = 0;
    this.#held = [];
    this.#open = undefined;
    this.#queuedBytes = 0;
    this.#tellIdle();
  }

  /** Resolves when nothing waits for an answer. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      this.#tellIdle();
    });
  }

  #tellIdle(): void {
    if (this.#queuedBytes > 0) return;
    const callbacks = this.#onIdle;
    this.#onIdle = [];
    for (const callback of callbacks) callback();
  }

  /** The batch of this turn, with room for `length` more bytes. */
  #batchFor(length: number): OpenBatch {
    if (this.#open !== undefined && this.#open.length + length > BATCH_BYTES_MAX) this.#flush();
    if (this.#open === undefined) {
      const capacity = Math.max(length + 8, this.#lastBatchBytes);
      const buffer = Buffer.allocUnsafeSlow(capacity) as Buffer<ArrayBuffer>;
      this.#open = { buffer, length: 0, newTopics: [], entries: [], waiting: [] };
      this.#schedule();
    }
    const batch = this.#open;
    const needed = batch.length + length + 8;
    if (needed > batch.buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * batch.buffer.length));
      batch.buffer.copy(grown, 0, 0, batch.length);
      batch.buffer = grown as Buffer<ArrayBuffer>;
    }
    return batch;
  }

  #indexOf(topic: string, batch: OpenBatch): number {
    let index = this.#topicIndex.get(topic);
    if (index === undefined) {
      index = this.#topicIndex.size;
      this.#topicIndex.set(topic, index);
      batch.newTopics.push(topic);
    }
    return index;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#open === undefined) return;
    this.#held.push(this.#open);
    this.#lastBatchBytes = Math.max(BATCH_BYTES_MIN, this.#open.length);
    this.#open = undefined;
    this.#sendHeld();
  }

  #sendHeld(): void {
    while (this.#held.length > 0 && this.#sentBytes < WINDOW_BYTES) {
      const { buffer, length, newTopics, entries, waiting } = this.#held.shift()!;
      const bytes = entries.reduce((sum, field, i) => (isLength(i) ? sum + field : sum), 0);
      this.#sent.push({ bytes, waiting });
      this.#sentBytes += bytes;
      const packed = new Float64Array(entries);
      this.#send(
        {
          kind: 'append',
          newTopics,
          entries: packed,
          bytes: new Uint8Array(buffer.buffer, buffer.byteOffset, length),
        },
        [packed.buffer, buffer.buffer],
      );
    }
  }
}

function isLength(field: number): boolean {
  return field % ENTRY.fields === ENTRY.length;
}

function layOut(batch: OpenBatch, request: AppendRequest, topic: number, length: number): void {
  const { buffer, length: start } = batch;
  buffer.fill(0, start, start + STORED.bytes);
  if (request.fence !== undefined) {
    const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
    writeFence(view, start, request.fence);
  }
  buffer.set(request.bytes, start + STORED.bytes);
  const kind = request.claim === undefined ? EntryKind.append : EntryKind.claim;
  batch.entries.push(topic, start, length, kind, request.claim?.epoch ?? 0);
  batch.length = padded(start + length);
}

function settle(waiting: Waiting, status: number, value: number): void {
  const { topic, fence, claim, resolve, reject } = waiting;
  if (status === ResultStatus.stored) resolve(value);
  else if (status === ResultStatus.replay) resolve(undefined);
  else if (status === ResultStatus.fenced) reject(fencedError(topic, fence!, value));
  else if (status === ResultStatus.taken) {
    reject(epochTakenError(claim!.partition, claim!.epoch, value));
  } else {
    const message = `The log must have room to append to '${topic}', it or its disk is full.`;
    reject(externalError('ERR_LOG_FULL', message, { facts: { topic } }));
  }
}
