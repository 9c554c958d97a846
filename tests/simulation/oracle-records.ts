/** What the oracle reads, remembers and owes. */
import type { DeliveryOutcome } from '../../engine/envelope/outcomes.ts';
import type { GatesLuggage } from './oracle-gates.ts';
import type { StatesLuggage } from './oracle-states.ts';
import type { CampaignPlan, DefinitionsPlan, InactionConfig, PlannedAction } from './workload.ts';

export interface OracleEvent {
  readonly kind: 'event';
  readonly type: 'track' | 'identify';
  readonly user: string;
  readonly isAnonymous: boolean;
  readonly name: string;
  readonly messageId: string;
  readonly eventAtMs: number;
  readonly receivedAtMs: number;
  /** Time does not go on with it: its user has the time of its receipt. */
  readonly isAhead: boolean;
  readonly historyOnly: boolean;
  /** It came to another partition first. */
  readonly isMoved: boolean;
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface OracleUser {
  readonly user: string;
  readonly isAnonymous: boolean;
}

/** What a partition gives away of a user: whole, and to be looked at by nobody else meanwhile. */
export interface Luggage {
  readonly windows: readonly Window[];
  readonly cancels: readonly Cancel[];
  readonly profile: ReadonlyMap<string, Attribute>;
  readonly states: StatesLuggage;
  readonly gates: GatesLuggage;
  /** When the ids were joined, Unix ms. */
  readonly joinedAtMs: number;
}

/** Unix ms. */
export interface OracleClock {
  /** Of the partition. */
  timeMs: number;
  /** Of the record at hand, whose user's it may be alone. */
  nowMs: number;
}

/** An event that has cancelled, or would have. */
export interface Cancel {
  readonly version: Version;
  readonly event: OracleEvent;
  readonly timeMs: number;
}

export type OracleRecord =
  | OracleEvent
  | {
      readonly kind: 'leave';
      readonly receivedAtMs: number;
      readonly isAhead: boolean;
      readonly from: OracleUser;
      readonly to: OracleUser;
      readonly token: string;
      readonly joinedAtMs: number;
    }
  /** A part of a luggage, the last one or not. */
  | {
      readonly kind: 'moved';
      readonly receivedAtMs: number;
      readonly isAhead: boolean;
      readonly to: OracleUser;
      readonly endOf: string | undefined;
    }
  | { readonly kind: 'tick'; readonly receivedAtMs: number }
  /** Who reads has changed: no time passes. */
  | { readonly kind: 'claim' }
  /** What became of a delivery: only gates, goals and reports hear of it. */
  | {
      readonly kind: 'outcome';
      readonly receivedAtMs: number;
      readonly isAhead: boolean;
      readonly outcome: DeliveryOutcome;
    }
  | {
      readonly kind: 'life';
      readonly receivedAtMs: number;
      readonly campaign: string;
      readonly action: PlannedAction['action'];
    }
  | {
      readonly kind: 'definitions';
      readonly receivedAtMs: number;
      readonly publishedAtMs: number;
      readonly plan: DefinitionsPlan;
    };

/** What has met a rule, and what is told of it. */
export interface Meeting {
  readonly who: OracleUser;
  /** Names the occurrence. */
  readonly id: string;
  readonly eventAtMs: number;
  readonly matched: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** Something that happens at its time when nothing prevents it. */
export interface OracleTimer {
  readonly who: OracleUser;
  readonly dueAtMs: number;
  readonly campaign: string;
  /** Order of those of one user and campaign that are due together. */
  readonly rank: readonly number[];
  fire(): void;
}

/** A decision that is reported, as text, and when it was made. */
export interface OracleReport {
  readonly atMs: number;
  readonly text: string;
}

export interface Owed {
  readonly campaign: string;
  readonly webhook: string;
  readonly user: string;
  readonly isAnonymous: boolean;
  readonly atMs: number;
  readonly dueAtMs: number;
  readonly expiresAtMs: number;
  /** The element of `profiles`. */
  readonly profile: Readonly<Record<string, unknown>>;
  /** `id` of the facts of the event whose properties are sent: names the occurrence. */
  readonly occurrence: string;
}

export interface Version {
  readonly campaign: string;
  readonly rule: CampaignPlan['rule'];
  readonly publishedAtMs: number;
  /** A newer one, or none, has taken over. */
  isRetired: boolean;
  /** Its campaign was taken away or made a draft meanwhile: its windows send nothing. */
  isDropped: boolean;
  readonly number: number;
}

export interface Window {
  version: Version;
  readonly rule: InactionConfig;
  user: string;
  isAnonymous: boolean;
  readonly matched: string | undefined;
  readonly firstAtMs: number;
  /** Id of the event that opened it, which names it. */
  readonly openedBy: string;
  anchorAtMs: number;
  newest: OracleEvent;
  restarts: number;
  /** When it was opened or restarted: it fires not before. */
  notBeforeMs: number;
  readonly number: number;
}

export interface Attribute {
  value: unknown;
  saidAtMs: number;
}

/** Carries luggage between partitions. */
export interface Post {
  send(token: string, to: OracleUser, luggage: Luggage): void;
  receive(token: string, to: OracleUser): Luggage;
}
