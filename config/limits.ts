/**
 * Every limit and default that can be configured, with its range and unit in one place, and how
 * they hang together. The assertions run when the module is loaded: a change that breaks a
 * relation fails at start, not in production.
 */
import assert from 'node:assert/strict';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../engine/time/duration.ts';
import { audienceLimits } from '../operators/audience/schema.ts';
import { FILTER_PROPERTY_CHARS_MAX } from '../operators/filters/limits.ts';
import { gateLimits } from '../operators/gates/schemas.ts';
import { goalLimits } from '../operators/goals/schema.ts';
import { inactionLimits } from '../operators/rules/inaction/schema.ts';
import { ruleLimits } from '../operators/rules/schemas.ts';
import { EVENT_NAME_CHARS_MAX, NAME_CHARS_MAX } from '../operators/schema/limits.ts';
import type { Range } from '../operators/schema/range.ts';

export type { Range } from '../operators/schema/range.ts';
/** The ranges of rules and gates, by kind and name; each is in the schema of its kind. */
export { audienceLimits, EVENT_NAME_CHARS_MAX, gateLimits, goalLimits, NAME_CHARS_MAX, ruleLimits };

const KIB = 1_024;
const MIB = 1_024 * KIB;

/** What a door takes in (SPEC 1.1). */
export const intakeLimits = {
  eventBytesMax: { min: KIB, max: MIB, default: 32 * KIB },
  requestBytesMax: { min: KIB, max: 64 * MIB, default: 500 * KIB },
  requestEventsMax: { min: 1, max: 100_000, default: 2_500 },
  /** Of an upload in CleverTap's form. */
  uploadRecordsMax: { min: 1, max: 100_000, default: 1_000 },
  propertiesMax: { min: 1, max: 4_096, default: 256 },
  nameCharsMax: { min: 1, max: 1_000, default: 120 },
  depthMax: { min: 1, max: 32, default: 8 },
} as const satisfies Record<string, Range>;

export const engineLimits = {
  workers: { min: 1, max: 256, default: 1 },
  /** Fixed with the log. */
  partitions: { min: 1, max: 4_096, default: 64 },
  reorderWindowMs: { min: 0, max: MINUTE_MS, default: 5 * SECOND_MS },
  checkpointIntervalMs: { min: SECOND_MS, max: HOUR_MS, default: 30 * SECOND_MS },
  /**
   * Of all partitions together; about 20 bytes each once there are so many. The default holds the
   * ids of 24 h at a mean of 1,157 events a second that some campaign asks about.
   */
  messageIdsMax: { min: 1_000_000, max: 1_000_000_000, default: 100_000_000 },
} as const satisfies Record<string, Range>;

export const webhookLimits = {
  maxInFlight: { min: 1, max: 1_024, default: 32 },
  batchMax: { min: 1, max: 1_000, default: 100 },
  batchLingerMs: { min: 0, max: 10 * SECOND_MS, default: 50 },
  timeoutMs: { min: 1, max: 5 * MINUTE_MS, default: 5 * SECOND_MS },
  rateLimit: { min: 1, max: 1_000_000, default: 1 },
  ratePerMs: { min: 1, max: DAY_MS, default: SECOND_MS },
  /** Sends that may leave at once after a pause; 1 spreads them evenly. */
  rateBurst: { min: 1, max: 1_000_000, default: 1 },
  retryWaitMs: { min: 1, max: DAY_MS, default: 2 * SECOND_MS },
} as const satisfies Record<string, Range>;

/** Waits before attempts 2, 3, … (SPEC 5). */
export const RETRY_SCHEDULE_MS: readonly number[] = [
  2 * SECOND_MS,
  10 * SECOND_MS,
  MINUTE_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
];
export const RETRY_WAITS_MAX = 20;
export const HEADERS_MAX = 50;
export const HEADER_VALUE_CHARS_MAX = 4_096;
export const URL_CHARS_MAX = 2_048;
/** Bytes of a signing secret (Standard Webhooks). */
export const SECRET_BYTES_MIN = 24;
export const SECRET_BYTES_MAX = 64;

export const campaignLimits = {
  ttlMs: { min: SECOND_MS, max: 30 * DAY_MS, default: HOUR_MS },
} as const satisfies Record<string, Range>;

/** How long events are kept for past behaviour. */
export const historyLimits = {
  retentionMs: { min: DAY_MS, max: 3_650 * DAY_MS, default: 90 * DAY_MS },
} as const satisfies Record<string, Range>;
export const LABELS_MAX = 50;
export const KEY_VALUES_MAX = 100;
export const KEY_VALUE_CHARS_MAX = 2_048;
/** Receivers that read `targetId` as a 32-bit integer exist; ids that we derive fit them. */
export const TARGET_ID_DERIVED_MAX = 2 ** 31 - 1;

export const DEFINITION_FILE_BYTES_MAX = 16 * MIB;
export const DEFINITION_DEPTH_MAX = 64;
/** Values of one file, those that aliases repeat counted each time. */
export const DEFINITION_VALUES_MAX = 1_000_000;
/** Problems that one refusal lists; the rest is counted. */
export const PROBLEMS_SHOWN_MAX = 100;

const groups: readonly Readonly<Record<string, Range>>[] = [
  intakeLimits,
  engineLimits,
  webhookLimits,
  campaignLimits,
  historyLimits,
  audienceLimits,
  goalLimits,
  ...Object.values(ruleLimits),
  ...Object.values(gateLimits),
];
for (const group of groups) {
  for (const [name, range] of Object.entries<Range>(group)) {
    const isOrdered = range.min <= range.default && range.default <= range.max;
    assert(isOrdered, `${name} must have min ≤ default ≤ max, got ${JSON.stringify(range)}`);
  }
}
assert(
  intakeLimits.eventBytesMax.default <= intakeLimits.requestBytesMax.default,
  'an event of the largest size must fit a request',
);
assert(
  RETRY_SCHEDULE_MS.length <= RETRY_WAITS_MAX &&
    RETRY_SCHEDULE_MS.every((waitMs) => waitMs <= webhookLimits.retryWaitMs.max),
  'the default retry schedule must be one that can be configured',
);
assert(
  RETRY_SCHEDULE_MS.every(
    (waitMs, index) => index === 0 || waitMs >= RETRY_SCHEDULE_MS[index - 1]!,
  ),
  'the waits of the default retry schedule must not get shorter',
);
assert(
  engineLimits.reorderWindowMs.max <= inactionLimits.graceMs.max,
  'reordering must stay small beside the longest grace',
);
assert(
  intakeLimits.nameCharsMax.default * intakeLimits.depthMax.default <= FILTER_PROPERTY_CHARS_MAX,
  'a filter must be able to name the deepest property',
);
assert(
  EVENT_NAME_CHARS_MAX >= intakeLimits.nameCharsMax.max,
  'a definition must be able to name every event that is taken in',
);
assert(
  webhookLimits.timeoutMs.default < campaignLimits.ttlMs.default,
  'an attempt must be able to end within the time to live',
);
