import { EnvelopeWriter } from '../../engine/envelope-writer.ts';
import { partitionOf } from '../../engine/hash.ts';
import { Partition } from '../../engine/partition/partition.ts';
import { type IncomingEvent, RecordKind } from '../../engine/records.ts';
import { type CampaignCounters, campaignCounters } from '../../operators/campaign-counters.ts';
import {
  type Control,
  campaignPipeline,
  type Qualification,
} from '../../operators/campaign-pipeline.ts';
import type { Delivery } from '../../operators/delivery/delivery.ts';

/** A qualification with the delivery that was made of it. */
export interface Qualified {
  readonly qualification: Qualification;
  readonly webhook: string;
  readonly delivery: Delivery;
}

/**
 * The partitions of a simulation, without logs and threads: one record at a time. What comes out
 * is the same for every number of partitions.
 */
export class SimulatedPartitions {
  readonly counters: CampaignCounters = campaignCounters();
  readonly #partitions: Partition[];
  readonly #writer = new EnvelopeWriter();
  #qualifications: Qualification[] = [];
  #qualified: Qualified[] = [];
  #offset = 0;

  constructor(partitionCount: number, reorderWindowMs: number) {
    this.#partitions = Array.from(
      { length: partitionCount },
      () =>
        new Partition({
          reorderWindowMs,
          createPipeline: campaignPipeline({
            counters: this.counters,
            onQualified: (qualification) => this.#qualifications.push(qualification),
          }),
          // Each qualification is handed over before its delivery.
          onOutput: (webhook, output) =>
            this.#qualified.push({
              qualification: this.#qualifications.at(-1)!,
              webhook,
              delivery: output as Delivery,
            }),
        }),
    );
  }

  get openWindows(): number {
    return this.#partitions.reduce((sum, { state }) => sum + state.windows.count, 0);
  }

  control(control: Control, atMs: number): void {
    for (const partition of this.#partitions) {
      this.#writer.addJson(RecordKind.control, control, atMs);
      this.#process(partition);
    }
  }

  /** Takes an event in and gives who qualified by it, in order. */
  event(event: IncomingEvent, receivedAtMs: number): Qualified[] {
    this.#writer.addEvent(event, receivedAtMs);
    this.#process(this.#partitions[partitionOf(event.userId, this.#partitions.length)]!);
    return this.#take();
  }

  /** When time must next be brought on, Unix ms; Infinity when no window is open. */
  nextTurnAtMs(): number {
    return this.#partitions.reduce(
      (earliest, partition) => Math.min(earliest, partition.nextTurnAtMs()),
      Infinity,
    );
  }

  /** Brings time to `atMs` where something waits for it; who qualified, by user and campaign. */
  tick(atMs: number): Qualified[] {
    for (const partition of this.#partitions) {
      if (partition.nextTurnAtMs() > atMs) continue;
      this.#writer.addTick(atMs);
      this.#process(partition);
    }
    return this.#take().sort(byUserAndCampaign);
  }

  #process(partition: Partition): void {
    partition.begin({ offset: ++this.#offset, storedAtMs: 0, bytes: this.#writer.finish() });
    partition.run(() => false);
  }

  #take(): Qualified[] {
    const qualified = this.#qualified;
    this.#qualified = [];
    this.#qualifications = [];
    return qualified;
  }
}

function byUserAndCampaign(a: Qualified, b: Qualified): number {
  return (
    a.qualification.atMs - b.qualification.atMs ||
    Buffer.compare(Buffer.from(a.qualification.userId), Buffer.from(b.qualification.userId)) ||
    Buffer.compare(Buffer.from(a.qualification.campaignId), Buffer.from(b.qualification.campaignId))
  );
}
