import type { OutgoingRequest } from '../../engine/sender/transport.ts';
import type { Webhook } from '../definitions.ts';
import { type RenderReason, RenderRefusal } from '../render/template-failure.ts';
import { type Batch, campaignOf } from './batch.ts';
import { requestOf } from './content.ts';
import type { LaneCampaigns } from './lane-campaigns.ts';

/** Batches that templates may end in one poll, before others have their turn. */
export const RENDERINGS_PER_POLL = 64;

/**
 * The request of a batch's next attempt, with the content that its campaign has now.
 * @returns the reason when a template ends the batch instead
 */
export function nextRequestOf(
  batch: Batch,
  parts: {
    readonly webhook: Webhook;
    readonly campaigns: LaneCampaigns;
    readonly userAgent: string;
    readonly atMs: number;
  },
): OutgoingRequest | RenderReason {
  const { webhook, campaigns, userAgent, atMs } = parts;
  const campaign = campaigns.get(campaignOf(batch))!;
  const members = batch.members.map(({ delivery }) => delivery);
  // It was formed before its campaign got templates over the user, of whom it has several.
  if (members.length > 1 && campaigns.isAlone(campaign.id)) return 'render-failed';
  const { webhookId, attempts } = batch;
  const { timezone } = campaigns;
  const attempt = attempts + 1;
  try {
    return requestOf({ webhook, campaign, members, webhookId, attempt, atMs, userAgent, timezone });
  } catch (error) {
    if (error instanceof RenderRefusal) return error.reason;
    throw error;
  }
}
