import type { MsgHdrs, Status } from '@nats-io/transport-node';
import type { Life, Scheduler } from './scheduler.ts';
import type { Delivered, SimulatedJetStream } from './simulated-jetstream.ts';
import type { LogFaults } from './simulated-log.ts';

/** What a connection goes to: a server and the way to it. */
export interface NatsNetwork {
  readonly scheduler: Scheduler;
  readonly faults: LogFaults;
  readonly server: SimulatedJetStream;
  /** Nothing arrives now. */
  readonly isAway: boolean;
}

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);
const PAYLOAD_BYTES_MAX = 1024 * 1024;
/** Share of deliveries to consumers that a connection loses, when it loses anything. */
const LOST_DELIVERIES = 0.05;
/** Share of messages that come twice then. */
const DOUBLED = 0.1;

interface Subscription {
  readonly pattern: string;
  readonly callback: (error: Error | null, message: Delivered) => void;
}

interface UnderWay {
  readonly arrive: () => void;
}

/** As much of the client's connection as the log uses. Requests arrive in the order of sending. */
export class SimulatedConnection {
  readonly info = { version: '2.11.0', max_payload: PAYLOAD_BYTES_MAX, jetstream: true };
  readonly options = {};
  readonly features = { get: () => ({ ok: true, min: '2.10.0' }) };
  readonly #home: NatsNetwork;
  readonly #life: Life;
  readonly #subscriptions = new Set<Subscription>();
  readonly #underWay = new Set<UnderWay>();
  readonly #statuses: Status[] = [];
  #onStatus: ((result: IteratorResult<Status>) => void) | undefined;
  #arrivalMs = 0;
  #deliveryMs = 0;
  #isClosed = false;
  #isConnected = true;

  constructor(home: NatsNetwork, life: Life) {
    this.#home = home;
    this.#life = life;
  }

  request(
    subject: string,
    payload: Uint8Array | string = NOTHING,
    { timeout, headers }: { timeout?: number; headers?: MsgHdrs } = {},
  ): Promise<Delivered> {
    const data = bytesOf(payload);
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(new Error('the connection is closed'));
      this.#home.scheduler.after(timeout ?? 5_000, this.#life, () => reject(new Error('timeout')));
      this.#ask(subject, data, headers, (answer) =>
        resolve({ subject: '', reply: '', data: answer, headers: undefined }),
      );
    });
  }

  publish(
    subject: string,
    payload: Uint8Array | string,
    { reply = '', headers }: { reply?: string; headers?: MsgHdrs } = {},
  ): void {
    const data = bytesOf(payload);
    if (!subject.startsWith('$JS.')) {
      this.#ask(subject, data, headers, (answer) =>
        this.#hand(reply, { subject: reply, reply: '', data: answer, headers: undefined }),
      );
      return;
    }
    const { prng } = this.#home.scheduler;
    const isLost = prng.chance(this.#home.faults.lostRequests);
    this.#send(() => {
      if (isLost || this.#home.isAway) return;
      this.#home.server.pull(subject, data, reply, this.#deliver);
    });
  }

  /** Asks the server; either way may be lost, and a message may come twice. */
  #ask(
    subject: string,
    data: Uint8Array,
    headers: MsgHdrs | undefined,
    answered: (answer: Uint8Array) => void,
  ): void {
    const { scheduler, faults, server } = this.#home;
    const { prng, coverage } = scheduler;
    const isLost = prng.chance(faults.lostRequests);
    const isAnswerLost = prng.chance(faults.lostAnswers);
    this.#send(() => {
      if (isLost || this.#home.isAway) {
        coverage.met('request to the log lost');
        return;
      }
      const answer = server.request(subject, data, headers);
      const isPublish = !subject.startsWith('$JS.');
      if (isPublish && faults.lostAnswers > 0 && prng.chance(DOUBLED)) {
        coverage.met('JetStream: publish doubled');
        server.request(subject, data, headers);
      }
      if (isAnswerLost) {
        coverage.met('answer of the log lost');
        return;
      }
      scheduler.after(scheduler.delayMs(0.02, faults.slowMs), this.#life, () => {
        if (this.#isConnected && !this.#isClosed) answered(answer);
      });
    });
  }

  subscribe(pattern: string, { callback }: { callback: Subscription['callback'] }) {
    const subscription = { pattern, callback };
    this.#subscriptions.add(subscription);
    return { unsubscribe: () => this.#subscriptions.delete(subscription) };
  }

  status(): AsyncIterable<Status> {
    const next = () =>
      new Promise<IteratorResult<Status>>((resolve) => {
        const value = this.#statuses.shift();
        if (value === undefined) this.#onStatus = resolve;
        else resolve({ value });
      });
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  getServer(): string {
    return 'simulated';
  }

  isClosed(): boolean {
    return this.#isClosed;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#home.server.forget(this.#deliver);
    return Promise.resolve();
  }

  /** The line is cut for a while; what was under way on it is gone. */
  disconnect(ms: number): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#underWay.clear();
    this.#home.server.forget(this.#deliver);
    const { scheduler } = this.#home;
    scheduler.after(0, this.#life, () => this.#tell({ type: 'disconnect', server: '' }));
    scheduler.after(ms, this.#life, () => {
      this.#isConnected = true;
      this.#tell({ type: 'reconnect', server: '' });
    });
  }

  /** Its process has died: of what it sent last, the server gets a part, from the front. */
  die(): void {
    const { prng } = this.#home.scheduler;
    const sent = [...this.#underWay];
    for (const { arrive } of sent.slice(0, prng.below(sent.length + 1))) arrive();
    this.#underWay.clear();
    this.#isClosed = true;
    this.#home.server.forget(this.#deliver);
  }

  #hand(inbox: string, message: Delivered): void {
    for (const { pattern, callback } of [...this.#subscriptions]) {
      if (inbox.startsWith(pattern.slice(0, -1))) callback(null, message);
    }
  }

  #tell(status: Status): void {
    const take = this.#onStatus;
    this.#onStatus = undefined;
    if (take === undefined) this.#statuses.push(status);
    else take({ value: status });
  }

  #send(arrive: () => void): void {
    if (!this.#isConnected || this.#isClosed) return;
    const { scheduler, faults } = this.#home;
    this.#arrivalMs = Math.max(
      this.#arrivalMs,
      scheduler.nowMs + scheduler.delayMs(0.02, faults.slowMs),
    );
    const underWay = { arrive };
    this.#underWay.add(underWay);
    scheduler.at(this.#arrivalMs, undefined, () => {
      if (this.#underWay.delete(underWay)) arrive();
    });
  }

  /** From the server to a subscription, in order; a lost one leaves a gap. */
  readonly #deliver = (inbox: string, message: Delivered): void => {
    const { scheduler, faults } = this.#home;
    const losesAny = faults.lostAnswers > 0;
    if (losesAny && scheduler.prng.chance(LOST_DELIVERIES)) {
      scheduler.coverage.met('JetStream: delivery lost');
      return;
    }
    this.#deliveryMs = Math.max(
      this.#deliveryMs,
      scheduler.nowMs + scheduler.delayMs(0.02, faults.slowMs),
    );
    const isDoubled = losesAny && scheduler.prng.chance(DOUBLED);
    if (isDoubled) scheduler.coverage.met('JetStream: delivery doubled');
    // JetStream's messages keep their subject and come to the inbox of their pull.
    const arrive = () => {
      if (this.#isConnected && !this.#isClosed) this.#hand(inbox, message);
    };
    for (let times = isDoubled ? 2 : 1; times > 0; times--) {
      scheduler.at(this.#deliveryMs, this.#life, arrive);
    }
  };
}

function bytesOf(payload: Uint8Array | string): Uint8Array {
  return typeof payload === 'string' ? encoder.encode(payload) : new Uint8Array(payload);
}
