import type { MsgHdrs, NatsConnection, Status } from '@nats-io/transport-node';
import { FENCE_HEADER, positionFrom } from '../../connectors/logs/jetstream/fence-header.ts';
import { openJetStreamLog } from '../../connectors/logs/jetstream/jetstream-log.ts';
import type { Fence, Log } from '../../engine/log.ts';
import type { Archive } from './archive.ts';
import type { Life, Scheduler } from './scheduler.ts';
import type { Connecting, SimulatedHome } from './simulated-home.ts';
import { type Delivered, SimulatedJetStream, type StreamMessage } from './simulated-jetstream.ts';
import type { LogFaults } from './simulated-log.ts';

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);
const PAYLOAD_BYTES_MAX = 1024 * 1024;
/** Share of deliveries to consumers that a connection loses, when it loses anything. */
const LOST_DELIVERIES = 0.02;

/** The log on JetStream: its real client over a simulated connection to a simulated server. */
export class JetStreamHome implements SimulatedHome {
  readonly name = 'jetstream';
  readonly scheduler: Scheduler;
  readonly faults: LogFaults;
  readonly server: SimulatedJetStream;
  readonly #connections = new Set<SimulatedConnection>();

  constructor(scheduler: Scheduler, faults: LogFaults, archive: Archive) {
    this.scheduler = scheduler;
    this.faults = faults;
    this.server = new SimulatedJetStream(scheduler, (message) => {
      const { steps: step, nowMs: atMs } = scheduler;
      const topic = topicOf(message.subject);
      if (topic === undefined) return;
      const fence = fenceOf(message);
      archive.add(topic, { offset: message.seq, bytes: message.data, fence, step, atMs });
    });
  }

  connect({ life, partitionCount, clock }: Connecting): Promise<Log> {
    const connection = new SimulatedConnection(this, life);
    this.#connections.add(connection);
    life.onEnd.push(() => {
      connection.die();
      this.#connections.delete(connection);
    });
    const nats = connection as unknown as NatsConnection;
    return openJetStreamLog(nats, { partitionCount }, clock);
  }

  away(ms: number): void {
    const { prng } = this.scheduler;
    this.faults.awayUntilMs = this.scheduler.nowMs + ms;
    if (prng.chance(0.4)) this.server.loseConsumers();
    if (!prng.chance(0.4)) return;
    for (const connection of this.#connections) connection.disconnect(ms);
  }

  get isAway(): boolean {
    return this.scheduler.nowMs < this.faults.awayUntilMs;
  }
}

/** `lapse.in.7.r` is of `in.7`; what the log notes about itself is of no topic. */
function topicOf(subject: string): string | undefined {
  const [, kind, name] = subject.split('.');
  if (kind === undefined || kind === 'meta') return undefined;
  return name === '=' ? kind : `${kind}.${name}`;
}

function fenceOf({ subject, headers }: StreamMessage): Fence | undefined {
  const position = headers?.get(FENCE_HEADER) ?? '';
  const writer = Number(subject.slice(subject.lastIndexOf('.') + 1));
  if (position === '' || Number.isNaN(writer)) return undefined;
  return { writer, position: positionFrom(position)! };
}

interface Subscription {
  readonly pattern: string;
  readonly callback: (error: Error | null, message: Delivered) => void;
}

interface UnderWay {
  readonly arrive: () => void;
}

/** As much of the client's connection as the log uses. Requests arrive in the order of sending. */
class SimulatedConnection {
  readonly info = { version: '2.11.0', max_payload: PAYLOAD_BYTES_MAX, jetstream: true };
  readonly options = {};
  readonly features = { get: () => ({ ok: true, min: '2.10.0' }) };
  readonly #home: JetStreamHome;
  readonly #life: Life;
  readonly #subscriptions = new Set<Subscription>();
  readonly #underWay = new Set<UnderWay>();
  readonly #statuses: Status[] = [];
  #onStatus: ((result: IteratorResult<Status>) => void) | undefined;
  #arrivalMs = 0;
  #deliveryMs = 0;
  #isClosed = false;
  #isConnected = true;

  constructor(home: JetStreamHome, life: Life) {
    this.#home = home;
    this.#life = life;
  }

  request(
    subject: string,
    payload: Uint8Array | string = NOTHING,
    { timeout, headers }: { timeout?: number; headers?: MsgHdrs } = {},
  ): Promise<Delivered> {
    const { scheduler, faults, server } = this.#home;
    const { prng } = scheduler;
    const data = typeof payload === 'string' ? encoder.encode(payload) : new Uint8Array(payload);
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(new Error('the connection is closed'));
      scheduler.after(timeout ?? 5_000, this.#life, () => reject(new Error('timeout')));
      const isLost = prng.chance(faults.lostRequests);
      const isAnswerLost = prng.chance(faults.lostAnswers);
      this.#send(() => {
        if (isLost || this.#home.isAway) return;
        const answer = server.request(subject, data, headers);
        if (isAnswerLost) return;
        scheduler.after(scheduler.delayMs(0.02, faults.slowMs), this.#life, () => {
          if (!this.#isConnected || this.#isClosed) return;
          resolve({ subject: '', reply: '', data: answer, headers: undefined });
        });
      });
    });
  }

  publish(subject: string, payload: string, { reply = '' }: { reply?: string } = {}): void {
    const data = encoder.encode(payload);
    const { prng } = this.#home.scheduler;
    const isLost = prng.chance(this.#home.faults.lostRequests);
    this.#send(() => {
      if (isLost || this.#home.isAway) return;
      this.#home.server.pull(subject, data, reply, this.#deliver);
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
    if (losesAny && scheduler.prng.chance(LOST_DELIVERIES)) return;
    this.#deliveryMs = Math.max(
      this.#deliveryMs,
      scheduler.nowMs + scheduler.delayMs(0.02, faults.slowMs),
    );
    // JetStream's messages keep their subject and come to the inbox of their pull.
    scheduler.at(this.#deliveryMs, this.#life, () => {
      if (!this.#isConnected || this.#isClosed) return;
      for (const { pattern, callback } of [...this.#subscriptions]) {
        if (inbox.startsWith(pattern.slice(0, -1))) callback(null, message);
      }
    });
  };
}
