import type { Definitions } from '../../operators/definitions.ts';
import type { LaneDefinitions } from '../../operators/delivery/lane.ts';

/** What each lane must know: its webhook and the campaigns that use it. */
export function laneDefinitions(definitions: Definitions): ReadonlyMap<string, LaneDefinitions> {
  return new Map(
    definitions.webhooks.map((webhook) => [
      webhook.id,
      {
        webhook,
        campaigns: new Map(
          definitions.campaigns
            .filter((campaign) => campaign.webhook === webhook.id)
            .map((campaign) => [campaign.id, campaign]),
        ),
      },
    ]),
  );
}
