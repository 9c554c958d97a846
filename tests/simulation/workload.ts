import type { Prng } from '../support/prng.ts';
import { busyCampaign, changePlan, drawCampaign, drawWebhook } from './draw-campaigns.ts';
import { drawActions, drawSegments, drawSettings } from './draw-gates.ts';
import { drawRequests } from './draw-requests.ts';

/** A filter as a definition has it; only what the oracle knows. */
export interface Where {
  readonly [key: string]: unknown;
}

export interface EventConfig {
  readonly event: string;
  readonly where?: Where;
}

export interface InactionConfig {
  readonly did: EventConfig;
  readonly without: readonly EventConfig[];
  readonly withinMs: number;
  readonly match?: { readonly did: string; readonly without: string };
  readonly onRepeat: 'restart' | 'keepFirst' | 'parallel';
  readonly graceMs: number;
  readonly maxExtendMs: number;
}

export interface SequenceConfig {
  readonly steps: readonly EventConfig[];
  readonly withinMs: number;
  readonly match?: string;
}

export interface CountConfig {
  readonly on: EventConfig;
  readonly atLeast?: number;
  readonly sum?: { readonly property: string; readonly gte: number };
  readonly withinMs: number;
  readonly match?: string;
}

export interface QuietConfig {
  /** Absent: any activity. */
  readonly on?: EventConfig;
  readonly forMs: number;
}

export interface DateConfig {
  /** Absent: an attribute of the profile. */
  readonly on?: EventConfig;
  readonly property: string;
  readonly offset: { readonly days: number; readonly ms: number };
  /** Minute of the local day. */
  readonly atMinute?: number;
  readonly yearly: boolean;
}

export type RuleConfig =
  | { readonly action: EventConfig }
  | { readonly inaction: InactionConfig }
  | { readonly sequence: SequenceConfig }
  | { readonly count: CountConfig }
  | { readonly quiet: QuietConfig }
  | { readonly date: DateConfig };

export interface CampaignPlan {
  readonly id: string;
  readonly webhook: string;
  readonly state: 'draft' | 'running';
  readonly ttlMs: number;
  readonly fields: readonly string[];
  readonly rule: RuleConfig;
  readonly gates: GatesPlan;
}

/** What a campaign asks of its gates; absent keys are not written. */
export interface GatesPlan {
  readonly who?: AudiencePlan & { readonly recheck: boolean };
  readonly control?: { readonly percent: number; readonly custom: readonly string[] };
  readonly repeat?: 'once' | { readonly atMost: number } | { readonly everyMs: number };
  readonly delayMs?: number;
  readonly quietHours?: QuietHoursPlan;
  readonly suppressIfDone?: boolean;
  readonly goal?: GoalPlan;
  readonly globalLimits?: boolean;
  readonly cap?: { readonly total?: number; readonly perDay?: number };
  /** Ms after the start of the run. */
  readonly schedule?: { readonly startMs?: number; readonly endMs?: number };
  readonly onOpenWindows?: 'keep' | 'drop';
}

export interface AudiencePlan {
  readonly where?: Where;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** Windows of every day, in minutes of it. */
export interface QuietHoursPlan {
  readonly windows: readonly { readonly fromMinute: number; readonly toMinute: number }[];
  readonly timezone: string;
  readonly isDiscarding: boolean;
}

export interface GoalPlan {
  readonly on: EventConfig;
  readonly withinMs: number;
  readonly revenue?: string;
}

export type GlobalLimitPlan =
  | { readonly atMost: number; readonly perMs: number }
  | { readonly gapMs: number };

export interface SettingsPlan {
  readonly timezone: string;
  readonly globalLimits: readonly GlobalLimitPlan[];
  readonly system: number;
  readonly custom: Readonly<Record<string, number>>;
}

export interface SegmentPlan {
  readonly id: string;
  readonly audience: AudiencePlan;
}

export interface WebhookPlan {
  readonly id: string;
  readonly rate?: { readonly limit: number; readonly perMs: number; readonly burst: number };
  readonly maxInFlight: number;
  readonly batchMax: number;
  readonly lingerMs: number;
  readonly timeoutMs: number;
  readonly retryMs: readonly number[];
}

/** What the definitions say, one version of them. */
export interface DefinitionsPlan {
  readonly webhooks: readonly WebhookPlan[];
  readonly campaigns: readonly CampaignPlan[];
  readonly settings: SettingsPlan;
  readonly segments: readonly SegmentPlan[];
}

/** What an operator does to a campaign. */
export interface PlannedAction {
  readonly atMs: number;
  readonly campaign: string;
  readonly action: 'pause' | 'resume' | 'stop' | 'archive';
}

/** An event as its producer made it, once and for all. */
export interface PlannedEvent {
  /** When it first wants to be sent, ms after the start. */
  readonly atMs: number;
  readonly type: 'track' | 'identify' | 'alias' | 'nonsense';
  readonly user: string;
  readonly isAnonymous: boolean;
  /** Another id of the same user, which it joins with `user`. */
  readonly joins?: string;
  readonly name: string;
  readonly messageId: string;
  readonly facts: Readonly<Record<string, unknown>>;
  /** How long before it is first sent it happened, ms; negative: ahead. Undefined: not said. */
  readonly ageMs?: number;
  /** Its producer's clock is so far ahead, ms; such a producer says when it sent. */
  readonly skewMs?: number;
}

export interface PlannedVersion {
  readonly atMs: number;
  readonly plan: DefinitionsPlan;
  /** What is other than in the one before; undefined for the first. */
  readonly change?: Change;
}

export type Change =
  | 'rule changed'
  | 'removed'
  | 'added'
  | 'settings changed'
  | `${'state' | 'gates' | 'content' | 'webhook'} changed`;

export interface Workload {
  readonly partitionCount: number;
  /** Versions of the definitions, each from its instant on, ms after the start. */
  readonly versions: readonly PlannedVersion[];
  /** In the order of their instants; each is done before the next begins. */
  readonly actions: readonly PlannedAction[];
  /** Requests in the order of their first sending; each is sent until it is acknowledged. */
  readonly requests: readonly (readonly PlannedEvent[])[];
  /** Producers' clocks show whole multiples of it: so that deadlines are met to the ms. */
  readonly roundMs: number;
  /** When the last one is first sent, ms after the start. */
  readonly endMs: number;
  /** Some events have as many bytes as one may have. */
  readonly hasLargest?: true;
}

/** Draws campaigns, events and changes; the faults are drawn elsewhere. */
export function drawWorkload(prng: Prng, isStormy: boolean): Workload {
  const webhooks = Array.from({ length: 1 + prng.below(2) }, (_, i) => drawWebhook(prng, `w${i}`));
  const campaigns = Array.from({ length: 1 + prng.below(5) }, (_, i) =>
    drawCampaign(prng, `c${i}`, webhooks),
  );
  // One user does one thing again and again: as often as a window may restart, or be opened.
  const isBusy = !isStormy && prng.chance(0.06);
  if (isBusy) campaigns[0] = busyCampaign(prng, webhooks);
  const requests = drawRequests(prng, { campaigns, isBusy, isStormy });
  const endMs = requests.at(-1)![0]!.atMs;
  const settings = drawSettings(prng);
  const first: DefinitionsPlan = { webhooks, campaigns, settings, segments: drawSegments() };
  const versions: PlannedVersion[] = [{ atMs: 0, plan: first }];
  const changes = prng.chance(0.5) ? 0 : 1 + prng.below(3);
  const instants = Array.from({ length: changes }, () => prng.below(endMs + 1));
  instants.sort((a, b) => a - b);
  for (let i = 0; i < changes; i++) {
    const before = versions.at(-1)!.plan;
    versions.push({ atMs: instants[i]!, ...changePlan(prng, before) });
  }
  const roundMs = prng.pick([1, 1, 1_000]);
  const actions = drawActions(prng, versions, endMs);
  return { partitionCount: 1 + prng.below(4), versions, actions, requests, roundMs, endMs };
}
