/**
 * The life of one ephemeral consumer: asks the server for batches, checks that none of what it
 * delivers is missing, and notices when the server has gone quiet. It ends with the first doubt;
 * its owner then starts another one behind what it has.
 *
 * Spoken by hand, not through the client's `consume()`: messages come by a call in the turn of
 * their socket, without a queue, an iterator and an object for each of them, and nothing comes
 * that was not asked for.
 */
import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  type JetStreamManager,
} from '@nats-io/jetstream';
import {
  createInbox,
  type Msg,
  type NatsConnection,
  type Subscription,
} from '@nats-io/transport-node';
import { externalError } from '../../engine/errors/errors.ts';
import { type Clock, systemClock } from '../../engine/time/clock.ts';
import { DeliveryCursor } from './delivery-cursor.ts';

export const BATCH_MESSAGES = 2_000;
const EXPIRES_MS = 30_000;
const HEARTBEAT_MS = 3_000;
/** Two heartbeats missed and some. */
const SILENCE_MS_MAX = 8_000;
/** What was given so long ago, while nothing at all came, is lost on the way. */
const LOST_AFTER_MS = 2_000;
/** A consumer whose reader is busy elsewhere asks for nothing; it is kept this long. */
const INACTIVE_MS_MAX = 300_000;
const NS_PER_MS = 1e6;
/** Says with the end of a batch how many of its messages have not come. */
const LEFT_HEADER = 'Nats-Pending-Messages';
/** Of a heartbeat: consumer sequence of the last message that was given. */
const GIVEN_HEADER = 'Nats-Last-Consumer';

export interface PullSessionOptions {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly stream: string;
  readonly filter: string;
  /** The first message: by its sequence, or the first one stored at or after an instant, Unix ms. */
  readonly start: { readonly sequence: number } | { readonly storedAtMs: number };
  /** Bytes of one batch; at least the largest message, or that one would never come. */
  readonly batchBytesMax: number;
  /**
   * The next batch may be asked for when no more than this is to come, so that it is there in time.
   * At most this and a batch of 2,000 are on their way.
   * @default 0
   */
  readonly lowMessages?: number;
  /** Called in the order of the stream, in the turn of the socket. Must not throw. */
  readonly onMessage: (message: Msg, at: DeliveryCursor) => void;
  /** It is time to `pull()`, when there is room; called after the messages. */
  readonly onLow: () => void;
  /** The session is of no more use; called once. */
  readonly onBroken: (reason: string) => void;
  /** Shown in the server's list of consumers. @default the server makes one up */
  readonly consumer?: string;
  readonly clock?: Clock;
}

export class PullSession {
  readonly #options: PullSessionOptions;
  readonly #clock: Clock;
  readonly #inbox = createInbox();
  readonly #subscription: Subscription;
  #consumer: string | undefined;
  #batch = 0;
  /** Messages asked for and not come yet, of all batches. */
  #expected = 0;
  readonly #lowMessages: number;
  readonly #cursor = new DeliveryCursor();
  #consumerSequence = 0;
  #heardAtMs = 0;
  /** The last message when the watch looked: reading the clock for each costs too much. */
  #watchedSequence = 0;
  /** What the server had given, by its own count, and what had come by then. */
  #awaited = { given: 0, taken: 0, sinceMs: 0 };
  #cancelWatch: (() => void) | undefined;
  #isEnded = false;

  constructor(options: PullSessionOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#lowMessages = options.lowMessages ?? 0;
    this.#subscription = options.connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error !== null) this.break(error.message);
        else this.#onMessage(message);
      },
    });
  }

  /** Makes the consumer. @throws what the server or the connection answers */
  async open(): Promise<void> {
    const { manager, stream, filter, start, consumer } = this.#options;
    const config: Partial<ConsumerConfig> = {
      ...(consumer === undefined ? {} : { name: consumer }),
      ack_policy: AckPolicy.None,
      filter_subject: filter,
      inactive_threshold: INACTIVE_MS_MAX * NS_PER_MS,
      mem_storage: true,
      num_replicas: 1,
      ...('sequence' in start
        ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: start.sequence }
        : {
            deliver_policy: DeliverPolicy.StartTime,
            opt_start_time: new Date(start.storedAtMs).toISOString(),
          }),
    };
    const { name } = await manager.consumers.add(stream, config);
    this.#consumer = name;
    if (this.#isEnded) this.#forget();
  }

  /** Asks for one more batch, unless enough is to come. */
  pull(): void {
    if (this.#expected > this.#lowMessages || this.#isEnded || this.#consumer === undefined) return;
    const { connection, stream, batchBytesMax } = this.#options;
    this.#batch++;
    // One that waited for its owner has not been quiet.
    if (this.#expected === 0) this.#heardAtMs = this.#clock.now();
    this.#expected += BATCH_MESSAGES;
    if (this.#cancelWatch === undefined) this.#watch();
    connection.publish(
      `$JS.API.CONSUMER.MSG.NEXT.${stream}.${this.#consumer}`,
      JSON.stringify({
        batch: BATCH_MESSAGES,
        max_bytes: batchBytesMax,
        expires: EXPIRES_MS * NS_PER_MS,
        idle_heartbeat: HEARTBEAT_MS * NS_PER_MS,
      }),
      { reply: `${this.#inbox}.${this.#batch}` },
    );
  }

  /**
   * Consumer sequence of the last message once it has given all that stands in the stream now.
   * @throws what the server or the connection answers
   */
  async reach(): Promise<number> {
    const { manager, stream } = this.#options;
    if (this.#consumer === undefined || this.#isEnded) {
      throw externalError('ERR_NATS_CONSUMER', `There is no consumer of '${stream}'.`);
    }
    const info = await manager.consumers.info(stream, this.#consumer);
    this.#noticeLoss(info.delivered.consumer_seq);
    return info.delivered.consumer_seq + info.num_pending;
  }

  /**
   * A delivery that is lost shows when the next one comes. When it was the last one, nothing comes,
   * and only the server's count tells.
   */
  #noticeLoss(givenSequence: number): void {
    const nowMs = this.#clock.now();
    const taken = this.#consumerSequence;
    if (taken !== this.#awaited.taken || taken >= this.#awaited.given) {
      this.#awaited = { given: givenSequence, taken, sinceMs: nowMs };
    } else if (nowMs - this.#awaited.sinceMs >= LOST_AFTER_MS) {
      this.break(`delivery ${this.#awaited.given} did not come`);
    }
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#cancelWatch?.();
    this.#subscription.unsubscribe();
    this.#forget();
  }

  /** The server forgets an unused consumer by itself; this only spares it the wait. */
  #forget(): void {
    if (this.#consumer === undefined || this.#options.connection.isClosed()) return;
    this.#options.manager.consumers
      .delete(this.#options.stream, this.#consumer)
      .catch(() => undefined);
  }

  /** Ends it and says why. */
  break(reason: string): void {
    if (this.#isEnded) return;
    this.end();
    this.#options.onBroken(reason);
  }

  #watch(): void {
    this.#cancelWatch = this.#clock.at(this.#heardAtMs + SILENCE_MS_MAX, () => {
      this.#cancelWatch = undefined;
      if (this.#expected === 0) return;
      const nowMs = this.#clock.now();
      if (this.#watchedSequence !== this.#consumerSequence) {
        this.#watchedSequence = this.#consumerSequence;
        this.#heardAtMs = nowMs;
      }
      if (nowMs - this.#heardAtMs < SILENCE_MS_MAX) this.#watch();
      else this.break('no heartbeat came');
    });
  }

  #onMessage(message: Msg): void {
    // What was delivered before the end may still stand in the turn's bytes.
    if (this.#isEnded) return;
    const cursor = this.#cursor;
    // Only what comes from the stream has a reply subject. Texts are decoded when asked for.
    const { reply } = message;
    if (reply === undefined || reply === '' || !cursor.read(reply)) {
      this.#onStatus(message);
      return;
    }
    if (cursor.consumerSequence !== this.#consumerSequence + 1) {
      this.break(`delivery ${cursor.consumerSequence} came after ${this.#consumerSequence}`);
      return;
    }
    this.#consumerSequence = cursor.consumerSequence;
    this.#expected--;
    this.#options.onMessage(message, cursor);
    if (this.#expected === this.#lowMessages) this.#options.onLow();
  }

  #onStatus(message: Msg): void {
    this.#heardAtMs = this.#clock.now();
    const { headers } = message;
    const code = headers?.code ?? 0;
    if (code === 100) {
      this.#noticeLoss(Number(headers?.get(GIVEN_HEADER) || 0));
      return;
    }
    const text = headers?.description ?? '';
    if (code === 503 || /consumer deleted|leadership change|server shutdown/i.test(text)) {
      this.break(`${code} ${text}`);
      return;
    }
    // Several batches may be open, and servers take turns between them: what ends is counted.
    const left = headers?.get(LEFT_HEADER) ?? '';
    if (left !== '') this.#expected = Math.max(0, this.#expected - Number(left));
    else if (message.subject === `${this.#inbox}.${this.#batch}`) this.#expected = 0;
    if (this.#expected <= this.#lowMessages) this.#options.onLow();
  }
}
