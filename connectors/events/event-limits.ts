/** What an event and a request may measure (SPEC 1.1). All of them can be configured. */
export interface EventLimits {
  /** Bytes of one event as it came. @default 32 KiB */
  readonly eventBytesMax: number;
  /** Properties (or traits) of one event, counted at the top. @default 256 */
  readonly propertiesMax: number;
  /** Characters of an event's name and of each property's. @default 120 */
  readonly nameCharsMax: number;
  /** Objects and arrays inside each other; the properties themselves are the first. @default 8 */
  readonly nestingMax: number;
  /** Bytes of one request, after inflating. @default 500 KiB */
  readonly requestBytesMax: number;
  /** Events of one request. @default 2,500 */
  readonly requestEventsMax: number;
  /** Records of one upload in CleverTap's form. @default 1,000 */
  readonly uploadRecordsMax: number;
}

export const DEFAULT_EVENT_LIMITS: EventLimits = {
  eventBytesMax: 32 * 1024,
  propertiesMax: 256,
  nameCharsMax: 120,
  nestingMax: 8,
  requestBytesMax: 500 * 1024,
  requestEventsMax: 2_500,
  uploadRecordsMax: 1_000,
};

export const USER_ID_CHARS_MAX = 256;
export const MESSAGE_ID_CHARS_MAX = 100;
/** Further ahead than this, it is history only. */
export const AHEAD_HISTORY_MS = 24 * 3_600_000;
/** Older than this, it is history only (E15). */
export const BEHIND_HISTORY_MS = 72 * 3_600_000;

/**
 * Ids that clients send when they have none, in lower case and without spaces around them. They
 * join nobody (SPEC 1.2): the users of all who send them would become one.
 */
export const IDS_OF_NOBODY: ReadonlySet<string> = new Set([
  '',
  '0',
  '[object object]',
  'anonymous',
  'false',
  'guest',
  'nan',
  'none',
  'null',
  'true',
  'undefined',
]);
