/**
 * What the partitions know of the definitions, and so all that stands of them in control records,
 * in checkpoints and in the log: who qualifies, when, and the names of webhooks. What only a
 * request needs (addresses, headers, credentials, key values, query parameters) stays with the
 * sender, which has it from the files, in memory.
 */
import type { Campaign, Definitions, Webhook } from './definitions.ts';
import { isOverUser } from './render/over-user.ts';

/** The shape of a campaign's content, not what it says. */
type PartitionContent = Pick<Campaign['content'], 'mode' | 'type' | 'fields' | 'payload'> & {
  /** Deliveries carry their subject, for the sender to render. @default false */
  readonly hasTemplates?: boolean;
};

export interface PartitionCampaign extends Omit<Campaign, 'content'> {
  readonly content: PartitionContent;
}

export interface PartitionDefinitions extends Omit<Definitions, 'webhooks' | 'campaigns'> {
  readonly campaigns: readonly PartitionCampaign[];
}

/** A copy without what the partitions must not know; of definitions or of such a copy. */
export function partitionDefinitions(
  definitions: Definitions | PartitionDefinitions,
): PartitionDefinitions {
  const { webhooks = [], ...rest } = definitions as Definitions;
  return { ...rest, campaigns: partitionCampaigns(definitions.campaigns, webhooks) };
}

export function partitionCampaigns(
  campaigns: readonly PartitionCampaign[],
  webhooks: readonly Webhook[],
): PartitionCampaign[] {
  const byId = new Map(webhooks.map((webhook) => [webhook.id, webhook]));
  return campaigns.map((campaign) => partitionCampaign(campaign, byId.get(campaign.webhook)));
}

/**
 * A copy without what the partitions must not know.
 * @param webhook the campaign's, unless it is such a copy already
 */
export function partitionCampaign(
  campaign: PartitionCampaign,
  webhook?: Webhook,
): PartitionCampaign {
  const { mode, type, fields, payload, hasTemplates } = campaign.content;
  const isTemplated = hasTemplates ?? isOverUser(campaign.content, webhook);
  const content: PartitionContent = {
    mode,
    type,
    fields,
    ...(payload === 'v2' ? { payload } : {}),
    // Silent where it is false, so that stored definitions stay equal to what they were.
    ...(isTemplated ? { hasTemplates: true } : {}),
  };
  return { ...campaign, content };
}
