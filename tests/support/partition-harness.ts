import { EnvelopeWriter } from '../../engine/envelope/envelope-writer.ts';
import { type DeliveryOutcome, encodeOutcomes } from '../../engine/envelope/outcomes.ts';
import { type IncomingEvent, RecordFlag, RecordKind } from '../../engine/envelope/records.ts';
import { Partition } from '../../engine/partition/partition.ts';
import { campaignCounters } from '../../operators/campaign-counters.ts';
import type { LifeAction } from '../../operators/campaign-life.ts';
import { campaignPipeline } from '../../operators/campaign-pipeline.ts';
import {
  type Campaign,
  DEFAULT_SETTINGS,
  type Definitions,
  type InactionRule,
  type Webhook,
} from '../../operators/definitions.ts';
import type { Delivery } from '../../operators/delivery/delivery.ts';
import type { Report } from '../../operators/report/decision.ts';
import { CAMPAIGN_DEFAULTS } from './campaign-defaults.ts';
import type { ModelEvent } from './inaction-model.ts';

export const hook: Webhook = {
  id: 'hook',
  url: 'http://127.0.0.1:9/in',
  method: 'POST',
  headers: {},
  auth: { kind: 'none' },
  maxInFlight: 32,
  batch: { max: 100, lingerMs: 50 },
  timeoutMs: 5_000,
  retryScheduleMs: [2_000],
  success: '2xx',
};

export function campaignOf(id: string, rule: Campaign['rule']): Campaign {
  return {
    ...CAMPAIGN_DEFAULTS,
    id,
    name: id,
    targetId: 1,
    webhook: 'hook',
    state: 'running',
    rule,
    ttlMs: 3_600_000,
    content: {
      mode: 'variables',
      type: 'json',
      fields: ['identity', 'profileData', 'eventProperties'],
      keyValues: {},
      query: {},
    },
  };
}

export function inactionOf(changes: Partial<InactionRule> = {}): InactionRule {
  const withinMs = changes.withinMs ?? 600_000;
  return {
    kind: 'inaction',
    did: { event: 'did' },
    without: [{ event: 'without' }],
    withinMs,
    onRepeat: 'restart',
    graceMs: 0,
    maxExtendMs: 10 * withinMs,
    ...changes,
  };
}

export function definitionsOf(campaigns: readonly Campaign[]): Definitions {
  return { settings: DEFAULT_SETTINGS, webhooks: [hook], segments: [], campaigns };
}

/** Drives one partition record by record, without a log. */
export class PartitionHarness {
  partition: Partition;
  readonly counters = campaignCounters();
  readonly reports: Report[] = [];
  readonly deliveries: Delivery[] = [];
  #offset = 0;

  constructor() {
    this.partition = this.#create();
  }

  /** Who has met which campaign, in order. */
  get qualifications() {
    return this.reports.flatMap((report) =>
      report.type === 'qualified'
        ? [
            {
              atMs: report.atMs,
              campaignId: report.campaignId,
              userId: report.userId,
              window: report.window,
            },
          ]
        : [],
    );
  }

  #create(): Partition {
    return new Partition({
      partitionCount: 1,
      createPipeline: campaignPipeline({
        counters: this.counters,
        onReport: (report) => this.reports.push(report),
      }),
      onOutput: (_lane, output) => this.deliveries.push(output as Delivery),
    });
  }

  /** Appends any event; what is not named is that of a plain track event. */
  send(changes: Partial<IncomingEvent>, receivedAtMs: number): void {
    const incoming: IncomingEvent = {
      kind: RecordKind.track,
      userId: 'u',
      isAnonymous: false,
      name: 'did',
      eventAtMs: receivedAtMs,
      flags: 0,
      messageId: `send-${this.#offset}`,
      properties: {},
      ...changes,
    };
    this.#write((writer) => writer.addEvent(incoming, receivedAtMs));
  }

  publish(campaign: string, atMs: number): void {
    this.#write((writer) =>
      writer.addJson(RecordKind.control, { type: 'publish', campaign }, atMs),
    );
  }

  act(campaign: string, action: LifeAction, atMs: number): void {
    this.#write((writer) =>
      writer.addJson(RecordKind.control, { type: 'life', campaign, action }, atMs),
    );
  }

  define(campaigns: readonly Campaign[], atMs: number): void {
    const definitions = definitionsOf(campaigns);
    this.#write((writer) =>
      writer.addJson(RecordKind.control, { type: 'definitions', definitions }, atMs),
    );
  }

  event(event: ModelEvent): void {
    const properties: Record<string, unknown> = { id: event.messageId };
    if (event.cart !== undefined) properties.cart = event.cart;
    const incoming: IncomingEvent = {
      kind: RecordKind.track,
      userId: event.user,
      isAnonymous: false,
      name: event.name,
      eventAtMs: event.eventAtMs,
      flags: event.historyOnly ? RecordFlag.historyOnly : 0,
      messageId: event.messageId,
      properties,
    };
    this.#write((writer) => writer.addEvent(incoming, event.receivedAtMs));
  }

  identify(user: string, traits: Record<string, unknown>, atMs: number): void {
    const incoming: IncomingEvent = {
      kind: RecordKind.identify,
      userId: user,
      isAnonymous: false,
      name: '',
      eventAtMs: atMs,
      flags: 0,
      messageId: `identify-${this.#offset}`,
      properties: traits,
    };
    this.#write((writer) => writer.addEvent(incoming, atMs));
  }

  tick(atMs: number): void {
    this.#write((writer) => writer.addTick(atMs));
  }

  /** The sender's last word on a delivery. @param atMs when it was appended */
  outcome(outcome: DeliveryOutcome, atMs: number): void {
    this.#append(encodeOutcomes([outcome], atMs));
  }

  /** What an owner writes when it starts; its epoch is not above that of the partition. */
  claim(atMs: number): void {
    this.#write((writer) => writer.addJson(RecordKind.claim, { epoch: 0 }, atMs));
  }

  /** Throws the partition away and builds another one from what it would have written. */
  restore(roundTrip: (partition: Partition) => Pick<Partition, 'offset'> & RestoredState): void {
    const { state, pipeline, offset } = roundTrip(this.partition);
    this.partition = this.#create();
    this.partition.pipeline.restore(pipeline);
    this.partition.state.restore(state);
    this.partition.offset = offset;
  }

  #write(fill: (writer: EnvelopeWriter) => void): void {
    const writer = new EnvelopeWriter();
    fill(writer);
    this.#append(writer.finish());
  }

  #append(bytes: Uint8Array): void {
    this.partition.begin({ offset: ++this.#offset, storedAtMs: 0, bytes });
    if (!this.partition.run(() => false)) throw new Error('an unlimited budget was spent');
  }
}

export interface RestoredState {
  readonly state: ReturnType<Partition['state']['freeze']>;
  readonly pipeline: unknown;
}
