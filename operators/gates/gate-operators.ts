import { type CampaignEntry, EVERY_CAMPAIGN, partOperator } from '../router/campaign-entry.ts';
import type { Gate } from './gate.ts';

/** The number of a gate's keyed state; gates without any are given that of what waits. */
export function operatorOfGate({ part = undefined }: Gate, entry: CampaignEntry): number {
  if (part === 'every-campaign') return EVERY_CAMPAIGN;
  return partOperator(entry.index, part ?? 'waiting');
}
