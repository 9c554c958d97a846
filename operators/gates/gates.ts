import type { Settings } from '../definitions.ts';
import { goalListener } from '../goals/goal.ts';
import type { PartitionCampaign } from '../partition-definitions.ts';
import type { CampaignEntry } from '../router/campaign-entry.ts';
import type { EventListener, OperatorInput } from '../router/operator-contract.ts';
import { audienceGate } from './audience/gate.ts';
import { controlGate } from './control/gate.ts';
import { delayGate } from './delay/gate.ts';
import { doneBeforeSendGate } from './done-before-send/gate.ts';
import type { Gate, PlacedGate } from './gate.ts';
import { globalLimitGate } from './global-limit/gate.ts';
import { quietHoursGate } from './quiet-hours/gate.ts';
import { recheckGate } from './recheck/gate.ts';
import { repeatGate } from './repeat/gate.ts';
import { runningGate } from './running/gate.ts';

/** The gates of SPEC 3 that are asked in the user's partition, in their order. */
const ALL: readonly Gate[] = [
  runningGate,
  audienceGate,
  controlGate,
  repeatGate,
  delayGate,
  quietHoursGate,
  // Asked again of what has waited: the campaign may have been paused or ended meanwhile.
  { ...runningGate, title: 'still running', askedAt: 'due', ask: heldWhilePaused },
  doneBeforeSendGate,
  recheckGate,
  globalLimitGate,
];
export const GATES: readonly PlacedGate[] = ALL.map((gate, place) => ({ ...gate, place }));

/** A candidate that was let in waits while its campaign is paused. Gate 8 asks about the end. */
function heldWhilePaused({ entry }: Parameters<Gate['ask']>[0]) {
  if (entry.life === 'paused') return Infinity;
  return entry.life === 'running' ? undefined : 'not-running';
}

export function campaignGates(
  campaign: PartitionCampaign,
  settings: Settings,
): readonly PlacedGate[] {
  return GATES.filter((gate) => gate.isUsed(campaign, settings));
}

/** What a campaign listens to beside its rule. */
export function campaignListeners(
  entry: CampaignEntry,
): readonly { listener: EventListener; inputs: readonly OperatorInput[] }[] {
  const { campaign, gates } = entry;
  const goal = goalListener(campaign);
  return [
    ...gates.flatMap((gate) =>
      gate.inputs === undefined || gate.onEvent === undefined
        ? []
        : [{ listener: gate as EventListener, inputs: gate.inputs(campaign) }],
    ),
    ...(goal === undefined ? [] : [goal]),
  ];
}
