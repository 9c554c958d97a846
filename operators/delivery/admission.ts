import type { Entry } from './batch.ts';
import { Caps } from './caps.ts';
import type { LaneCampaigns } from './lane-campaigns.ts';
import type { FinalWord } from './settling.ts';

/**
 * Takes a delivery's place under its campaign's cap.
 * @returns why the delivery is not taken in; undefined when it is
 */
export function refusalOf(
  entry: Entry,
  parts: { readonly campaigns: LaneCampaigns; readonly caps: Caps; readonly nowMs: number },
): Pick<FinalWord, 'outcome' | 'reason'> | undefined {
  const { campaigns, caps, nowMs } = parts;
  const campaign = campaigns.get(entry.delivery.campaignId);
  if (campaign === undefined || campaigns.isOver(campaign.id)) {
    return { outcome: 'failed', reason: 'cancelled' };
  }
  const { atMs, reason } = campaigns.deadlineOf(entry);
  if (atMs <= nowMs) return { outcome: 'failed', reason };
  if (!Caps.isCapped(campaign) || caps.reserve(campaign, entry, nowMs)) return undefined;
  return { outcome: 'suppressed', reason: 'targeting-cap' };
}
