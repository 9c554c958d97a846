import { EnvelopeWriter } from '../../engine/envelope/envelope-writer.ts';
import { type IncomingEvent, RecordKind } from '../../engine/envelope/records.ts';
import { Identities, leaveOf } from '../../engine/intake/identities.ts';
import { Partition } from '../../engine/partition/partition.ts';
import { partitionOf } from '../../engine/state/hash.ts';
import { type CampaignCounters, campaignCounters } from '../../operators/campaign-counters.ts';
import { type Control, campaignPipeline } from '../../operators/campaign-pipeline.ts';
import type { Delivery } from '../../operators/delivery/delivery.ts';
import type { Qualification } from '../../operators/qualifier.ts';

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
            onQualified: (qualification) => this.#qualifications.push(qualification),
          }),
          onOutput: (topic, output) => this.#onOutput(topic, output),
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

  /**
   * Takes an event in and gives who qualified by it, in order. Its user may be changed to whose it
   * is now, as at the doors.
   */
  event(event: IncomingEvent, receivedAtMs: number): Qualified[] {
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

  #partitionOf(userId: string): Partition {
    return this.#partitions[partitionOf(userId, this.#partitions.length)]!;
  }

  /** What moves from it to others arrives before anything else is processed. */
  #process(partition: Partition): void {
    partition.begin({ offset: ++this.#offset, storedAtMs: 0, bytes: this.#writer.finish() });
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
    this.#qualified.push({
      // Each qualification is handed over before its delivery.
      qualification: this.#qualifications.at(-1)!,
      webhook: name,
      delivery: output as Delivery,
    });
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
