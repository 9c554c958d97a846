/** Seeded events and the producers that bring them in, which try again until they are taken. */
import { jetstream } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Prng } from './prng.ts';
import { until } from './until.ts';

/** An event as producers make it; `skewMs` places its timestamp from the moment of sending. */
export interface PlannedEvent {
  readonly type: 'track' | 'identify' | 'alias';
  readonly user: string;
  /** An id that becomes this user's: an anonymous one of an identify, a known one of an alias. */
  readonly joins?: string;
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
  /** How many there are at a time. */
  readonly users: number;
  /**
   * Ids join others (SPEC 1.2), and new users come in the course of it. Then no event is a little
   * late: what one may have missed depends on the order of its partition, and `simulate` has one
   * order for all of a joined user's (decision 0005). The simulation draws both. @default false
   */
  readonly hasJoins?: boolean;
}

const DAY_MS = 86_400_000;
const LATE_MS_MAX = 4_000;
const JOINS_SHARE = 0.06;
/** So that there is always somebody left who is not one with all the others. */
const USERS_PER_EVENT = 0.15;
const NAMES = ['Viewed', 'Added To Cart', 'Added To Cart', 'Charged', 'Cart Emptied', 'Searched'];
const PLANS = ['free', 'pro', 'team'];

/** Shop events of few users, some out of order, some twice, some far from their time. */
export function planEvents({ seed, count, users, hasJoins = false }: FeedPlan): PlannedEvent[] {
  const prng = new Prng(seed);
  const planned: PlannedEvent[] = [];
  for (let i = 0; i < count; i++) {
    if (planned.length > 0 && prng.chance(0.04)) {
      // A producer that was not sure sends again, perhaps much later.
      planned.push(planned[Math.max(0, planned.length - 1 - prng.below(60))]!);
    } else if (hasJoins) planned.push(planJoining(prng, `${seed}-${i}`, { i, users }));
    else planned.push(planEvent(prng, `${seed}-${i}`, prng.below(users)));
  }
  return planned;
}

/** Of those who are there at the `i`-th event: one in three is anonymous. */
function planJoining(
  prng: Prng,
  messageId: string,
  { i, users }: { readonly i: number; readonly users: number },
): PlannedEvent {
  const oldest = Math.floor((i * USERS_PER_EVENT) / 3) * 3;
  const number = oldest + prng.below(users);
  if (!prng.chance(JOINS_SHARE)) {
    const event = planEvent(prng, messageId, number, number % 3 === 2);
    const { skewMs = 0, ...inTime } = event;
    return Math.abs(skewMs) <= LATE_MS_MAX ? inTime : event;
  }
  const other = number - (number % 3);
  const facts = { id: messageId, email: `user-${number}@example.com` };
  const event = { isAnonymous: false, name: '', messageId };
  if (other > 0 && prng.chance(0.3)) {
    // Towards the older ones only: no two ever become each other's.
    const user = `user-${other - 3 * (1 + prng.below(Math.min(other, users) / 3))}`;
    return { ...event, type: 'alias', user, joins: `user-${other}`, facts: {} };
  }
  const known = oldest + prng.below(users);
  const user = `user-${known - (known % 3) + (known % 3 === 1 ? 1 : 0)}`;
  return { ...event, type: 'identify', user, joins: `user-${other + 2}`, facts };
}

function planEvent(
  prng: Prng,
  messageId: string,
  number: number,
  isAnonymous = number % 10 === 9,
): PlannedEvent {
  const who = { user: `user-${number}`, isAnonymous, messageId };
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
  return prng.chance(0.5) ? -prng.below(LATE_MS_MAX) : -prng.below(300);
}

/** The event as it goes over the wire, once and for all: a second try sends the same. */
export function wireEvent(event: PlannedEvent, nowMs: number): Record<string, unknown> {
  const { type, user, isAnonymous, joins, name, messageId, facts, skewMs } = event;
  return {
    type,
    ...(isAnonymous ? { anonymousId: user } : { userId: user }),
    ...(type === 'track' ? { event: name, properties: facts } : {}),
    ...(type === 'identify'
      ? { traits: facts, ...(joins === undefined ? {} : { anonymousId: joins }) }
      : {}),
    ...(type === 'alias' ? { previousId: joins } : {}),
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
/** Longer than any outage of a test. */
const PATIENCE_MS = 240_000;
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
  /** Ids whose joining has been acknowledged. */
  readonly joined = new Set<string>();
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
          this.#take(lot);
          return true;
        } catch (error) {
          if (error instanceof TypeError && error.message.startsWith('events were refused')) {
            this.#failure = error;
          } else this.retries++;
          return false;
        }
      },
      { timeoutMs: PATIENCE_MS, pollMs: RETRY_MS },
    );
  }

  #take(lot: readonly PlannedEvent[]): void {
    for (const { type, messageId, joins } of lot) {
      // Of an alias nothing but the join is kept.
      if (type !== 'alias') this.acknowledged.add(messageId);
      if (joins !== undefined) this.joined.add(joins);
    }
  }
}
