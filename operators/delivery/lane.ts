import type { SenderAttempt } from '../../engine/sender/sender-lane.ts';
import type { TransportResult } from '../../engine/sender/transport.ts';
import type { Webhook } from '../definitions.ts';
import { refusalOf } from './admission.ts';
import {
  type Batch,
  type BatchState,
  batchOf,
  batchSnapshot,
  campaignOf,
  type Entry,
  isIdle,
} from './batch.ts';
import { Batching } from './batching.ts';
import { Caps } from './caps.ts';
import { Deadlines } from './deadlines.ts';
import type { Delivery } from './delivery.ts';
import { Holdings } from './holdings.ts';
import { webhookIdOf } from './ids.ts';
import { LaneCampaigns, type LaneDefinitions, type LaneOptions } from './lane-campaigns.ts';
import type { AttemptFacts, LaneRecord, LaneSnapshot } from './lane-records.ts';
import { Outbox } from './outbox.ts';
import { Pace } from './pace.ts';
import { Progress } from './progress.ts';
import { Recovery } from './recovery.ts';
import { nextRequestOf, RENDERINGS_PER_POLL } from './requests.ts';
import { retryDelayMs } from './retry.ts';
import { attemptFacts, deliveredAt, type FinalWord, Settling } from './settling.ts';
import { judge } from './verdict.ts';

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
 * before. Known limits: what is beyond `room` is not looked at, its expiry is noticed when read;
 * what a paused campaign has waiting takes up room of its webhook until it expires.
 */
export class Lane {
  readonly #userAgent: string;
  readonly #holdings: Holdings;
  #webhook: Webhook;
  readonly #campaigns: LaneCampaigns;
  readonly #caps: Caps;
  readonly #progress = new Progress();
  readonly #recovery: Recovery;
  readonly #batching = new Batching(
    (campaignId) => this.#campaigns.isPaused(campaignId),
    (campaignId) => this.#campaigns.isAlone(campaignId),
  );
  readonly #pace: Pace;
  readonly #batches = new Set<Batch>();
  readonly #retries = new Deadlines<Batch>(
    (batch, atMs) => batch.state === 'waiting' && batch.retryAtMs === atMs,
  );
  readonly #expiries = new Deadlines<Entry | Batch>(
    (value, atMs) => isIdle(value) && this.#campaigns.deadlineOf(value).atMs === atMs,
  );
  /** Batches under way, by the handles of their attempts. */
  readonly #flights = new Map<number, Batch>();
  #ready: Batch[] = [];
  readonly #outbox = new Outbox();
  readonly #settling: Settling;
  #handle = 0;
  /** Batches that are formed and hold a place, but are not on their way. */
  #reserved = 0;

  constructor(options: LaneOptions) {
    this.#userAgent = options.userAgent;
    const { deliveriesMax = 20_000, deliveryBytesMax = 16 * 2 ** 20 } = options;
    this.#holdings = new Holdings(deliveriesMax, deliveryBytesMax);
    this.#webhook = options.webhook;
    this.#campaigns = new LaneCampaigns(options);
    this.#caps = new Caps(options.timezone);
    this.#recovery = new Recovery(this.#caps);
    this.#settling = new Settling({
      holdings: this.#holdings,
      progress: this.#progress,
      caps: this.#caps,
      outbox: this.#outbox,
    });
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

  /** New contents hold from the next attempt on; what is over is cancelled where it waits. */
  update(definitions: LaneDefinitions, nowMs: number): void {
    this.#webhook = definitions.webhook;
    this.#pace.configure(definitions.webhook.rate);
    this.#caps.configure(definitions.timezone);
    const moved = this.#campaigns.update(definitions);
    for (const campaignId of this.#batching.campaignIds()) {
      const isOver = this.#campaigns.isOver(campaignId);
      if (!isOver && !moved.has(campaignId)) continue;
      for (const entry of this.#batching.waitingOf(campaignId)) {
        if (isOver) this.#giveUp(entry, 'cancelled', nowMs);
        else this.#expireLater(entry);
      }
    }
    for (const batch of this.#batches) {
      const campaignId = campaignOf(batch);
      if (batch.state === 'inFlight') continue;
      if (this.#campaigns.isOver(campaignId)) this.#fail(batch, 'cancelled', nowMs);
      else if (batch.state === 'held' && !this.#campaigns.isPaused(campaignId)) this.#wait(batch);
      else if (moved.has(campaignId)) this.#expireLater(batch);
    }
    this.#batching.holdAnew();
  }

  /** Campaigns whose cap has been used up by what is delivered; each is named once. */
  takeCompleted(): readonly string[] {
    return this.#caps.takeCompleted((campaignId) => this.#campaigns.get(campaignId));
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
    for (let n = 0; n < RENDERINGS_PER_POLL; n++) {
      const batch = this.#nextReady() ?? this.#nextRetry(nowMs) ?? this.#form(nowMs);
      const attempt = batch && this.#start(batch, nowMs, wallMs);
      if (batch === undefined || attempt !== undefined) return attempt;
    }
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
    const facts = attemptFacts(attempt, result);
    const verdict = judge(result, this.#webhook.success);
    if (verdict.kind === 'delivered') this.#settle(batch, deliveredAt(nowMs, facts));
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

  /** The state as of the records taken last, see `SenderLane.snapshot`. */
  snapshot(isClean: boolean): LaneSnapshot {
    const batches = [...this.#batches, ...this.#recovery.batches()];
    return {
      readTo: this.#progress.readTo,
      open: this.#progress.snapshot(),
      batches: batches.map(batchSnapshot),
      rateArrivalAtMs: this.#pace.rateArrivalAtMs,
      holdUntilMs: this.#pace.holdUntilMs,
      aloneUpTo: this.#recovery.aloneUpTo > this.base ? this.#recovery.aloneUpTo : 0,
      caps: this.#caps.snapshot(),
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
      capDay: undefined,
      isSettled: false,
      batch: undefined,
    };
    this.#settling.hold(delivery);
    if (recovering !== undefined) this.#rejoin(recovering, entry, nowMs);
    else this.#queue(entry, nowMs);
  }

  #queue(entry: Entry, nowMs: number): void {
    const refusal = refusalOf(entry, { campaigns: this.#campaigns, caps: this.#caps, nowMs });
    if (refusal !== undefined) {
      this.#settling.entry(entry, { ...refusal, atMs: nowMs });
      return;
    }
    this.#batching.push(entry);
    this.#pace.expiring(this.#campaigns.deadlineOf(entry).atMs, nowMs);
    this.#expireLater(entry);
  }

  #expireLater(value: Entry | Batch): void {
    this.#expiries.add(this.#campaigns.deadlineOf(value).atMs, value);
  }

  #rejoin(batch: Batch, entry: Entry, nowMs: number): void {
    if (!this.#recovery.join(batch, entry)) return;
    this.#batches.add(batch);
    if (this.#campaigns.isOver(campaignOf(batch))) this.#fail(batch, 'cancelled', nowMs);
    else this.#wait(batch);
  }

  #expire(nowMs: number): void {
    for (;;) {
      const expired = this.#expiries.takeDue(nowMs);
      if (expired === undefined) return;
      const { reason } = this.#campaigns.deadlineOf(expired);
      if ('members' in expired) this.#fail(expired, reason, nowMs);
      else this.#giveUp(expired, reason, nowMs);
    }
  }

  #nextReady(): Batch | undefined {
    for (;;) {
      const batch = this.#ready.shift();
      if (batch === undefined || (batch.state === 'ready' && !this.#hasHeld(batch))) return batch;
    }
  }

  #nextRetry(nowMs: number): Batch | undefined {
    for (;;) {
      const batch = this.#retries.takeDue(nowMs);
      if (batch === undefined || !this.#hasHeld(batch)) return batch;
    }
  }

  /** Lets a batch of a paused campaign wait. */
  #hasHeld(batch: Batch): boolean {
    if (!this.#campaigns.isPaused(campaignOf(batch))) return false;
    this.#move(batch, 'held');
    return true;
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
      this.#expireLater(batch);
      if (this.#outbox.allowUnrecorded(batch)) return batch;
      this.#outbox.pushFormed(batch);
    }
    return undefined;
  }

  /** @returns undefined when a template has ended the batch instead */
  #start(batch: Batch, nowMs: number, wallMs: number): SenderAttempt | undefined {
    const request = nextRequestOf(batch, {
      webhook: this.#webhook,
      campaigns: this.#campaigns,
      userAgent: this.#userAgent,
      atMs: wallMs,
    });
    if (typeof request === 'string') {
      this.#outbox.answered(batch);
      this.#fail(batch, request, nowMs);
      return undefined;
    }
    const members = batch.members.map(({ delivery }) => delivery);
    const handle = ++this.#handle;
    this.#move(batch, 'inFlight');
    this.#flights.set(handle, batch);
    this.#pace.take(nowMs);
    const { webhookId, attempts } = batch;
    const attempt = { handle, webhookId, campaignId: campaignOf(batch), attempt: attempts + 1 };
    return { ...attempt, startedAtMs: nowMs, members, request };
  }

  #retry(batch: Batch, result: TransportResult, nowMs: number, facts: AttemptFacts): void {
    batch.attempts++;
    const firstExpiryMs = this.#expiries.nextAtMs() ?? Number.POSITIVE_INFINITY;
    // One that has expired on its way needs no attempt before the hold ends.
    const ownExpiryMs = batch.expiresAtMs > nowMs ? batch.expiresAtMs : Number.POSITIVE_INFINITY;
    const holdUntilMs = this.#pace.answered(result, nowMs, Math.min(ownExpiryMs, firstExpiryMs));
    const delayMs = retryDelayMs(this.#webhook.retryScheduleMs, batch.webhookId, batch.attempts);
    batch.retryAtMs = Math.max(nowMs + delayMs, holdUntilMs);
    const deadline = this.#campaigns.deadlineOf(batch);
    if (this.#campaigns.isOver(campaignOf(batch))) this.#fail(batch, 'cancelled', nowMs, facts);
    else if (batch.retryAtMs >= deadline.atMs) this.#fail(batch, deadline.reason, nowMs, facts);
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
    this.#expireLater(batch);
  }

  #move(batch: Batch, state: BatchState): void {
    if (batch.state === 'forming' || batch.state === 'ready') this.#reserved--;
    batch.state = state;
    if (state === 'forming' || state === 'ready') this.#reserved++;
  }

  #fail(batch: Batch, reason: string, atMs: number, last?: AttemptFacts): void {
    this.#settle(batch, { outcome: 'failed', reason, atMs, last });
  }

  #settle(batch: Batch, word: FinalWord): void {
    this.#move(batch, 'settled');
    this.#batches.delete(batch);
    this.#settling.batch(batch, word);
  }

  /** Gives up on a delivery that waits for a batch. */
  #giveUp(entry: Entry, reason: string, atMs: number): void {
    this.#batching.forget(entry);
    this.#settling.entry(entry, { outcome: 'failed', reason, atMs });
  }
}
