import type { Entry } from './batch.ts';

export interface BatchLimits {
  readonly max: number;
  readonly lingerMs: number;
}

const ALONE: BatchLimits = { max: 1, lingerMs: 0 };
/** So long after the last one joined a batch waits for no more: an idle lane is near-instant. */
const QUIET_MS = 2;
/**
 * Members expire with the first of them, since a retry keeps its batch whole; so they must be
 * close. Matters only for a backlog: what qualifies at one time expires at one time.
 */
export const EXPIRY_SPREAD_MS_MAX = 60_000;

/** The deliveries of one campaign that wait for a batch, in order of position. */
class CampaignQueue {
  readonly #entries: (Entry | undefined)[] = [];
  #head = 0;
  #lastJoinedAtMs = 0;
  /** Entries that still wait; settled ones are skipped when they come up. */
  size = 0;

  push(entry: Entry): void {
    this.#entries.push(entry);
    this.#lastJoinedAtMs = entry.joinedAtMs;
    this.size++;
  }

  /** When its next batch may leave, given a free slot; Unix ms. */
  leavesAtMs({ max, lingerMs }: BatchLimits): number {
    const first = this.#first();
    if (first === undefined) return Number.POSITIVE_INFINITY;
    if (first.isAlone || this.size >= max) return first.joinedAtMs;
    const quietAtMs = this.#lastJoinedAtMs + Math.min(QUIET_MS, lingerMs);
    return Math.min(first.joinedAtMs + lingerMs, quietAtMs);
  }

  /** Takes the next batch out, always from the front. */
  take(max: number): Entry[] {
    const members: Entry[] = [];
    while (members.length < max) {
      const entry = this.#first();
      if (entry === undefined) break;
      const first = members[0];
      if (first !== undefined && (entry.isAlone || isApart(first, entry))) break;
      members.push(entry);
      this.#drop();
      this.size--;
      if (entry.isAlone) break;
    }
    return members;
  }

  *waiting(): Generator<Entry> {
    for (let i = this.#head; i < this.#entries.length; i++) {
      const entry = this.#entries[i];
      if (entry !== undefined && !entry.isSettled) yield entry;
    }
  }

  #first(): Entry | undefined {
    while (this.#head < this.#entries.length) {
      const entry = this.#entries[this.#head]!;
      if (!entry.isSettled) return entry;
      this.#drop();
    }
    return undefined;
  }

  #drop(): void {
    this.#entries[this.#head++] = undefined;
    // Moving the rest down now and then keeps the array as long as the queue.
    if (this.#head >= 1_024 && this.#head * 2 >= this.#entries.length) {
      this.#entries.splice(0, this.#head);
      this.#head = 0;
    }
  }
}

/** Members share their fate: they expire together, and their places count on one day. */
function isApart(first: Entry, entry: Entry): boolean {
  if (first.capDay !== entry.capDay) return true;
  const spreadMs = entry.delivery.expiresAtMs - first.delivery.expiresAtMs;
  return Math.abs(spreadMs) > EXPIRY_SPREAD_MS_MAX;
}

/** Gathers deliveries into batches: by campaign, in order, campaigns in turn. */
export class Batching {
  /** In order of turn. */
  readonly #queues = new Map<string, CampaignQueue>();
  /** Those of campaigns that are paused. */
  readonly #held = new Map<string, CampaignQueue>();
  readonly #isHeld: (campaignId: string) => boolean;

  readonly #isAlone: (campaignId: string) => boolean;

  /**
   * @param isHeld whether a campaign is paused: its deliveries wait
   * @param isAlone whether each delivery of a campaign has a request of its own
   */
  constructor(
    isHeld: (campaignId: string) => boolean = () => false,
    isAlone: (campaignId: string) => boolean = () => false,
  ) {
    this.#isHeld = isHeld;
    this.#isAlone = isAlone;
  }

  /** Asks again which campaigns are paused. */
  holdAnew(): void {
    for (const [campaignId, queue] of [...this.#queues, ...this.#held]) {
      const [from, to] = this.#isHeld(campaignId)
        ? [this.#queues, this.#held]
        : [this.#held, this.#queues];
      if (!from.delete(campaignId)) continue;
      to.set(campaignId, queue);
    }
  }

  push(entry: Entry): void {
    const { campaignId } = entry.delivery;
    let queue = this.#queueOf(campaignId);
    if (queue === undefined) {
      queue = new CampaignQueue();
      (this.#isHeld(campaignId) ? this.#held : this.#queues).set(campaignId, queue);
    }
    queue.push(entry);
  }

  /** Says that an entry was settled without having been taken. */
  forget(entry: Entry): void {
    const { campaignId } = entry.delivery;
    const queue = this.#queueOf(campaignId);
    if (queue === undefined) return;
    queue.size--;
    if (queue.size > 0) return;
    this.#queues.delete(campaignId);
    this.#held.delete(campaignId);
  }

  #queueOf(campaignId: string): CampaignQueue | undefined {
    return this.#queues.get(campaignId) ?? this.#held.get(campaignId);
  }

  /** When the next batch may leave, given a free slot; undefined when nothing waits. */
  leavesAtMs(limits: BatchLimits): number | undefined {
    let atMs = Number.POSITIVE_INFINITY;
    for (const [campaignId, queue] of this.#queues) {
      atMs = Math.min(atMs, queue.leavesAtMs(this.#limitsOf(campaignId, limits)));
    }
    return atMs === Number.POSITIVE_INFINITY ? undefined : atMs;
  }

  #limitsOf(campaignId: string, limits: BatchLimits): BatchLimits {
    return this.#isAlone(campaignId) ? ALONE : limits;
  }

  /** The next batch that may leave now, of the campaign whose turn it is. */
  take(limits: BatchLimits, nowMs: number): Entry[] | undefined {
    for (const [campaignId, queue] of this.#queues) {
      const own = this.#limitsOf(campaignId, limits);
      if (queue.leavesAtMs(own) > nowMs) continue;
      const members = queue.take(own.max);
      // To the end of the line.
      this.#queues.delete(campaignId);
      if (queue.size > 0) this.#queues.set(campaignId, queue);
      return members;
    }
    return undefined;
  }

  campaignIds(): string[] {
    return [...this.#queues.keys(), ...this.#held.keys()];
  }

  waitingOf(campaignId: string): Entry[] {
    return [...(this.#queueOf(campaignId)?.waiting() ?? [])];
  }
}
