/**
 * What the partitions know of the definitions, and so all that stands of them in control records,
 * in checkpoints and in the log: who qualifies, when, and the names of webhooks. What only a
 * request needs (addresses, headers, credentials, key values, query parameters) stays with the
 * sender, which has it from the files, in memory.
 */
import type { Campaign, Definitions } from './definitions.ts';

/** The shape of a campaign's content, not what it says. */
type PartitionContent = Pick<Campaign['content'], 'mode' | 'type' | 'fields'>;

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
  const { webhooks: _, ...rest } = definitions as Definitions;
  return { ...rest, campaigns: definitions.campaigns.map(partitionCampaign) };
}

/** A copy without what the partitions must not know. */
export function partitionCampaign(campaign: PartitionCampaign): PartitionCampaign {
  const { mode, type, fields } = campaign.content;
  return { ...campaign, content: { mode, type, fields } };
}
