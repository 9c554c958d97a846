/** One partition that is fed envelopes from memory: no log, no thread, no clock. */
import { createHash } from 'node:crypto';
import { EnvelopeWriter } from '../../engine/envelope/envelope-writer.ts';
import { type IncomingEvent, RecordKind } from '../../engine/envelope/records.ts';
import { Partition } from '../../engine/partition/partition.ts';
import { campaignCounters } from '../../operators/campaign-counters.ts';
import { campaignPipeline } from '../../operators/campaign-pipeline.ts';

export const START_MS = Date.parse('2026-01-05T09:00:00Z');
const US = 1_000;

export class DrivenPartition {
  readonly counters = campaignCounters();
  outputs = 0;
  readonly #hash = createHash('sha256');
  readonly #partition: Partition;
  #offset = 0;

  constructor() {
    this.#partition = new Partition({
      partitionCount: 1,
      createPipeline: campaignPipeline({ counters: this.counters }),
      onOutput: (topic, output) => this.#took(topic, output),
    });
  }

  /** Of the outputs so far. */
  hash(): string {
    return this.#hash.copy().digest('hex').slice(0, 16);
  }

  take(envelopes: readonly Uint8Array[]): void {
    for (const bytes of envelopes) {
      this.#partition.begin({ offset: ++this.#offset, storedAtMs: 0, bytes });
      while (!this.#partition.run(() => false));
    }
  }

  /** @returns processor time, ns */
  timed(envelopes: readonly Uint8Array[]): number {
    return cpuNs(() => this.take(envelopes));
  }

  #took(topic: string, output: unknown): void {
    this.outputs++;
    const { id } = output as { id?: string };
    this.#hash.update(`${topic} ${id ?? ''}\n`);
  }
}

/** Processor time of the process, so that others on the machine count little. */
export function cpuNs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) * US;
}

/** Gathers records into full envelopes. */
export class Envelopes {
  readonly #writer = new EnvelopeWriter();
  #sealed: Uint8Array[] = [];
  #messages = 0;

  event(userId: string, name: string, atMs: number, properties: IncomingEvent['properties']): void {
    this.#add(RecordKind.track, userId, name, atMs, properties);
  }

  identify(userId: string, traits: IncomingEvent['properties'], atMs: number): void {
    this.#add(RecordKind.identify, userId, '', atMs, traits);
  }

  json(kind: RecordKind, value: unknown, atMs: number): void {
    this.#writer.addJson(kind, value, atMs);
    if (this.#writer.isFull) this.seal();
  }

  tick(atMs: number): void {
    this.#writer.addTick(atMs);
    this.seal();
  }

  /** What comes next is in an envelope of its own. */
  seal(): void {
    if (this.#writer.count > 0) this.#sealed.push(this.#writer.finish());
  }

  taken(): Uint8Array[] {
    this.seal();
    return this.#sealed.splice(0);
  }

  #add(
    kind: RecordKind,
    userId: string,
    name: string,
    atMs: number,
    properties: IncomingEvent['properties'],
  ): void {
    const messageId = `m${this.#messages++}`;
    const event = { kind, userId, isAnonymous: false, name, eventAtMs: atMs, flags: 0 };
    this.#writer.addEvent({ ...event, messageId, properties }, atMs);
    if (this.#writer.isFull) this.seal();
  }
}
