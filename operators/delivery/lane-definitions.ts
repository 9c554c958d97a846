import type { Campaign, Definitions } from '../definitions.ts';
import type { Life } from '../router/campaign-entry.ts';
import type { LaneDefinitions } from './lane-campaigns.ts';

/**
 * What each lane must know, by webhook.
 * @param lives by campaign, where it is not what its definition says
 */
export function laneDefinitions(
  { settings, webhooks, campaigns }: Definitions,
  lives: ReadonlyMap<string, Life> = new Map(),
): ReadonlyMap<string, LaneDefinitions> {
  const { timezone } = settings;
  const byWebhook = new Map<string, Map<string, Campaign>>();
  for (const { id } of webhooks) byWebhook.set(id, new Map());
  for (const campaign of campaigns) byWebhook.get(campaign.webhook)?.set(campaign.id, campaign);
  return new Map(
    webhooks.map((webhook) => [
      webhook.id,
      { webhook, campaigns: byWebhook.get(webhook.id)!, lives, timezone },
    ]),
  );
}
