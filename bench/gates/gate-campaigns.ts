/** Definitions of any number of campaigns, as a file would say them. */
import { parseDefinitions } from '../../config/definitions/definitions.ts';
import {
  type PartitionDefinitions,
  partitionDefinitions,
} from '../../operators/partition-definitions.ts';

const WEBHOOK_ID = 'crm';
const SETTINGS = {
  globalLimits: [{ atMost: 250, per: '1m' }],
  controlGroups: { system: 2, custom: { holdout: 3 } },
};
const CONTENT = { fields: ['identity', 'eventProperties'], keyValues: { source: 'bench' } };

export function campaignId(index: number): string {
  return `c${String(index).padStart(5, '0')}`;
}

/** Each on an event of its own, with every gate that a partition asks. */
export function gatedCampaigns(count: number): PartitionDefinitions {
  return definitionsOf(count, (index) => ({
    qualify: { live: { action: { event: seen(index), where: { price: { gte: 10 } } } } },
    who: { where: { plan: 'pro' }, recheck: true },
    control: { percent: 5, custom: ['holdout'] },
    repeat: { atMost: 50 },
    delay: '1s',
    quietHours: { windows: [{ from: '22:00', to: '06:00' }] },
    goal: { event: 'Charged', within: '1h' },
  }));
}

/** Each opens windows by an event of its own, and closes them by one of its own. */
export function windowCampaigns(count: number, within = '30m'): PartitionDefinitions {
  return definitionsOf(count, (index) => inaction(index, bought(index), within));
}

/** Each opens windows by an event of its own; one event closes those of all. */
export function sharedCampaigns(count: number): PartitionDefinitions {
  return definitionsOf(count, (index) => inaction(index, ORDER, '30m'));
}

/** The event that closes the windows of all `sharedCampaigns`. */
export const ORDER = 'Order Completed';

export function seen(index: number): string {
  return `Seen ${index}`;
}

export function bought(index: number): string {
  return `Bought ${index}`;
}

function inaction(index: number, without: string, within: string) {
  const did = { event: seen(index), where: { price: { gte: 10 } } };
  return {
    qualify: { live: { inaction: { did, without: [{ event: without }], within } } },
    suppressIfDoneBeforeSend: false,
  };
}

function definitionsOf(
  count: number,
  campaignOf: (index: number) => Record<string, unknown>,
): PartitionDefinitions {
  const campaigns = Array.from({ length: count }, (_, index) => ({
    id: campaignId(index),
    webhook: WEBHOOK_ID,
    content: CONTENT,
    ...campaignOf(index),
  }));
  const webhooks = [{ id: WEBHOOK_ID, url: 'http://127.0.0.1:9/' }];
  return partitionDefinitions(parseDefinitions({ settings: SETTINGS, webhooks, campaigns }));
}
