import { isDeepStrictEqual } from 'node:util';
import type { Definitions } from './definitions.ts';
import { partitionCampaigns } from './partition-definitions.ts';
import type { DefinitionsDelta } from './router/campaign-book.ts';

/** What partitions must be told of a change; undefined when it does not concern them. */
export function partitionDelta(
  before: Definitions,
  after: Definitions,
): DefinitionsDelta | undefined {
  const campaigns = changedIn(
    partitionCampaigns(before.campaigns, before.webhooks),
    partitionCampaigns(after.campaigns, after.webhooks),
  );
  const segments = changedIn(before.segments, after.segments);
  const isSet = !isDeepStrictEqual(before.settings, after.settings);
  const removed = [
    ...goneFrom(before.campaigns, after.campaigns).map((id) => ({ kind: 'campaign', id }) as const),
    ...goneFrom(before.segments, after.segments).map((id) => ({ kind: 'segment', id }) as const),
  ];
  const isNothing = campaigns.length + segments.length + removed.length === 0 && !isSet;
  if (isNothing) return undefined;
  return {
    ...(isSet ? { settings: after.settings } : {}),
    ...(segments.length > 0 ? { segments } : {}),
    ...(campaigns.length > 0 ? { campaigns } : {}),
    ...(removed.length > 0 ? { removed } : {}),
  };
}

interface Named {
  readonly id: string;
}

/** What is new or different, in its order. */
export function changedIn<T extends Named>(before: readonly T[], after: readonly T[]): T[] {
  const known = new Map(before.map((one) => [one.id, one]));
  return after.filter((one) => !isDeepStrictEqual(known.get(one.id), one));
}

/** Ids of what is no longer there. */
export function goneFrom(before: readonly Named[], after: readonly Named[]): string[] {
  const left = new Set(after.map(({ id }) => id));
  return before.flatMap(({ id }) => (left.has(id) ? [] : [id]));
}
