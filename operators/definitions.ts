import { DAY_MS } from '../engine/time/duration.ts';
import type { Filter } from './filters/filter.ts';

/**
 * Definitions after checking: defaults filled in, durations in ms, filters parsed. Plain JSON, so
 * that they travel in control records and stand in checkpoints. `config/` makes them from files.
 */
export interface Definitions {
  readonly settings: Settings;
  readonly webhooks: readonly Webhook[];
  readonly segments: readonly Segment[];
  readonly campaigns: readonly Campaign[];
}

export interface Settings {
  /** The account's zone, an IANA name. @default 'UTC' */
  readonly timezone: string;
  /** Over all campaigns, per user; all of them must pass. @default [] */
  readonly globalLimits: readonly GlobalLimit[];
  readonly controlGroups: {
    /** Percent of all users, 0 to 5. @default 0 */
    readonly system: number;
    /** Percent of all users by the name of the group, at most 10 groups. @default {} */
    readonly custom: Readonly<Record<string, number>>;
  };
  /** How long events are kept for past behaviour. @default 90 days */
  readonly historyRetentionMs: number;
}

export const DEFAULT_SETTINGS: Settings = {
  timezone: 'UTC',
  globalLimits: [],
  controlGroups: { system: 0, custom: {} },
  historyRetentionMs: 90 * DAY_MS,
};

export const NO_DEFINITIONS: Definitions = {
  settings: DEFAULT_SETTINGS,
  webhooks: [],
  segments: [],
  campaigns: [],
};

export type GlobalLimit =
  | { readonly kind: 'atMost'; readonly atMost: number; readonly perMs: number }
  | { readonly kind: 'gap'; readonly gapMs: number };

/** A saved audience. */
export interface Segment {
  /** `[A-Za-z0-9_-]{1,64}`. */
  readonly id: string;
  /** @default the id */
  readonly name: string;
  readonly audience: Audience;
}

/** A user is in it when all three parts hold. */
export interface Audience {
  /** On the user's profile. */
  readonly where?: Filter;
  /** Ids of segments; the user must be in at least one, unless the list is empty. */
  readonly include: readonly string[];
  /** Ids of segments; the user must be in none. */
  readonly exclude: readonly string[];
}

export interface Webhook {
  /** `[A-Za-z0-9_-]{1,64}`. */
  readonly id: string;
  readonly url: string;
  /** @default 'POST' */
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly auth:
    | { readonly kind: 'none' }
    | { readonly kind: 'basic'; readonly username: string; readonly password: string }
    | { readonly kind: 'bearer'; readonly token: string };
  /** Absent: as fast as `maxInFlight` allows. */
  readonly rate?: { readonly limit: number; readonly perMs: number; readonly burst: number };
  /** @default 32 */
  readonly maxInFlight: number;
  /** @default { max: 100, lingerMs: 50 } */
  readonly batch: { readonly max: number; readonly lingerMs: number };
  /** From the start of an attempt to the end of the response. @default 5_000 */
  readonly timeoutMs: number;
  /** Waits before attempts 2, 3, …; the last one repeats until `ttl`. */
  readonly retryScheduleMs: readonly number[];
  /** `whsec_` + base64 of 24–64 bytes; absent: requests carry no signature. */
  readonly secret?: string;
  /** @default '2xx' */
  readonly success: '2xx' | '200';
}

export interface Campaign {
  /** `[A-Za-z0-9_-]{1,64}`. */
  readonly id: string;
  readonly name: string;
  /** Given by the user, or derived from the id. */
  readonly targetId: number;
  readonly webhook: string;
  /** A draft neither opens windows nor sends. @default 'running' */
  readonly state: 'draft' | 'running';
  /** @default [] */
  readonly labels: readonly string[];
  readonly rule: Rule;
  /** Absent: everyone. */
  readonly who?: Audience & {
    /** Asked again when the delivery is due. @default false */
    readonly recheck: boolean;
  };
  readonly control: {
    /** Percent of those who qualify, 0 to 99. @default 0 */
    readonly percent: number;
    /** Names of the account's custom control groups that this campaign leaves out. @default [] */
    readonly custom: readonly string[];
  };
  /** @default { kind: 'each' } */
  readonly repeat: Repeat;
  /** After the qualification. @default 0 */
  readonly delayMs: number;
  readonly quietHours?: QuietHours;
  /** False: the account's global limits do not hold this campaign back. @default true */
  readonly globalLimits: boolean;
  /** Absent numbers limit nothing. @default {} */
  readonly cap: { readonly total?: number; readonly perDay?: number; readonly perRun?: number };
  /** A past campaign whose audience is larger does not run. Live campaigns have none (E34). */
  readonly safety?: number;
  /** Unix ms. Absent start: from publication. Absent end: never. */
  readonly schedule: { readonly startAtMs?: number; readonly endAtMs?: number };
  /**
   * Do not send when `without` or the goal's event came after the qualification (E5).
   * @default true
   */
  readonly suppressIfDone: boolean;
  readonly goal?: Goal;
  /** What an edit of the rule does to windows that are open. @default 'keep' */
  readonly onOpenWindows: 'keep' | 'drop';
  /** From the due time on. @default 3_600_000 */
  readonly ttlMs: number;
  readonly content: Content;
}

export type Repeat =
  | { readonly kind: 'each' }
  | { readonly kind: 'once' }
  | { readonly kind: 'atMost'; readonly atMost: number }
  | { readonly kind: 'every'; readonly everyMs: number };

export interface QuietHours {
  readonly windows: readonly QuietWindow[];
  /** `user` (the account's zone when theirs is unknown), `account`, or an IANA name. */
  readonly timezone: string;
  /** @default 'defer' */
  readonly then: 'defer' | 'discard';
}

/** Hours of a local day. One that crosses midnight belongs to the day on which it starts (E44). */
export interface QuietWindow {
  /** ISO weekdays, 1 (Monday) to 7, ascending. @default all seven */
  readonly days: readonly number[];
  /** Minute of the day, 0 to 1439. */
  readonly fromMinute: number;
  /** Exclusive, 0 to 1440, never `fromMinute`; at or below it: on the next day. */
  readonly toMinute: number;
}

export interface Goal {
  readonly on: EventMatch;
  /** After the first accepted send, its end included (E63). */
  readonly withinMs: number;
  /** Path of the event's property that holds an amount. */
  readonly revenue?: string;
}

export interface EventMatch {
  /** As written; compared after `normalizeEventName`. */
  readonly event: string;
  readonly where?: Filter;
}

export interface ActionRule {
  readonly kind: 'action';
  readonly on: EventMatch;
}

export interface InactionRule {
  readonly kind: 'inaction';
  readonly did: EventMatch;
  readonly without: readonly EventMatch[];
  /** 1 s to 182 days. */
  readonly withinMs: number;
  /** Paths of the properties that tie `did` and `without`. */
  readonly match?: { readonly did: string; readonly without: string };
  /** @default 'restart' */
  readonly onRepeat: 'restart' | 'keepFirst' | 'parallel';
  /** 0 to 1 h. @default 0 */
  readonly graceMs: number;
  /** From the first `did` of a restarting window. @default 10 × withinMs */
  readonly maxExtendMs: number;
}

export interface SequenceRule {
  readonly kind: 'sequence';
  /** 2 to 10, one event each, in order of event time. */
  readonly steps: readonly EventMatch[];
  /** From the first event to the last, both ends included. */
  readonly withinMs: number;
  /** Path of the property that ties the events of one chain. */
  readonly match?: string;
}

/** Exactly one of `atLeast` and `sum` is there. */
export interface CountRule {
  readonly kind: 'count';
  readonly on: EventMatch;
  /** 1 to 1,000. */
  readonly atLeast?: number;
  readonly sum?: {
    /** Path of a numeric property. */
    readonly property: string;
    readonly gte: number;
  };
  /** A sliding window: from the first event to the last, both ends included. */
  readonly withinMs: number;
  /** Path of the property whose values are counted apart. */
  readonly match?: string;
}

export interface QuietRule {
  readonly kind: 'quiet';
  /** Absent: any activity. Without `event`: events of every name that pass `where`. */
  readonly on?: { readonly event?: string; readonly where?: Filter };
  readonly forMs: number;
}

export interface DateRule {
  readonly kind: 'date';
  /** Absent: the property is an attribute of the profile. */
  readonly on?: EventMatch;
  /** Path of the property that holds the date. */
  readonly property: string;
  /** Added to the date: calendar days first, then a duration; both have one sign. */
  readonly offset: { readonly days: number; readonly ms: number };
  /** Minute of the local day, 0 to 1439. */
  readonly atMinute?: number;
  /** Each year on that day. @default false */
  readonly yearly: boolean;
}

export type Rule = ActionRule | InactionRule | SequenceRule | CountRule | QuietRule | DateRule;

export type PayloadField =
  | 'email'
  | 'identity'
  | 'objectId'
  | 'profileData'
  | 'eventProperties'
  | 'pushToken';

/** What is sent. */
export interface Content {
  /** *variables*: a body of key values and chosen fields; *custom*: what `body` gives. */
  readonly mode: 'variables' | 'custom';
  /** `text` in mode *custom* only. */
  readonly type: 'json' | 'text';
  /** Of mode *variables*, in the order of the payload. */
  readonly fields: readonly PayloadField[];
  /** Of mode *variables*: whose key names a user's fields have. @default 'v1' */
  readonly payload?: 'v1' | 'v2';
  /** Templates, as the values of `query` and `headers` are. */
  readonly keyValues: Readonly<Record<string, string>>;
  /** Parameters added to the webhook's URL. */
  readonly query: Readonly<Record<string, string>>;
  /** They replace the webhook's own of the same name. @default {} */
  readonly headers?: Readonly<Record<string, string>>;
  /** Of mode *custom*: the template of the whole body. */
  readonly body?: string;
  /** What a value does that the user does not have. @default 'blank' */
  readonly onMissing?: 'blank' | 'fail';
}
