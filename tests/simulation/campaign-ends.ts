import { START_MS } from './wire.ts';
import type { World } from './world.ts';

/** When a campaign ends, in each version of the definitions that says so. Unix ms. */
export function endsOf({ workload }: World, campaignId: string): number[] {
  return workload.versions.flatMap(({ plan }) => {
    const endMs = plan.campaigns.find(({ id }) => id === campaignId)?.gates.schedule?.endMs;
    return endMs === undefined ? [] : [START_MS + endMs];
  });
}
