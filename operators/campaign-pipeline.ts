import type { EnvelopeReader } from '../engine/envelope/envelope-reader.ts';
import type { DeliveryOutcome } from '../engine/envelope/outcomes.ts';
import {
  type IncomingEvent,
  type Leave,
  RecordFlag,
  RecordKind,
} from '../engine/envelope/records.ts';
import { LapseError } from '../engine/errors/errors.ts';
import type { EventQuery, EventStanding } from '../engine/intake/event-standing.ts';
import { isCell, slotOf, type TimerRef } from '../engine/partition/due-timers.ts';
import type { Pipeline, PipelineFactory, PipelineHost } from '../engine/partition/pipeline.ts';
import type { UserId } from '../engine/state/alias-table.ts';
import { type Hash64, partitionOf } from '../engine/state/hash.ts';
import { emptyKey, type Key, keyOf, rehash } from '../engine/state/key.ts';
import type { CampaignCounters } from './campaign-counters.ts';
import type { LifeAction } from './campaign-life.ts';
import { deliveryBytes, encodeDeliveries } from './delivery/codec.ts';
import type { Delivery } from './delivery/delivery.ts';
import { standingOf } from './event-standing.ts';
import { GateChain } from './gates/chain.ts';
import { describeGraph } from './graph/describe.ts';
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
import { Lives } from './lives.ts';
import { takeOutcome } from './outcomes.ts';
import type { PartitionDefinitions } from './partition-definitions.ts';
import { hearAttributes } from './profile/hear-attributes.ts';
import { deliver } from './render/deliver.ts';
import type { Report } from './report/decision.ts';
import { ReportCounts } from './report/report-counts.ts';
import {
  CampaignBook,
  type DefinitionsDelta,
  type FrozenCampaignBook,
} from './router/campaign-book.ts';
import { CellOwners } from './router/cell-owners.ts';
import { type DueTimer, dueBefore } from './router/due-before.ts';
import { EventRouter } from './router/event-router.ts';
import { EventView } from './router/event-view.ts';
import { Scope } from './router/scope.ts';
import { KeptProperties } from './rules/inaction/kept-properties.ts';
import { deadlineOf, Inaction } from './rules/inaction/windows.ts';

/** What may be asked of a running pipeline. */
export type PipelineQuery =
  | { readonly type: 'graph' }
  | { readonly type: 'report'; readonly campaign: string };

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
  | ({ readonly type: 'delta'; readonly publishedAtMs?: number } & DefinitionsDelta)
  | { readonly type: 'publish'; readonly campaign: string }
  | { readonly type: 'life'; readonly campaign: string; readonly action: LifeAction };

export interface CampaignPipelineOptions {
  readonly counters: CampaignCounters;
  /** Told of every decision, in order. */
  readonly onReport?: (report: Report) => void;
}

/** Topics of the partitions' input: what moves goes there; every other output is a delivery. */
const INPUT = 'in.';
/** The operators of Lapse in one partition: router, profiles, rules, gates, goals, rendering. */
export function campaignPipeline(options: CampaignPipelineOptions): PipelineFactory {
  return (host) => new CampaignPipeline(host, options);
}

class CampaignPipeline implements Pipeline {
  readonly #host: PipelineHost;
  readonly #counters: CampaignCounters;
  readonly #book: CampaignBook;
  readonly #event: EventView;
  readonly #router: EventRouter;
  readonly #kept: KeptProperties;
  readonly #scope: Scope;
  readonly #reports: ReportCounts;
  readonly #owners: CellOwners;
  readonly #lives: Lives;
  readonly #leaving: Leaving;
  readonly #arriving: Arriving;
  readonly #key = emptyKey();
  readonly #fingerprint: Hash64 = { lo: 0, hi: 0 };

  constructor(host: PipelineHost, options: CampaignPipelineOptions) {
    const { state } = host;
    const { counters, onReport } = options;
    this.#host = host;
    this.#event = new EventView(state.fingerprints);
    this.#counters = counters;
    this.#book = new CampaignBook((rule) => state.recentCancels.remembers(rule, state.timeMs));
    this.#kept = new KeptProperties(state);
    this.#reports = new ReportCounts(state);
    const windows = new Inaction(state, this.#kept, counters);
    const chain = new GateChain((scope, candidate) => {
      this.#reports.add(scope.entry.id, 'queued', candidate.dueAtMs);
      host.emit(`out.${scope.campaign.webhook}`, deliver(scope, candidate));
    });
    this.#scope = new Scope({
      state,
      book: this.#book,
      event: this.#event,
      counters,
      windows,
      kept: this.#kept,
      reports: this.#reports,
      onReport,
      onQualified: (scope, occurrence, atMs) => chain.start(scope, occurrence, atMs),
    });
    this.#router = new EventRouter(this.#scope);
    this.#owners = new CellOwners(this.#book, chain);
    const parts = { scope: this.#scope, owners: this.#owners, chain };
    this.#lives = new Lives(this.#scope, chain, this.#owners);
    this.#leaving = new Leaving(parts);
    this.#arriving = new Arriving(parts);
  }

  onEvent(envelope: EnvelopeReader, i: number): void {
    this.#counters.events++;
    const route = this.#router.routeOf(envelope, i);
    const isIdentify = envelope.kind[i] === RecordKind.identify;
    // Nobody asks about this event: it is neither unpacked nor remembered.
    if (route === undefined && !isIdentify) return;
    const { state } = this.#host;
    const event = this.#event;
    event.moveTo(envelope, i, state.nowMs);
    const { key } = event;
    const print = this.#fingerprint;
    state.fingerprints.ofEvent(key, event.eventIdLo, event.eventIdHi, print);
    if (!state.dedupe.isNew(print.lo, print.hi, state.timeMs)) {
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
    if (route !== undefined) this.#router.follow(route, envelope, i);
  }

  standingOf(query: EventQuery): EventStanding {
    return standingOf(query, this.#book.routes, this.#host.state);
  }

  onWindowDue(slot: number, dueAtMs: number): void {
    const { windows } = this.#host.state;
    const node = this.#book.nodes.nodeOf(windows.ruleOf(slot));
    const entry = this.#book.entryOf(node.campaignId);
    const { rule } = node;
    if (entry !== undefined && !node.isDropped && rule.kind === 'inaction') {
      const scope = this.#scope;
      windows.keyOf(slot, this.#key);
      rehash(this.#key);
      scope.useRule(node, this.#key);
      scope.entry = entry;
      const properties = this.#kept.propertiesOf(slot);
      const [lo, hi] = [windows.eventIdLoOf(slot), windows.eventIdHiOf(slot)];
      const match = scope.windows.matchOf(rule, 'did', properties);
      const eventAtMs = windows.anchorAtMs(slot);
      scope.qualify({ lo, hi, eventAtMs, match, properties }, dueAtMs);
      this.#counters.windowsFired++;
    } else this.#counters.windowsDropped++;
    windows.release(slot);
    this.#book.closed(node, 1);
  }

  onCellDue(slot: number, dueAtMs: number): void {
    const { cells } = this.#host.state;
    const scope = this.#scope;
    // Of its own: what the operator stores may move the arena's bytes.
    const key = copyOf(cells, slot, this.#key);
    scope.key = key;
    const owner = this.#owners.use(scope, cells.operatorOf(slot));
    if (owner !== undefined) {
      owner.onTimer(scope, cells.matchOf(slot), cells.valueOf(slot), dueAtMs);
    } else this.#owners.drop(scope, slot);
  }

  readonly compareTimers = (a: TimerRef, b: TimerRef): number => {
    const { windows } = this.#host.state;
    const [left, right] = [slotOf(a), slotOf(b)];
    if (isCell(a) && isCell(b)) {
      return this.#owners.compare(this.#host.state.cells, left, right);
    }
    if (isCell(a) !== isCell(b)) {
      const [ours, theirs] = [this.#campaignOf(a), this.#campaignOf(b)];
      // Of one campaign the window first: what waits was decided before.
      return ours === theirs ? Number(isCell(a)) - Number(isCell(b)) : ours < theirs ? -1 : 1;
    }
    return (
      this.#book.compare(windows.ruleOf(left), windows.ruleOf(right)) ||
      windows.anchorAtMs(left) - windows.anchorAtMs(right) ||
      windows.eventIdHiOf(left) - windows.eventIdHiOf(right) ||
      windows.eventIdLoOf(left) - windows.eventIdLoOf(right)
    );
  };

  onControl(control: unknown, atMs: number): void {
    const change = control as Control;
    this.#lives.change(change, atMs);
    this.#event.timezone = this.#book.settings.timezone;
  }

  dueAtMs(rule: number, anchorAtMs: number, extendedMs: number): number {
    const { rule: inaction } = this.#book.nodes.nodeOf(rule);
    if (inaction.kind !== 'inaction') {
      throw new LapseError('ERR_RULE_KIND', `Rule ${rule} opens no windows.`);
    }
    return deadlineOf(inaction, anchorAtMs, extendedMs) + inaction.graceMs;
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
    this.#leaving.leave(leave, (part) => this.#move(movedPart(part, nowMs), leave.to));
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
    // Has joined another id meanwhile: it follows, and arrives where the user is.
    const alias = this.#host.state.aliases.get(key);
    if (alias !== undefined) this.#move(movedPart({ ...part, to: alias.to }, nowMs), alias.to);
    else {
      if (part.kind === 'begin') this.#fireBefore(key, part.joinedAtMs);
      this.#arriving.take(part);
    }
  }

  describe(query: PipelineQuery): unknown {
    if (query.type === 'graph') return describeGraph(this.#book);
    const { hours, total } = this.#reports.of(query.campaign);
    return { hours: [...hours], total };
  }

  onOutcome(outcome: DeliveryOutcome, atMs: number): void {
    const key = keyOf(outcome.userId, outcome.isAnonymous);
    const alias = this.#host.state.aliases.get(key);
    if (alias === undefined) takeOutcome(this.#scope, outcome);
    else {
      const { id: userId, isAnonymous } = alias.to;
      const followed = { ...outcome, userId, isAnonymous };
      this.#move({ kind: 'outcome', atMs, outcome: followed }, alias.to);
    }
  }

  freeze(): FrozenCampaignBook {
    this.#reports.flush();
    return this.#book.freeze();
  }

  restore(frozen: unknown): void {
    this.#book.restore(frozen as FrozenCampaignBook);
    this.#event.timezone = this.#book.settings.timezone;
  }

  #campaignOf(ref: TimerRef): string {
    const { windows, cells } = this.#host.state;
    const slot = slotOf(ref);
    if (isCell(ref)) return this.#owners.campaignOf(cells.operatorOf(slot));
    return this.#book.nodes.nodeOf(windows.ruleOf(slot)).campaignId;
  }

  #fireBefore(user: Key, receivedAtMs: number): void {
    const { state } = this.#host;
    const { nowMs } = state;
    const due = () => dueBefore(state, user, receivedAtMs, this.compareTimers);
    for (let left = due(); left.length > 0; ) {
      const [{ ref, atMs }] = left as [DueTimer];
      const slot = slotOf(ref);
      const { count } = state.cells;
      state.nowMs = atMs;
      if (!isCell(ref)) {
        state.windows.wheel.remove(slot);
        this.onWindowDue(slot, atMs);
      } else if (state.cells.takeTimer(slot)) this.onCellDue(slot, atMs);
      // What has fired may have set a timer that is due in turn: a delay, the end of quiet hours.
      left = isCell(ref) || state.cells.count > count ? due() : left.slice(1);
    }
    state.nowMs = nowMs;
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

  #identify(): void {
    const { key, properties, eventAtMs } = this.#event;
    try {
      this.#host.state.profiles.merge(key, properties, eventAtMs);
    } catch (error) {
      if (!(error instanceof LapseError && error.domain === 'user')) throw error;
      this.#counters.profilesRefused++;
      return;
    }
    hearAttributes(this.#scope, key, Object.keys(properties));
  }
}

/** The key of a cell in bytes of its own. */
function copyOf(cells: PipelineHost['state']['cells'], slot: number, key: Key): Key {
  cells.keyOf(slot, key);
  const bytes = key.bytes.slice(key.start, key.start + key.length);
  const copy = { ...key, bytes, start: 0 };
  rehash(copy);
  return copy;
}
