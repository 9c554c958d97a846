/**
 * Publishes to streams of JetStream and waits until each message is stored. Spoken by hand: the
 * client's own `publish()` makes a timer, an error with its stack, two promises and a race of them
 * for every message, which costs three times what the message itself does.
 */
import { type ApiError, JetStreamApiError } from '@nats-io/jetstream';
import {
  createInbox,
  headers as emptyHeaders,
  type Msg,
  type NatsConnection,
  PermissionViolationError,
  type Subscription,
} from '@nats-io/transport-node';
import { type Clock, systemClock } from '../../engine/time/clock.ts';

export interface Publication {
  readonly subject: string;
  /** Not copied: not to be changed before the answer has come. */
  readonly bytes: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

export interface StreamPublisherOptions {
  readonly connection: NatsConnection;
  /** How long an answer is waited for. */
  readonly timeoutMs: number;
  readonly clock?: Clock;
}

interface Waiting {
  readonly subject: string;
  readonly givenUpAtMs: number;
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: Error) => void;
}

export class StreamPublisher {
  readonly #connection: NatsConnection;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #inbox = `${createInbox()}.`;
  readonly #subscription: Subscription;
  /** By what their inbox ends in; oldest first. */
  readonly #waiting = new Map<string, Waiting>();
  #count = 0;
  #cancelWatch: (() => void) | undefined;
  #isClosed = false;

  constructor({ connection, timeoutMs, clock = systemClock }: StreamPublisherOptions) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    this.#subscription = connection.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => {
        if (error === null) this.#onAnswer(message);
        else this.#rejectAll(error);
      },
    });
  }

  /**
   * Sends one message, once.
   * @returns its sequence in the stream
   * @throws JetStreamApiError what the server answers; another error when no answer came: it may or
   *   may not have been stored
   */
  publish({ subject, bytes, headers }: Publication): Promise<number> {
    const token = String(++this.#count);
    const stamp = emptyHeaders();
    for (const name in headers) stamp.set(name, headers[name]!);
    return new Promise((resolve, reject) => {
      const reply = this.#inbox + token;
      // Throws when the connection is closed, and with it this promise is rejected.
      this.#connection.publish(subject, bytes, { reply, headers: stamp });
      const givenUpAtMs = this.#clock.now() + this.#timeoutMs;
      this.#waiting.set(token, { subject, givenUpAtMs, resolve, reject });
      if (this.#cancelWatch === undefined) this.#watch(givenUpAtMs);
    });
  }

  /** Is told what the connection says of itself: the server has no other answer to what it refuses. */
  onError(error: Error): void {
    if (!(error instanceof PermissionViolationError) || error.operation !== 'publish') return;
    for (const [token, { subject, reject }] of this.#waiting) {
      if (subject !== error.subject) continue;
      this.#waiting.delete(token);
      reject(error);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelWatch?.();
    this.#subscription.unsubscribe();
    this.#rejectAll(new Error('the connection is closed'));
  }

  #onAnswer(message: Msg): void {
    const token = message.subject.slice(this.#inbox.length);
    const waiting = this.#waiting.get(token);
    // Given up already, or the second answer to a message that came twice.
    if (waiting === undefined) return;
    this.#waiting.delete(token);
    const answer = answerIn(message.data);
    if (typeof answer === 'number') waiting.resolve(answer);
    else waiting.reject(answer);
  }

  /** One timer for all: what was sent first is given up first. */
  #watch(atMs: number): void {
    this.#cancelWatch = this.#clock.at(atMs, () => {
      this.#cancelWatch = undefined;
      const nowMs = this.#clock.now();
      for (const [token, { givenUpAtMs, reject }] of this.#waiting) {
        if (givenUpAtMs > nowMs) {
          this.#watch(givenUpAtMs);
          return;
        }
        this.#waiting.delete(token);
        reject(new Error(`no answer came within ${this.#timeoutMs} ms`));
      }
    });
  }

  #rejectAll(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

const decoder = new TextDecoder();

/** @returns the sequence, or why there is none */
function answerIn(data: Uint8Array): number | Error {
  // Nothing stands in what says that nobody listens.
  if (data.length === 0) return new Error('no stream takes its subject just now');
  try {
    const { seq, error } = JSON.parse(decoder.decode(data)) as { seq?: number; error?: ApiError };
    if (error !== undefined) return new JetStreamApiError(error);
    if (typeof seq === 'number') return seq;
  } catch {}
  return new Error('the answer is none of JetStream');
}
