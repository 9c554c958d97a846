import type { Campaign, Webhook } from '../definitions.ts';
import { isOverUser } from '../render/over-user.ts';
import type { Life } from '../router/campaign-entry.ts';
import type { Batch, Entry } from './batch.ts';
import { campaignOf } from './batch.ts';

/** What a lane must know: its webhook and the campaigns that use it. */
export interface LaneDefinitions {
  readonly webhook: Webhook;
  /** By id; deliveries of a campaign that is not among them are cancelled. */
  readonly campaigns: ReadonlyMap<string, Campaign>;
  /** By campaign, where it is not what its definition says. @default none */
  readonly lives?: ReadonlyMap<string, Life>;
  /** The account's zone, whose days a cap counts. @default 'UTC' */
  readonly timezone?: string;
}

export interface LaneOptions extends LaneDefinitions {
  /** `Lapse/<version>`. */
  readonly userAgent: string;
  /** Deliveries held in memory; the rest stays in the log. @default 20_000 */
  readonly deliveriesMax?: number;
  /** Bytes of them. @default 16 MiB */
  readonly deliveryBytesMax?: number;
}

/** When a delivery is given up, and why. */
export interface Deadline {
  /** No attempt starts at or after it. Unix ms. */
  readonly atMs: number;
  readonly reason: 'expired' | 'campaign-ended';
}

/**
 * The campaigns of a lane and where they are in their lives.
 *
 * A paused campaign sends nothing, and its deliveries wait; their time to live goes on (E40): a
 * message that has become pointless is not worth more after a pause. One that is stopped, archived
 * or gone gives its deliveries up. One that has ended gives them up at its end (E47).
 */
export class LaneCampaigns {
  #campaigns: ReadonlyMap<string, Campaign>;
  #lives: ReadonlyMap<string, Life>;

  /** Campaigns whose requests are made for one user each. */
  #alone: ReadonlySet<string>;
  /** The account's zone, an IANA name. */
  timezone: string;

  constructor(definitions: LaneDefinitions) {
    const { campaigns, lives = new Map(), timezone = 'UTC' } = definitions;
    this.#campaigns = campaigns;
    this.#lives = lives;
    this.timezone = timezone;
    this.#alone = aloneOf(definitions);
  }

  /** @returns campaigns that end at another instant than before */
  update(definitions: LaneDefinitions): ReadonlySet<string> {
    const { campaigns, lives = new Map(), timezone = 'UTC' } = definitions;
    const moved = new Set<string>();
    for (const [id, { schedule }] of campaigns) {
      if (schedule.endAtMs !== this.#campaigns.get(id)?.schedule.endAtMs) moved.add(id);
    }
    this.#campaigns = campaigns;
    this.#lives = lives;
    this.timezone = timezone;
    this.#alone = aloneOf(definitions);
    return moved;
  }

  get(campaignId: string): Campaign | undefined {
    return this.#campaigns.get(campaignId);
  }

  /** Nothing of it is sent any more: what waits is cancelled. */
  isOver(campaignId: string): boolean {
    if (!this.#campaigns.has(campaignId)) return true;
    const life = this.#lives.get(campaignId);
    return life === 'stopped' || life === 'archived' || life === 'draft';
  }

  /** Whether each of its deliveries has a request of its own. */
  isAlone(campaignId: string): boolean {
    return this.#alone.has(campaignId);
  }

  isPaused(campaignId: string): boolean {
    return this.#lives.get(campaignId) === 'paused';
  }

  deadlineOf(value: Entry | Batch): Deadline {
    const isBatch = 'members' in value;
    const { expiresAtMs } = isBatch ? value : value.delivery;
    const campaignId = isBatch ? campaignOf(value) : value.delivery.campaignId;
    const endAtMs = this.#campaigns.get(campaignId)?.schedule.endAtMs;
    // What is due at the very end is sent, and nothing after it.
    if (endAtMs === undefined || endAtMs >= expiresAtMs) {
      return { atMs: expiresAtMs, reason: 'expired' };
    }
    return { atMs: endAtMs + 1, reason: 'campaign-ended' };
  }
}

function aloneOf({ webhook, campaigns }: LaneDefinitions): ReadonlySet<string> {
  const alone = [...campaigns.values()].filter(({ content }) => isOverUser(content, webhook));
  return new Set(alone.map(({ id }) => id));
}
