import type { NatsConnection } from '@nats-io/transport-node';
import { FENCE_HEADER, positionFrom } from '../../connectors/logs/jetstream/fence-header.ts';
import { openJetStreamLog } from '../../connectors/logs/jetstream/jetstream-log.ts';
import type { Fence, Log } from '../../engine/log/log.ts';
import type { Archive } from './archive.ts';
import type { Scheduler } from './scheduler.ts';
import { type NatsNetwork, SimulatedConnection } from './simulated-connection.ts';
import type { Connecting, SimulatedHome } from './simulated-home.ts';
import { SimulatedJetStream, type StreamMessage } from './simulated-jetstream.ts';
import type { LogFaults } from './simulated-log.ts';

/** The log on JetStream: its real client over a simulated connection to a simulated server. */
export class JetStreamHome implements SimulatedHome, NatsNetwork {
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
    const { prng, coverage } = this.scheduler;
    this.faults.awayUntilMs = this.scheduler.nowMs + ms;
    if (prng.chance(0.4)) {
      this.server.loseConsumers();
      coverage.met('JetStream: consumers lost');
    }
    if (!prng.chance(0.4)) return;
    coverage.met('JetStream: line cut');
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
