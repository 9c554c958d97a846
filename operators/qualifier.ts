/** Makes a delivery of a user who has met a campaign. */
import type { PipelineHost } from '../engine/partition/pipeline.ts';
import { type Key, rehash } from '../engine/state/key.ts';
import type { CampaignCounters } from './campaign-counters.ts';
import type { Delivery } from './delivery/delivery.ts';
import type { PartitionCampaign } from './partition-definitions.ts';
import { qualificationIds } from './qualification-id.ts';
import { renderProfile } from './render/variables.ts';

/** One user has met one campaign once. */
export interface Qualification {
  readonly atMs: number;
  readonly campaignId: string;
  readonly userId: string;
  readonly window: string;
}

/** The event that a message tells of, by the two halves of its id's hash. */
export interface Occurrence {
  readonly lo: number;
  readonly hi: number;
  readonly properties: Record<string, unknown>;
}

const NO_PROFILE: Record<string, unknown> = {};
// A BOM is a character of the id like any other, and must not be left out.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export class Qualifier {
  readonly #host: PipelineHost;
  readonly #counters: CampaignCounters;
  readonly #onQualified: ((qualification: Qualification) => void) | undefined;

  /** @param onQualified told of every qualification, before its delivery is handed over */
  constructor(
    host: PipelineHost,
    counters: CampaignCounters,
    onQualified: ((qualification: Qualification) => void) | undefined,
  ) {
    this.#host = host;
    this.#counters = counters;
    this.#onQualified = onQualified;
  }

  /** @param atMs when the user met it, Unix ms */
  qualify(
    campaign: PartitionCampaign,
    key: Key,
    atMs: number,
    { lo, hi, properties }: Occurrence,
  ): void {
    const userId = decoder.decode(key.bytes.subarray(key.start, key.start + key.length));
    const ids = qualificationIds(campaign.id, userId, key.isAnonymous, lo, hi);
    this.#counters.qualifications++;
    this.#onQualified?.({ atMs, campaignId: campaign.id, userId, window: ids.window });
    const delivery: Delivery = {
      id: ids.delivery,
      campaignId: campaign.id,
      userId,
      qualifiedAtMs: atMs,
      dueAtMs: atMs,
      expiresAtMs: atMs + campaign.ttlMs,
      body: renderProfile(campaign.content, {
        userId,
        isAnonymous: key.isAnonymous,
        profile: this.#profileOf(campaign, key),
        event: properties,
      }),
    };
    this.#host.emit(`out.${campaign.webhook}`, delivery);
  }

  #profileOf(campaign: PartitionCampaign, key: Key): Record<string, unknown> {
    for (const field of campaign.content.fields) {
      if (field === 'identity' || field === 'eventProperties') continue;
      rehash(key);
      return this.#host.state.profiles.attributesOf(key);
    }
    return NO_PROFILE;
  }
}
