/** Seeded events and the producers that bring them in, which try again until they are taken. */
import { jetstream } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Prng } from './prng.ts';
import { until } from './until.ts';

/** An event as producers make it; `skewMs` places its timestamp from the moment of sending. */
export interface PlannedEvent {
  readonly type: 'track' | 'identify';
  readonly user: string;
  readonly isAnonymous: boolean;
  readonly name: string;
  readonly messageId: string;
  readonly facts: Readonly<Record<string, unknown>>;
  /** Absent: without a timestamp. */
  readonly skewMs?: number;
}

export interface FeedPlan {
  readonly seed: number;
  readonly count: number;
  readonly users: number;
}

const DAY_MS = 86_400_000;
const NAMES = ['Viewed', 'Added To Cart', 'Added To Cart', 'Charged', 'Cart Emptied', 'Searched'];
const PLANS = ['free', 'pro', 'team'];

/** Shop events of few users, some out of order, some twice, some far from their time. */
export function planEvents({ seed, count, users }: FeedPlan): PlannedEvent[] {
  const prng = new Prng(seed);
  const planned: PlannedEvent[] = [];
  for (let i = 0; i < count; i++) {
    if (planned.length > 0 && prng.chance(0.04)) {
      // A producer that was not sure sends again, perhaps much later.
      planned.push(planned[Math.max(0, planned.length - 1 - prng.below(60))]!);
    } else planned.push(planEvent(prng, `${seed}-${i}`, users));
  }
  return planned;
}

function planEvent(prng: Prng, messageId: string, users: number): PlannedEvent {
  const number = prng.below(users);
  const who = { user: `user-${number}`, isAnonymous: number % 10 === 9, messageId };
  if (prng.chance(0.08)) {
    const facts = {
      plan: prng.pick(PLANS),
      email: `${who.user}@example.com`,
      visits: prng.below(9),
    };
    return { ...who, type: 'identify', name: '', facts: { ...facts, id: messageId } };
  }
  const name = prng.pick(NAMES);
  const facts = { id: messageId, price: prng.below(100), cart: `cart-${prng.below(3)}` };
  const skewMs = skewOf(prng);
  return { ...who, type: 'track', name, facts, ...(skewMs === undefined ? {} : { skewMs }) };
}

function skewOf(prng: Prng): number | undefined {
  if (prng.chance(0.5)) return undefined;
  if (prng.chance(0.02)) return -4 * DAY_MS;
  if (prng.chance(0.02)) return 10 * 60_000;
  return prng.chance(0.5) ? -prng.below(4_000) : -prng.below(300);
}

/** The event as it goes over the wire, once and for all: a second try sends the same. */
export function wireEvent(event: PlannedEvent, nowMs: number): Record<string, unknown> {
  const { type, user, isAnonymous, name, messageId, facts, skewMs } = event;
  return {
    type,
    ...(isAnonymous ? { anonymousId: user } : { userId: user }),
    ...(type === 'track' ? { event: name, properties: facts } : { traits: facts }),
    messageId,
    ...(skewMs === undefined ? {} : { timestamp: new Date(nowMs + skewMs).toISOString() }),
  };
}

/** Takes some events to a door. @throws what keeps them from being durable; they are sent again */
export type Producer = (events: readonly Record<string, unknown>[]) => Promise<void>;

export function httpProducer(url: string): Producer {
  return async (events) => {
    const single = events.length === 1 ? events[0]! : undefined;
    const response = await fetch(`${url}/v1/${single === undefined ? 'batch' : single.type}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(single ?? { batch: events }),
      signal: AbortSignal.timeout(5_000),
    });
    const text = await response.text();
    if (response.status === 200) return;
    if (response.status < 500 && response.status !== 429) {
      throw new TypeError(`events were refused with ${response.status}: ${text}`);
    }
    throw new Error(`${response.status} ${text}`);
  };
}

/** Publishes to JetStream, by turns as an array, as NDJSON and, if it is one, as an object. */
export class NatsProducer {
  readonly #url: string;
  readonly #subject: string;
  #connection: NatsConnection | undefined;
  #sent = 0;

  constructor(url: string, subject = 'events.shop') {
    this.#url = url;
    this.#subject = subject;
  }

  readonly send: Producer = async (events) => {
    this.#connection ??= await connect({
      servers: this.#url,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
    });
    const payload =
      events.length === 1
        ? JSON.stringify(events[0])
        : this.#sent++ % 2 === 0
          ? JSON.stringify(events)
          : events.map((event) => JSON.stringify(event)).join('\n');
    await jetstream(this.#connection).publish(this.#subject, payload, { timeout: 2_000 });
  };

  async close(): Promise<void> {
    await this.#connection?.close();
  }
}

const LOT_MAX = 12;
const RETRY_MS = 40;
/** Requests under way at a time. */
const LANES = 6;

/** Brings planned events in at a steady pace; what is not acknowledged is sent again as it was. */
export class EventFeed {
  readonly #events: readonly PlannedEvent[];
  readonly #producer: Producer;
  readonly #prng: Prng;
  #next = 0;
  #isStopped = false;
  /** Message ids of events whose acknowledgement has come. */
  readonly acknowledged = new Set<string>();
  retries = 0;
  #failure: unknown;

  constructor(events: readonly PlannedEvent[], producer: Producer, seed = 1) {
    this.#events = events;
    this.#producer = producer;
    this.#prng = new Prng(seed);
  }

  get isDone(): boolean {
    return this.#next >= this.#events.length;
  }

  /** Takes no more events after the ones under way. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * @param durationMs over which the events are spread
   * @throws Error when a door refuses an event for good
   */
  async run(durationMs: number): Promise<void> {
    const startedAtMs = performance.now();
    const due = () =>
      Math.min(
        this.#events.length,
        Math.ceil(((performance.now() - startedAtMs) / durationMs) * this.#events.length),
      );
    await Promise.all(Array.from({ length: LANES }, () => this.#lane(due)));
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #lane(due: () => number): Promise<void> {
    while (!this.isDone && !this.#isStopped && this.#failure === undefined) {
      const ready = due() - this.#next;
      if (ready <= 0) {
        await until('an event is due', () => this.isDone || due() > this.#next, { pollMs: 5 });
        continue;
      }
      const lot = this.#events.slice(
        this.#next,
        this.#next + Math.min(ready, 1 + this.#prng.below(LOT_MAX)),
      );
      this.#next += lot.length;
      await this.#send(lot);
    }
  }

  async #send(lot: readonly PlannedEvent[]): Promise<void> {
    const events = lot.map((event) => wireEvent(event, Date.now()));
    await until(
      'the events are taken',
      async () => {
        if (this.#failure !== undefined) return true;
        try {
          await this.#producer(events);
          for (const { messageId } of lot) this.acknowledged.add(messageId);
          return true;
        } catch (error) {
          if (error instanceof TypeError && error.message.startsWith('events were refused')) {
            this.#failure = error;
          } else this.retries++;
          return false;
        }
      },
      { timeoutMs: 60_000, pollMs: RETRY_MS },
    );
  }
}
