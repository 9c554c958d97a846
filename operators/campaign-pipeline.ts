import type { EnvelopeReader } from '../engine/envelope/envelope-reader.ts';
import {
  type IncomingEvent,
  type Leave,
  RecordFlag,
  RecordKind,
} from '../engine/envelope/records.ts';
import { LapseError } from '../engine/errors/errors.ts';
import type { Pipeline, PipelineFactory, PipelineHost } from '../engine/partition/pipeline.ts';
import type { UserId } from '../engine/state/alias-table.ts';
import { mix32, partitionOf } from '../engine/state/hash.ts';
import { emptyKey, type Key, keyOf } from '../engine/state/key.ts';
import type { CampaignCounters } from './campaign-counters.ts';
import { deliveryBytes, encodeDeliveries } from './delivery/codec.ts';
import type { Delivery } from './delivery/delivery.ts';
import { Arriving } from './identity/arriving.ts';
import { Leaving } from './identity/leaving.ts';
import {
  decodePart,
  encodeMoves,
  type MoveOutput,
  moveBytes,
  movedEvent,
  movedPart,
} from './identity/parts.ts';
import type { PartitionDefinitions } from './partition-definitions.ts';
import { type Qualification, Qualifier } from './qualifier.ts';
import { dueBefore } from './rules/due-before.ts';
import { EventView } from './rules/event-view.ts';
import { deadlineOf, Inaction } from './rules/inaction.ts';
import { KeptProperties } from './rules/kept-properties.ts';
import { type FrozenRuleBook, type Route, RuleBook, type RuleNode } from './rules/rule-book.ts';

/** What a control record may say. */
export type Control =
  | {
      readonly type: 'definitions';
      readonly definitions: PartitionDefinitions;
      /**
       * When it was said, Unix ms, if that is later than the record: one that waits behind a
       * backlog of events does not count them. @default the time of the record
       */
      readonly publishedAtMs?: number;
    }
  | { readonly type: 'publish'; readonly campaign: string };

export interface CampaignPipelineOptions {
  readonly counters: CampaignCounters;
  /** Told of every qualification, before its delivery is handed over. */
  readonly onQualified?: (qualification: Qualification) => void;
}

/** Topics of the partitions' input: what moves goes there; every other output is a delivery. */
const INPUT = 'in.';
/** So that a hash of 0 does not stay 0 when mixed. */
const FINGERPRINT_SALT = 0x9e3779b9;

/** The operators of Lapse in one partition: profiles, rules, gates, rendering. */
export function campaignPipeline(options: CampaignPipelineOptions): PipelineFactory {
  return (host) => new CampaignPipeline(host, options);
}

class CampaignPipeline implements Pipeline {
  readonly #host: PipelineHost;
  readonly #counters: CampaignCounters;
  readonly #qualifier: Qualifier;
  readonly #book: RuleBook;
  readonly #event = new EventView();
  readonly #kept: KeptProperties;
  readonly #inaction: Inaction;
  readonly #leaving: Leaving;
  readonly #arriving: Arriving;
  readonly #key = emptyKey();
  #routes: (Route | undefined)[] = [];
  #routesOf = -1;

  constructor(host: PipelineHost, options: CampaignPipelineOptions) {
    this.#host = host;
    this.#counters = options.counters;
    this.#qualifier = new Qualifier(host, options.counters, options.onQualified);
    this.#book = new RuleBook(() => host.state.recentCancels.rulesAt(host.state.timeMs));
    this.#kept = new KeptProperties(host.state);
    this.#inaction = new Inaction(host.state, this.#kept, options.counters);
    this.#leaving = new Leaving(host.state, this.#book, this.#kept);
    this.#arriving = new Arriving({
      state: host.state,
      book: this.#book,
      kept: this.#kept,
      inaction: this.#inaction,
      counters: options.counters,
    });
  }

  onEvent(envelope: EnvelopeReader, i: number): void {
    this.#counters.events++;
    if (envelope.serial !== this.#routesOf) this.#readRoutes(envelope);
    const route = this.#routes[envelope.name[i]!];
    const isIdentify = envelope.kind[i] === RecordKind.identify;
    // Nobody asks about this event: it is neither unpacked nor remembered.
    if (route === undefined && !isIdentify) return;
    const { state } = this.#host;
    const event = this.#event;
    event.moveTo(envelope, i, state.nowMs);
    const { key } = event;
    // Mixed one after the other: equal texts have equal hashes, and would take each other out.
    const lo = mix32(mix32(key.hashLo + FINGERPRINT_SALT) ^ event.eventIdLo);
    const hi = mix32(mix32(key.hashHi + FINGERPRINT_SALT) ^ event.eventIdHi);
    if (!state.dedupe.isNew(lo, hi, state.timeMs)) {
      this.#counters.duplicates++;
      return;
    }
    const alias = state.aliases.get(key);
    if (alias !== undefined) {
      this.#sendOn(envelope, i, alias.to);
      return;
    }
    if (state.isAhead) this.#fireBefore(key, state.nowMs);
    if (isIdentify) this.#identify();
    if (route !== undefined) this.#route(route, envelope, i);
  }

  onWindowDue(slot: number, dueAtMs: number): void {
    const { windows } = this.#host.state;
    const node = this.#book.nodeOf(windows.ruleOf(slot));
    const campaign = this.#book.campaignOf(node.campaignId);
    if (campaign !== undefined && !node.isDropped) {
      windows.keyOf(slot, this.#key);
      this.#qualifier.qualify(campaign, this.#key, dueAtMs, {
        lo: windows.eventIdLoOf(slot),
        hi: windows.eventIdHiOf(slot),
        properties: this.#kept.propertiesOf(slot),
      });
      this.#counters.windowsFired++;
    } else this.#counters.windowsDropped++;
    windows.release(slot);
    this.#closed(node, 1);
  }

  onControl(control: unknown, atMs: number): void {
    const change = control as Control;
    if (change.type === 'definitions') {
      this.#book.apply(change.definitions, Math.max(atMs, change.publishedAtMs ?? atMs));
    } else this.#book.publish(change.campaign, atMs);
    this.#event.timezone = this.#book.definitions.settings.timezone;
    this.#routesOf = -1;
  }

  dueAtMs(rule: number, anchorAtMs: number, extendedMs: number): number {
    const { rule: inaction } = this.#book.nodeOf(rule);
    if (inaction.kind !== 'inaction') {
      throw new LapseError('ERR_RULE_KIND', `Rule ${rule} opens no windows.`);
    }
    return deadlineOf(inaction, anchorAtMs, extendedMs) + inaction.graceMs;
  }

  compareRules(a: number, b: number): number {
    return this.#book.compare(a, b);
  }

  encodeOutputs(topic: string, outputs: readonly unknown[]): Uint8Array {
    if (topic.startsWith(INPUT)) return encodeMoves(outputs as readonly MoveOutput[]);
    return encodeDeliveries(outputs as readonly Delivery[]);
  }

  outputBytes(topic: string, output: unknown): number {
    if (topic.startsWith(INPUT)) return moveBytes(output as MoveOutput);
    return deliveryBytes(output as Delivery);
  }

  onLeave(leave: Leave): void {
    const { nowMs } = this.#host.state;
    this.#fireBefore(keyOf(leave.from.id, leave.from.isAnonymous), leave.joinedAtMs);
    this.#leaving.leave(
      leave,
      (part) => this.#move(movedPart(part, nowMs), leave.to),
      (node, windows) => this.#closed(node, windows),
    );
  }

  arrivalsIn(outputs: readonly unknown[]): readonly string[] {
    return (outputs as readonly MoveOutput[]).flatMap((output) =>
      output.kind === 'part' && output.arrival !== undefined ? [output.arrival] : [],
    );
  }

  onMoved(bytes: Uint8Array): void {
    const { nowMs } = this.#host.state;
    const part = decodePart(bytes);
    const key = keyOf(part.to.id, part.to.isAnonymous);
    // Gone on meanwhile: it follows, and arrives where the user is.
    const alias = this.#host.state.aliases.get(key);
    if (alias !== undefined) this.#move(movedPart({ ...part, to: alias.to }, nowMs), alias.to);
    else {
      if (part.kind === 'begin') this.#fireBefore(key, part.joinedAtMs);
      this.#arriving.take(part, (node, windows) => this.#closed(node, windows));
    }
    this.#routesOf = -1;
  }

  freeze(): FrozenRuleBook {
    return this.#book.freeze();
  }

  restore(frozen: unknown): void {
    this.#book.restore(frozen as FrozenRuleBook);
    this.#event.timezone = this.#book.definitions.settings.timezone;
    this.#routesOf = -1;
  }

  #fireBefore(user: Key, receivedAtMs: number): void {
    const { state } = this.#host;
    for (const { slot, atMs } of dueBefore(state, this.#book, user, receivedAtMs)) {
      state.windows.wheel.remove(slot);
      this.onWindowDue(slot, atMs);
    }
  }

  #closed(node: RuleNode, windows: number): void {
    if (this.#book.closed(node, windows)) this.#routesOf = -1;
  }

  #move(output: MoveOutput, to: UserId): void {
    this.#host.emit(`${INPUT}${partitionOf(to.id, this.#host.partitionCount)}`, output);
  }

  /** An event by an id that is another's by now; it was not seen here before. */
  #sendOn(envelope: EnvelopeReader, i: number, to: UserId): void {
    const { eventAtMs, eventIdLo: lo, eventIdHi: hi, properties } = this.#event;
    const event: IncomingEvent = {
      kind: envelope.kind[i]! as RecordKind,
      userId: to.id,
      isAnonymous: to.isAnonymous,
      name: envelope.names[envelope.name[i]!]!,
      eventAtMs,
      flags: (envelope.flags[i]! & ~RecordFlag.anonymous) | RecordFlag.moved,
      messageId: '',
      properties,
    };
    this.#counters.eventsMoved++;
    const bytes = envelope.bodyEndOf(i) - envelope.bodyStartOf(i);
    // Of its record and not of this partition, which may be ahead of where the event goes.
    const atMs = envelope.receivedAtMs(i);
    this.#move(movedEvent(event, { lo, hi }, atMs, bytes), to);
  }

  #readRoutes(envelope: EnvelopeReader): void {
    this.#routes = envelope.names.map((name) => this.#book.routeOf(name));
    this.#routesOf = envelope.serial;
  }

  #identify(): void {
    const { key, properties, eventAtMs } = this.#event;
    try {
      this.#host.state.profiles.merge(key, properties, eventAtMs);
    } catch (error) {
      if (!(error instanceof LapseError && error.domain === 'user')) throw error;
      this.#counters.profilesRefused++;
    }
  }

  #route(route: Route, envelope: EnvelopeReader, i: number): void {
    const event = this.#event;
    const { flags } = envelope;
    // An event that is both cancels first and then opens.
    for (const { node, predicate } of route.cancels) {
      if (predicate !== undefined && !predicate.holds(event, event.serial)) continue;
      if (node.rule.kind !== 'inaction') continue;
      const closed = this.#inaction.cancel(node, node.rule, event);
      this.#counters.windowsCancelled += closed;
      this.#closed(node, closed);
    }
    if ((flags[i]! & RecordFlag.historyOnly) !== 0) {
      this.#counters.historyOnly++;
      return;
    }
    for (const { node, predicate } of route.opens) {
      if (event.eventAtMs < node.publishedAtMs) continue;
      if (predicate !== undefined && !predicate.holds(event, event.serial)) continue;
      this.#open(node, envelope, i);
    }
    for (const { node, predicate } of route.actions) {
      if (event.eventAtMs < node.publishedAtMs) continue;
      if (predicate !== undefined && !predicate.holds(event, event.serial)) continue;
      const campaign = this.#book.campaignOf(node.campaignId);
      if (campaign === undefined) continue;
      this.#qualifier.qualify(campaign, event.key, event.nowMs, {
        lo: event.eventIdLo,
        hi: event.eventIdHi,
        properties: event.properties,
      });
    }
  }

  #open(node: RuleNode, envelope: EnvelopeReader, i: number): void {
    if (node.rule.kind !== 'inaction') return;
    const kept = this.#kept.keep(envelope, i);
    if (kept === undefined) {
      this.#counters.windowsRefused++;
      return;
    }
    const opening = this.#inaction.open(node, node.rule, this.#event, kept);
    if (opening === 'opened') this.#counters.windowsOpened++;
    else if (opening === 'refused') this.#counters.windowsRefused++;
  }
}
