/**
 * The writing half of a JetStream log. One append of a subject is under way at a time: only so do
 * appends that have to be repeated keep their order, and only so is a fence safe (a zombie's second
 * append in flight could match what the new owner's first one left). Writers with fences of a topic
 * have subjects of their own and do not wait for one another: a lane is written by 64 partitions.
 */
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import { nuid } from '@nats-io/transport-node';
import { externalError, LapseError, userError } from '../../../engine/errors/errors.ts';
import { epochTakenError, fencedError, judgeFence, movedError } from '../../../engine/log/fence.ts';
import type { Fence, Offset, WriterPosition } from '../../../engine/log/log.ts';
import type { Publication } from '../../nats/stream-publisher.ts';
import { ApiErrorCode, apiErrorCodeOf } from './api-errors.ts';
import { FENCE_HEADER, positionFrom, positionText } from './fence-header.ts';
import { placeOf, type TopicPlace } from './subjects.ts';

/** Bytes of appends that may wait here; more are refused. */
const QUEUE_BYTES_MAX = 64 * 2 ** 20;
/** Headers and protocol around an envelope. */
const MESSAGE_OVERHEAD_BYTES = 1024;
const MESSAGE_ID_HEADER = 'Nats-Msg-Id';
const EXPECTED_HEADER = 'Nats-Expected-Last-Subject-Sequence';
/** Each turn lost means that somebody else wrote; more than a few and something is wrong. */
const CONTEST_TURNS_MAX = 20;

/** The last message of a subject that is written with compare-and-set. */
export interface LastWritten {
  readonly sequence: Offset;
  readonly position: WriterPosition;
  readonly messageId: string;
}

export interface AppenderOptions {
  readonly publisher: { publish(publication: Publication): Promise<Offset> };
  readonly manager: JetStreamManager;
  readonly prefix: string;
  readonly payloadBytesMax: number;
  /** Makes the topic's stream if it has none. */
  readonly ensure: (kind: string) => Promise<void>;
  /** Repeats a request while the server is away; `what` is for the error. */
  readonly retried: <Result>(what: string, request: () => Promise<Result>) => Promise<Result>;
}

export class JetStreamAppender {
  readonly #options: AppenderOptions;
  /** The last append that has not settled, of each topic and of each of its writers with fences. */
  readonly #chains = new Map<string, Promise<unknown>>();
  /** What we know of subjects that we write with compare-and-set. */
  readonly #last = new Map<string, LastWritten>();
  #queuedBytes = 0;
  /** Ids of messages are this and a count. */
  readonly #idPrefix = nuid.next();
  #idCount = 0;

  constructor(options: AppenderOptions) {
    this.#options = options;
  }

  append(topic: string, bytes: Uint8Array, fence?: Fence): Promise<Offset | undefined> {
    const chain = fence === undefined ? topic : `${topic} ${fence.writer}`;
    return this.#enqueue(chain, topic, bytes, (place, copy) => {
      if (fence === undefined) return this.#publishPlain(topic, place, copy);
      return this.#contest({
        what: `append to '${topic}'`,
        place,
        subject: place.fenced(fence.writer),
        bytes: copy,
        position: fence.position,
        judge: (last) => {
          const verdict = judgeFence(last, fence);
          if (verdict === 'fenced') throw fencedError(topic, fence, last?.epoch ?? 0);
          if (verdict === 'moved') throw movedError(topic, fence);
          return verdict === 'store';
        },
      });
    });
  }

  claim(partition: number, epoch: number, bytes: Uint8Array): Promise<Offset> {
    const topic = `in.${partition}`;
    const claimed = this.#enqueue(topic, topic, bytes, (place, copy) =>
      this.#contest({
        what: `claim partition ${partition}`,
        place,
        subject: place.claims,
        bytes: copy,
        position: { epoch, offset: 0, ordinal: 0 },
        judge: (last) => {
          if (last !== undefined && last.epoch >= epoch) {
            throw epochTakenError(partition, epoch, last.epoch);
          }
          return true;
        },
      }),
    );
    return claimed as Promise<Offset>;
  }

  /** What stands last on a subject written with compare-and-set, asked of the server. */
  async lastOn(stream: string, subject: string): Promise<LastWritten | undefined> {
    const { manager, retried } = this.#options;
    const message = await retried(`read '${subject}'`, () =>
      manager.streams.getMessage(stream, { last_by_subj: subject }),
    );
    return message === null ? undefined : lastFrom(message);
  }

  /** Resolves when all appends have settled. */
  async idle(): Promise<void> {
    await Promise.all(this.#chains.values());
  }

  /** @param chain appends of the same one follow upon one another */
  #enqueue(
    chain: string,
    topic: string,
    bytes: Uint8Array,
    store: (place: TopicPlace, copy: Uint8Array) => Promise<Offset | undefined>,
  ): Promise<Offset | undefined> {
    const { prefix, payloadBytesMax, ensure } = this.#options;
    if (bytes.length + MESSAGE_OVERHEAD_BYTES > payloadBytesMax) {
      return Promise.reject(tooLargeError(topic, bytes.length, payloadBytesMax));
    }
    if (this.#queuedBytes + bytes.length > QUEUE_BYTES_MAX) {
      return Promise.reject(
        externalError(
          'ERR_LOG_UNAVAILABLE',
          `At most ${QUEUE_BYTES_MAX} bytes may wait for NATS, ${this.#queuedBytes} do.`,
        ),
      );
    }
    const copy = new Uint8Array(bytes);
    this.#queuedBytes += copy.length;
    const before = this.#chains.get(chain) ?? Promise.resolve();
    const stored = before.then(async () => {
      const place = placeOf(prefix, topic);
      await ensure(place.kind);
      return store(place, copy);
    });
    const settled = stored
      .catch(() => undefined)
      .then(() => {
        this.#queuedBytes -= copy.length;
        if (this.#chains.get(chain) === settled) this.#chains.delete(chain);
      });
    this.#chains.set(chain, settled);
    return stored;
  }

  #publishPlain(topic: string, place: TopicPlace, bytes: Uint8Array): Promise<Offset> {
    const { publisher, retried } = this.#options;
    const headers = { [MESSAGE_ID_HEADER]: this.#newMessageId() };
    return retried(`append to '${topic}'`, () =>
      publisher.publish({ subject: place.plain, bytes, headers }),
    );
  }

  #newMessageId(): string {
    return `${this.#idPrefix}.${++this.#idCount}`;
  }

  /** Stores when nobody else has written since we looked; otherwise looks again and judges. */
  async #contest(append: {
    readonly what: string;
    readonly place: TopicPlace;
    readonly subject: string;
    readonly bytes: Uint8Array;
    readonly position: WriterPosition;
    /** Whether to store after `last`. @throws when another owner has won */
    readonly judge: (last: WriterPosition | undefined) => boolean;
  }): Promise<Offset | undefined> {
    const { what, place, subject, bytes, position, judge } = append;
    const { publisher, retried } = this.#options;
    const messageId = this.#newMessageId();
    let last = this.#last.get(subject) ?? (await this.lastOn(place.stream, subject));
    for (let turn = 0; turn < CONTEST_TURNS_MAX; turn++) {
      if (!judge(last?.position)) return undefined;
      const headers = {
        [MESSAGE_ID_HEADER]: messageId,
        [FENCE_HEADER]: positionText(position),
        [EXPECTED_HEADER]: String(last?.sequence ?? 0),
      };
      try {
        const sequence = await retried(what, () => publisher.publish({ subject, bytes, headers }));
        this.#last.set(subject, { sequence, position, messageId });
        return sequence;
      } catch (error) {
        this.#last.delete(subject);
        if (!isContested(error)) throw error;
      }
      last = await this.lastOn(place.stream, subject);
      if (last?.messageId === messageId) {
        // Our own first copy, whose acknowledgement was lost: newer servers check the sequence
        // before they look for duplicates.
        this.#last.set(subject, last);
        return last.sequence;
      }
    }
    throw externalError('ERR_LOG_UNAVAILABLE', `Others kept writing: no turn to ${what}.`);
  }
}

function isContested(error: unknown): boolean {
  const code = apiErrorCodeOf(error);
  return code === ApiErrorCode.wrongLastSequence || code === ApiErrorCode.wrongLastSequenceUnknown;
}

function lastFrom(message: StoredMsg): LastWritten {
  const text = message.header.get(FENCE_HEADER);
  const position = positionFrom(text);
  if (position === undefined) {
    throw new LapseError(
      'ERR_ENVELOPE_CORRUPT',
      `${FENCE_HEADER} of message ${message.seq} on '${message.subject}' must be three whole ` +
        `numbers, got ${JSON.stringify(text)}: something else than Lapse wrote it.`,
    );
  }
  return {
    sequence: message.seq,
    position,
    messageId: message.header.get(MESSAGE_ID_HEADER),
  };
}

function tooLargeError(topic: string, bytes: number, payloadBytesMax: number): LapseError {
  return userError(
    'ERR_LOG_TOO_LARGE',
    `An envelope must fit a NATS message of ${payloadBytesMax} bytes (max_payload), one of ` +
      `'${topic}' has ${bytes} bytes.`,
    { topic, bytes, payloadBytesMax },
  );
}
