import { EnvelopeWriter } from '../../engine/envelope/envelope-writer.ts';
import { type DeliveryOutcome, encodeOutcomes } from '../../engine/envelope/outcomes.ts';
import { type IncomingEvent, RecordKind } from '../../engine/envelope/records.ts';
import { Identities, leaveOf } from '../../engine/intake/identities.ts';
import { Partition } from '../../engine/partition/partition.ts';
import { partitionOf } from '../../engine/state/hash.ts';
import { type CampaignCounters, campaignCounters } from '../../operators/campaign-counters.ts';
import { type Control, campaignPipeline } from '../../operators/campaign-pipeline.ts';
import type { Delivery } from '../../operators/delivery/delivery.ts';
import type { Report } from '../../operators/report/decision.ts';

/** What came out of the partitions: a decision, or a delivery for the lane of a webhook. */
export interface PartitionOutput {
  readonly atMs: number;
  readonly campaignId: string;
  readonly userId: string;
  readonly report?: Report;
  readonly delivery?: Delivery;
  readonly webhook?: string;
}

/**
 * The partitions of a simulation, without logs and threads: one record at a time. What comes out
 * is the same for every number of partitions.
 */
export class SimulatedPartitions {
  readonly counters: CampaignCounters = campaignCounters();
  readonly #partitions: Partition[];
  readonly #writer = new EnvelopeWriter();
  #outputs: PartitionOutput[] = [];
  #offset = 0;
  readonly #identities = new Identities();
  readonly #moves: { topic: string; target: Partition; output: unknown }[] = [];

  constructor(partitionCount: number, reorderWindowMs: number) {
    this.#partitions = Array.from(
      { length: partitionCount },
      () =>
        new Partition({
          partitionCount,
          reorderWindowMs,
          createPipeline: campaignPipeline({
            counters: this.counters,
            onReport: (report) => {
              const { atMs, campaignId, userId } = report;
              this.#outputs.push({ atMs, campaignId, userId, report });
            },
          }),
          onOutput: (topic, output) => this.#onOutput(topic, output),
        }),
    );
  }

  get openWindows(): number {
    return this.#partitions.reduce((sum, { state }) => sum + state.windows.count, 0);
  }

  /** @returns what it brings about at once, in order of user and campaign */
  control(control: Control, atMs: number): PartitionOutput[] {
    for (const partition of this.#partitions) {
      this.#writer.addJson(RecordKind.control, control, atMs);
      this.#process(partition);
    }
    return this.#take().sort(byUserAndCampaign);
  }

  /**
   * Takes an event in and gives what it brings about, in order. Its user may be changed to whose it
   * is now, as at the doors.
   */
  event(event: IncomingEvent, receivedAtMs: number): PartitionOutput[] {
    for (const join of this.#identities.join(event, receivedAtMs)) {
      this.#writer.addJson(RecordKind.leave, leaveOf(join, ''), receivedAtMs);
      this.#process(this.#partitionOf(join.from.id));
    }
    this.#identities.settle(event, receivedAtMs);
    if (event.kind !== RecordKind.alias) {
      this.#writer.addEvent(event, receivedAtMs);
      this.#process(this.#partitionOf(event.userId));
    }
    return this.#take();
  }

  /** The sender's last word on a delivery that asked for it, at its instant. */
  outcome(outcome: DeliveryOutcome): PartitionOutput[] {
    this.#processBytes(this.#partitionOf(outcome.userId), encodeOutcomes([outcome], outcome.atMs));
    return this.#take();
  }

  /** When time must next be brought on, Unix ms; Infinity when no window is open. */
  nextTurnAtMs(): number {
    return this.#partitions.reduce(
      (earliest, partition) => Math.min(earliest, partition.nextTurnAtMs()),
      Infinity,
    );
  }

  /** Brings time to `atMs` where something waits for it; what that brings about, by user and campaign. */
  tick(atMs: number): PartitionOutput[] {
    for (const partition of this.#partitions) {
      if (partition.nextTurnAtMs() > atMs) continue;
      this.#writer.addTick(atMs);
      this.#process(partition);
    }
    return this.#take().sort(byUserAndCampaign);
  }

  #partitionOf(userId: string): Partition {
    return this.#partitions[partitionOf(userId, this.#partitions.length)]!;
  }

  #process(partition: Partition): void {
    this.#processBytes(partition, this.#writer.finish());
  }

  /** What moves from it to others arrives before anything else is processed. */
  #processBytes(partition: Partition, envelope: Uint8Array): void {
    partition.begin({ offset: ++this.#offset, storedAtMs: 0, bytes: envelope });
    partition.run(() => false);
    for (let move = this.#moves.shift(); move !== undefined; move = this.#moves.shift()) {
      const { target, output } = move;
      const bytes = target.pipeline.encodeOutputs(move.topic, [output]);
      target.begin({ offset: ++this.#offset, storedAtMs: 0, bytes });
      target.run(() => false);
    }
  }

  #onOutput(topic: string, output: unknown): void {
    const [kind = '', name = ''] = topic.split('.');
    if (kind === 'in') {
      this.#moves.push({ topic, target: this.#partitions[Number(name)]!, output });
      return;
    }
    const delivery = output as Delivery;
    const { dueAtMs: atMs, campaignId, userId } = delivery;
    this.#outputs.push({ atMs, campaignId, userId, webhook: name, delivery });
  }

  #take(): PartitionOutput[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }
}

function byUserAndCampaign(a: PartitionOutput, b: PartitionOutput): number {
  return (
    a.atMs - b.atMs ||
    Buffer.compare(Buffer.from(a.userId), Buffer.from(b.userId)) ||
    Buffer.compare(Buffer.from(a.campaignId), Buffer.from(b.campaignId))
  );
}
