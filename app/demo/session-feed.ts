/** Plays shop sessions in real time, event by event, into the HTTP door of a running Lapse. */
import { Agent, request } from 'undici';
import { messageOf } from '../../engine/errors/errors.ts';
import type { Clock } from '../../engine/time/clock.ts';
import { DemoRandom } from './demo-random.ts';
import { type ShopEvent, shopSession } from './shop-sessions.ts';
import { SHOPPERS_MAX, type Shopper, shopperOf } from './shoppers.ts';

export interface SessionFeedOptions {
  /** Of the running Lapse. */
  readonly url: string;
  readonly clock: Clock;
  /** Equal seeds visit alike. */
  readonly seed: number;
  /** Tells the carts, orders and events of this run from those of others in the same data. */
  readonly run: string;
  /** @default 2.5 */
  readonly sessionsPerSecond?: number;
  /** Called just before an event leaves. */
  readonly onEvent: (event: ShopEvent, atMs: number) => void;
  /** An event was not taken; a sentence. */
  readonly onTrouble: (sentence: string) => void;
}

const SESSIONS_PER_SECOND = 2.5;
/** Visitors who are there when the shop opens, so that something is to be seen at once. */
const SESSIONS_AT_START = 6;
const CONNECTIONS = 4;

export class SessionFeed {
  readonly #options: SessionFeedOptions;
  readonly #random: DemoRandom;
  readonly #shoppers: readonly Shopper[];
  readonly #agent = new Agent({ connections: CONNECTIONS });
  /** Cancels what is still to come. */
  readonly #planned = new Set<() => void>();
  readonly #inFlight = new Set<Promise<void>>();
  #sessions = 0;
  #sent = 0;

  constructor(options: SessionFeedOptions) {
    this.#options = options;
    this.#random = new DemoRandom(options.seed);
    const indexes = Array.from({ length: SHOPPERS_MAX }, (_, index) => index);
    this.#shoppers = indexes.map((index) => shopperOf(index, this.#random));
  }

  start(): void {
    for (let i = 0; i < SESSIONS_AT_START; i++) this.#startSession();
    this.#planNext();
  }

  /** Nobody comes any more, and who is there leaves; resolves when the last answer is in. */
  async stop(): Promise<void> {
    for (const cancel of this.#planned) cancel();
    this.#planned.clear();
    await Promise.all(this.#inFlight);
    await this.#agent.close();
  }

  #planNext(): void {
    const { sessionsPerSecond = SESSIONS_PER_SECOND } = this.#options;
    this.#plan(this.#random.waitMs(sessionsPerSecond), () => {
      this.#startSession();
      this.#planNext();
    });
  }

  #startSession(): void {
    const shopper = this.#random.pick(this.#shoppers);
    const number = `${this.#options.run}-${++this.#sessions}`;
    for (const { afterMs, event } of shopSession(shopper, number, this.#random)) {
      this.#plan(afterMs, () => this.#send(shopper, event));
    }
  }

  #plan(waitMs: number, act: () => void): void {
    const { clock } = this.#options;
    const cancel = clock.at(clock.now() + waitMs, () => {
      this.#planned.delete(cancel);
      act();
    });
    this.#planned.add(cancel);
  }

  #send(shopper: Shopper, event: ShopEvent): void {
    const sending = this.#post(shopper, event).finally(() => this.#inFlight.delete(sending));
    this.#inFlight.add(sending);
  }

  async #post(shopper: Shopper, event: ShopEvent): Promise<void> {
    const { url, clock, run, onEvent, onTrouble } = this.#options;
    const atMs = clock.now();
    const body = JSON.stringify({
      ...event,
      userId: shopper.userId,
      messageId: `${run}-${++this.#sent}`,
      timestamp: new Date(atMs).toISOString(),
    });
    onEvent(event, atMs);
    try {
      const answer = await request(`${url}/v1/${event.type}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        dispatcher: this.#agent,
      });
      const text = await answer.body.text();
      if (answer.statusCode !== 200)
        onTrouble(`An event was answered ${answer.statusCode}: ${text}`);
    } catch (error) {
      onTrouble(`An event could not be sent: ${messageOf(error)}`);
    }
  }
}
