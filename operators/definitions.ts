import type { Filter } from './filters/filter.ts';

/**
 * Definitions after checking: defaults filled in, durations in ms, filters parsed. Plain JSON, so
 * that they travel in control records and stand in checkpoints. `config/` makes them from files.
 */
export interface Definitions {
  readonly settings: Settings;
  readonly webhooks: readonly Webhook[];
  readonly campaigns: readonly Campaign[];
}

export interface Settings {
  /** IANA name. @default 'UTC' */
  readonly timezone: string;
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
  readonly rule: Rule;
  /** From the due time on. @default 3_600_000 */
  readonly ttlMs: number;
  readonly content: VariablesContent;
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

export type Rule = ActionRule | InactionRule;

export type PayloadField =
  | 'email'
  | 'identity'
  | 'objectId'
  | 'profileData'
  | 'eventProperties'
  | 'pushToken';

/** Body mode *variables*, JSON. */
export interface VariablesContent {
  readonly mode: 'variables';
  readonly type: 'json';
  /** In the order of the payload. */
  readonly fields: readonly PayloadField[];
  readonly keyValues: Readonly<Record<string, string>>;
  /** Literal query parameters added to the webhook's URL. */
  readonly query: Readonly<Record<string, string>>;
}
