import type { NatsConnection } from '@nats-io/transport-node';
import type { StreamPosition } from '../../connectors/doors/nats/source-position.ts';
import type { Life, Scheduler } from './scheduler.ts';
import { type NatsNetwork, SimulatedConnection } from './simulated-connection.ts';
import { SimulatedJetStream } from './simulated-jetstream.ts';
import type { LogFaults } from './simulated-log.ts';

const STREAM = 'LAPSE_EVENTS';
const SUBJECT = 'events.app';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The NATS server that producers publish to, and that keeps events while Lapse is down or slow. */
export class EventServer implements NatsNetwork {
  readonly scheduler: Scheduler;
  readonly faults: LogFaults;
  readonly server: SimulatedJetStream;
  readonly #connections = new Set<SimulatedConnection>();

  constructor(scheduler: Scheduler, faults: LogFaults) {
    this.scheduler = scheduler;
    this.faults = faults;
    this.server = new SimulatedJetStream(scheduler, () => undefined);
  }

  get isAway(): boolean {
    return this.scheduler.nowMs < this.faults.awayUntilMs;
  }

  get lastSequence(): number {
    return this.server.lastOf(STREAM);
  }

  /** Which stream of its name there is; undefined before the first. */
  get created(): string | undefined {
    return this.server.createdOf(STREAM);
  }

  /**
   * The stream is deleted and made anew. What was not read of it would be lost, so only one that
   * was read whole is.
   * @returns whether it was
   */
  makeAnew(read: StreamPosition | undefined): boolean {
    const isRead = read?.created === this.created && read?.sequence === this.lastSequence;
    const isOlder = Date.parse(this.created ?? '') < Math.floor(this.scheduler.nowMs);
    if (!isRead || !isOlder || this.lastSequence === 0) return false;
    this.server.makeAnew(STREAM);
    return true;
  }

  connect(life: Life): NatsConnection {
    const connection = new SimulatedConnection(this, life);
    this.#connections.add(connection);
    life.onEnd.push(() => {
      connection.die();
      this.#connections.delete(connection);
    });
    return connection as unknown as NatsConnection;
  }

  away(ms: number): void {
    this.faults.awayUntilMs = this.scheduler.nowMs + ms;
    const { prng } = this.scheduler;
    if (prng.chance(0.5)) this.server.loseConsumers();
    if (!prng.chance(0.5)) return;
    for (const connection of this.#connections) connection.disconnect(ms);
  }

  /**
   * A producer publishes.
   * @returns when the stream stored it, Unix ms; undefined when it did not
   */
  publish(payload: unknown): number | undefined {
    if (this.isAway) return undefined;
    const answer = this.server.request(SUBJECT, encoder.encode(JSON.stringify(payload)), undefined);
    // Nobody has made the stream yet.
    if ('error' in (JSON.parse(decoder.decode(answer)) as object)) return undefined;
    return Math.floor(this.scheduler.nowMs);
  }
}
