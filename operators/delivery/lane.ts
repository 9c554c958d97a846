import type { SenderAttempt } from '../../engine/sender/sender-lane.ts';
import type { TransportResult } from '../../engine/sender/transport.ts';
import type { Campaign, Webhook } from '../definitions.ts';
import {
  type Batch,
  type BatchState,
  batchOf,
  campaignOf,
  type Entry,
  isExpirable,
} from './batch.ts';
import { Batching } from './batching.ts';
import { requestOf } from './content.ts';
import { Deadlines } from './deadlines.ts';
import type { Delivery } from './delivery.ts';
import { Holdings } from './holdings.ts';
import { webhookIdOf } from './ids.ts';
import type { AttemptFacts, LaneRecord, LaneSnapshot } from './lane-records.ts';
import { Outbox } from './outbox.ts';
import { Pace } from './pace.ts';
import { Progress } from './progress.ts';
import { Recovery } from './recovery.ts';
import { retryDelayMs } from './retry.ts';
import { judge } from './verdict.ts';

export interface LaneDefinitions {
  readonly webhook: Webhook;
  /** By id; deliveries of a campaign that is not among them are cancelled. */
  readonly campaigns: ReadonlyMap<string, Campaign>;
}

export interface LaneOptions extends LaneDefinitions {
  /** `Lapse/<version>`. */
  readonly userAgent: string;
  /** Deliveries held in memory; the rest stays in the log. @default 20_000 */
  readonly deliveriesMax?: number;
  /** Bytes of them. @default 16 MiB */
  readonly deliveryBytesMax?: number;
}

/**
 * The life of the deliveries of one webhook, from the lane's log to their outcomes. Pure: it has
 * no clock, does no I/O, and equal calls give equal answers, so `serve` and `simulate` run it
 * alike and a crash is only a replay.
 *
 *   offer ─▶ queue of its campaign ─▶ batch ─▶ attempt ─▶ settled
 *                                       ▲         │
 *                                       └─ retry ─┘
 *
 * The caller stores what `takeRecords` gives and says `onDurable`; a batch of several is not tried
 * before. Known limit: a delivery beyond `room` is not looked at, its expiry is noticed when read.
 */
export class Lane {
  readonly #userAgent: string;
  readonly #holdings: Holdings;
  #webhook: Webhook;
  #campaigns: ReadonlyMap<string, Campaign>;
  readonly #progress = new Progress();
  readonly #recovery = new Recovery();
  readonly #batching = new Batching();
  readonly #pace: Pace;
  readonly #batches = new Set<Batch>();
  readonly #retries = new Deadlines<Batch>(
    (batch, atMs) => batch.state === 'waiting' && batch.retryAtMs === atMs,
  );
  readonly #expiries = new Deadlines<Entry | Batch>(isExpirable);
  /** Batches under way, by the handles of their attempts. */
  readonly #flights = new Map<number, Batch>();
  #ready: Batch[] = [];
  readonly #outbox = new Outbox();
  #handle = 0;
  /** Batches that are formed and hold a place, but are not on their way. */
  #reserved = 0;

  constructor(options: LaneOptions) {
    this.#userAgent = options.userAgent;
    const { deliveriesMax = 20_000, deliveryBytesMax = 16 * 2 ** 20 } = options;
    this.#holdings = new Holdings(deliveriesMax, deliveryBytesMax);
    this.#webhook = options.webhook;
    this.#campaigns = options.campaigns;
    this.#pace = new Pace(options.webhook.rate);
  }

  get room(): number {
    const { room } = this.#holdings;
    // A batch of an earlier run must get all its members, or they would fill the room for ever.
    return room === 0 && this.#recovery.size > 0 ? 1 : room;
  }

  get pendingCount(): number {
    return this.#holdings.count;
  }

  get base(): number {
    return this.#progress.base;
  }

  /** New contents hold from the next attempt on; what lost its campaign is cancelled. */
  update(definitions: LaneDefinitions, nowMs: number): void {
    this.#webhook = definitions.webhook;
    this.#campaigns = definitions.campaigns;
    this.#pace.configure(definitions.webhook.rate);
    for (const campaignId of this.#batching.campaignIds()) {
      if (this.#campaigns.has(campaignId)) continue;
      for (const entry of this.#batching.waitingOf(campaignId)) {
        this.#batching.forget(entry);
        this.#settleEntry(entry, 'cancelled', nowMs);
      }
    }
    for (const batch of this.#batches) {
      const isGone = !this.#campaigns.has(campaignOf(batch));
      if (isGone && batch.state !== 'inFlight') this.#fail(batch, 'cancelled', nowMs);
    }
  }

  /** Takes in one envelope of the lane's log, in order of offset. */
  offer(offset: number, deliveries: readonly Delivery[], nowMs: number): void {
    const settled = this.#progress.enter(offset, deliveries.length);
    if (settled === undefined) return;
    for (const [index, delivery] of deliveries.entries()) {
      if (!settled.has(index)) this.#admit({ offset, index }, delivery, nowMs);
    }
  }

  /** See `SenderLane.poll`. */
  poll(nowMs: number, wallMs = nowMs): SenderAttempt | undefined {
    this.#expire(nowMs);
    if (this.#flights.size >= this.#pace.flightsMax(this.#webhook.maxInFlight)) return;
    if (this.#pace.freeAtMs(0, nowMs) > nowMs) return;
    const batch = this.#nextReady() ?? this.#retries.takeDue(nowMs) ?? this.#form(nowMs);
    return batch === undefined ? undefined : this.#start(batch, nowMs, wallMs);
  }

  /** When `poll` may next have something if nothing else happens, Unix ms; may be past. */
  nextWakeAtMs(nowMs: number): number | undefined {
    let atMs = this.#expiries.nextAtMs() ?? Number.POSITIVE_INFINITY;
    const free = this.#pace.flightsMax(this.#webhook.maxInFlight) - this.#flights.size;
    const consider = (workAtMs: number | undefined, ahead: number) => {
      if (workAtMs === undefined || free <= ahead) return;
      atMs = Math.min(atMs, Math.max(workAtMs, this.#pace.freeAtMs(ahead, nowMs)));
    };
    if (this.#ready.length > 0) consider(nowMs, 0);
    consider(this.#retries.nextAtMs(), 0);
    consider(this.#batching.leavesAtMs(this.#webhook.batch), this.#reserved);
    return atMs === Number.POSITIVE_INFINITY ? undefined : atMs;
  }

  onResult(attempt: SenderAttempt, result: TransportResult, nowMs: number): void {
    const batch = this.#flights.get(attempt.handle);
    if (batch === undefined) return;
    this.#flights.delete(attempt.handle);
    this.#outbox.answered(batch);
    this.#pace.heard(result, attempt.startedAtMs, nowMs);
    const facts: AttemptFacts = {
      attempt: attempt.attempt,
      startedAtMs: attempt.startedAtMs,
      answer: 'error' in result ? result.error : result.status,
      durationMs: result.durationMs,
    };
    const verdict = judge(result, this.#webhook.success);
    if (verdict.kind === 'delivered') this.#settle(batch, 'delivered', '', nowMs, facts);
    else if (verdict.kind === 'failed') this.#fail(batch, verdict.reason, nowMs, facts);
    else this.#retry(batch, result, nowMs, facts);
  }

  /**
   * What happened since the last call, to be stored in this order.
   * @param bytesMax about so much at a time; the rest comes with the next call. @default all
   */
  takeRecords(bytesMax?: number): readonly LaneRecord[] {
    return this.#outbox.take(bytesMax);
  }

  /** Records that have happened and are not taken. */
  get recordsWaiting(): number {
    return this.#outbox.size;
  }

  /** The records taken last are durable. */
  onDurable(): void {
    for (const batch of this.#outbox.durable()) {
      if (batch.state !== 'forming') continue;
      this.#move(batch, 'ready');
      this.#ready.push(batch);
    }
  }

  /**
   * The state as of the records taken last; ask right after a `takeRecords` that left none.
   * @param isClean no attempt is made after this snapshot, unless another one comes first
   */
  snapshot(isClean: boolean): LaneSnapshot {
    const batches = [...this.#batches, ...this.#recovery.batches()];
    return {
      readTo: this.#progress.readTo,
      open: this.#progress.snapshot(),
      batches: batches.map(({ webhookId, attempts, retryAtMs, positions }) => ({
        webhookId,
        attempts,
        retryAtMs,
        members: positions,
      })),
      rateArrivalAtMs: this.#pace.rateArrivalAtMs,
      holdUntilMs: this.#pace.holdUntilMs,
      aloneUpTo: this.#recovery.aloneUpTo > this.base ? this.#recovery.aloneUpTo : 0,
      isClean: isClean && this.#flights.size === 0 && this.#outbox.unrecordedCount === 0,
    };
  }

  /** Recovery, on a fresh lane: `restore`, `replay` of later records, `recovered`, then offers. */
  restore(snapshot: LaneSnapshot): void {
    this.#progress.restore(snapshot.readTo, snapshot.open);
    this.#recovery.restore(snapshot);
  }

  replay(record: LaneRecord): void {
    this.#recovery.replay(record);
    if (record.kind !== 'settled') return;
    for (const { offset, index } of record.members) this.#progress.settle(offset, index);
  }

  /** @param tail the last offset of `out` that an earlier run may have seen */
  recovered(tail: number, nowMs: number): void {
    this.#pace.recovered(this.#recovery, this.#recovery.finish(tail), nowMs);
  }

  #admit(at: { offset: number; index: number }, delivery: Delivery, nowMs: number): void {
    const recovering = this.#recovery.batchAt(at);
    const isExpired = delivery.expiresAtMs <= nowMs;
    const entry: Entry = {
      ...at,
      delivery,
      joinedAtMs: nowMs,
      isAlone: recovering === undefined && !isExpired && this.#recovery.isAlone(at, delivery),
      isSettled: false,
      batch: undefined,
    };
    this.#holdings.add(delivery);
    if (recovering !== undefined) this.#rejoin(recovering, entry, nowMs);
    else if (!this.#campaigns.has(delivery.campaignId)) {
      this.#settleEntry(entry, 'cancelled', nowMs);
    } else if (isExpired) this.#settleEntry(entry, 'expired', nowMs);
    else {
      this.#batching.push(entry);
      this.#pace.expiring(delivery.expiresAtMs, nowMs);
      this.#expiries.add(delivery.expiresAtMs, entry);
    }
  }

  #rejoin(batch: Batch, entry: Entry, nowMs: number): void {
    if (!this.#recovery.join(batch, entry)) return;
    this.#batches.add(batch);
    if (this.#campaigns.has(campaignOf(batch))) this.#wait(batch);
    else this.#fail(batch, 'cancelled', nowMs);
  }

  #expire(nowMs: number): void {
    for (;;) {
      const expired = this.#expiries.takeDue(nowMs);
      if (expired === undefined) return;
      if ('members' in expired) this.#fail(expired, 'expired', nowMs);
      else {
        this.#batching.forget(expired);
        this.#settleEntry(expired, 'expired', nowMs);
      }
    }
  }

  #nextReady(): Batch | undefined {
    for (;;) {
      const batch = this.#ready.shift();
      if (batch === undefined || batch.state === 'ready') return batch;
    }
  }

  /**
   * Forms batches for the free places. One of a single delivery may go at once; the others must
   * first be durable, lest a crash compose them anew, under another id.
   */
  #form(nowMs: number): Batch | undefined {
    while (this.#flights.size + this.#reserved < this.#webhook.maxInFlight) {
      if (this.#pace.freeAtMs(this.#reserved, nowMs) > nowMs) return undefined;
      const members = this.#batching.take(this.#webhook.batch, nowMs);
      if (members === undefined) return undefined;
      const id = webhookIdOf(members.map((member) => member.delivery.id));
      const batch = batchOf(id, members, 'forming');
      this.#batches.add(batch);
      this.#reserved++;
      this.#expiries.add(batch.expiresAtMs, batch);
      if (this.#outbox.allowUnrecorded(batch)) return batch;
      this.#outbox.pushFormed(batch);
    }
    return undefined;
  }

  #start(batch: Batch, nowMs: number, wallMs: number): SenderAttempt {
    const campaignId = campaignOf(batch);
    const members = batch.members.map((member) => member.delivery);
    const attempt = batch.attempts + 1;
    const handle = ++this.#handle;
    this.#move(batch, 'inFlight');
    this.#flights.set(handle, batch);
    this.#pace.take(nowMs);
    const request = requestOf({
      webhook: this.#webhook,
      campaign: this.#campaigns.get(campaignId)!,
      members,
      webhookId: batch.webhookId,
      attempt,
      atMs: wallMs,
      userAgent: this.#userAgent,
    });
    const { webhookId } = batch;
    return { handle, webhookId, campaignId, attempt, startedAtMs: nowMs, members, request };
  }

  #retry(batch: Batch, result: TransportResult, nowMs: number, facts: AttemptFacts): void {
    batch.attempts++;
    const firstExpiryMs = this.#expiries.nextAtMs() ?? Number.POSITIVE_INFINITY;
    const expiresAtMs = Math.min(batch.expiresAtMs, firstExpiryMs);
    const holdUntilMs = this.#pace.answered(result, nowMs, expiresAtMs);
    const { retryScheduleMs } = this.#webhook;
    const delayMs = retryDelayMs(retryScheduleMs, batch.webhookId, batch.attempts);
    batch.retryAtMs = Math.max(nowMs + delayMs, holdUntilMs);
    if (!this.#campaigns.has(campaignOf(batch))) this.#fail(batch, 'cancelled', nowMs, facts);
    else if (batch.retryAtMs >= batch.expiresAtMs) this.#fail(batch, 'expired', nowMs, facts);
    else {
      this.#wait(batch);
      this.#outbox.push({
        ...facts,
        kind: 'retry',
        webhookId: batch.webhookId,
        members: batch.positions,
        retryAtMs: batch.retryAtMs,
        holdUntilMs,
      });
    }
  }

  #wait(batch: Batch): void {
    this.#move(batch, 'waiting');
    this.#retries.add(batch.retryAtMs, batch);
    this.#expiries.add(batch.expiresAtMs, batch);
  }

  #move(batch: Batch, state: BatchState): void {
    if (batch.state === 'forming' || batch.state === 'ready') this.#reserved--;
    batch.state = state;
    if (state === 'forming' || state === 'ready') this.#reserved++;
  }

  #fail(batch: Batch, reason: string, atMs: number, last?: AttemptFacts): void {
    this.#settle(batch, 'failed', reason, atMs, last);
  }

  #settle(
    batch: Batch,
    outcome: 'delivered' | 'failed',
    reason: string,
    atMs: number,
    last?: AttemptFacts,
  ): void {
    this.#move(batch, 'settled');
    this.#batches.delete(batch);
    this.#outbox.push({
      kind: 'settled',
      webhookId: batch.webhookId,
      campaignId: campaignOf(batch),
      outcome,
      reason,
      atMs,
      ...(last === undefined ? {} : { last }),
      members: batch.members.map((member) => this.#close(member)),
    });
  }

  /** Gives up on a delivery that never made it into a batch. */
  #settleEntry(entry: Entry, reason: string, atMs: number): void {
    const { id, campaignId } = entry.delivery;
    const members = [this.#close(entry)];
    const facts = { webhookId: id, campaignId, reason, atMs, members };
    this.#outbox.push({ kind: 'settled', outcome: 'failed', ...facts });
  }

  #close(entry: Entry) {
    entry.isSettled = true;
    const { offset, index, delivery } = entry;
    const { id, userId, isAnonymous, wantsOutcome } = delivery;
    this.#holdings.remove(delivery);
    this.#progress.settle(offset, index);
    if (wantsOutcome !== true) return { offset, index, id, userId };
    return { offset, index, id, userId, isAnonymous: isAnonymous === true, wantsOutcome };
  }
}
