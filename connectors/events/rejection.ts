/** Why an event was refused. The codes are stable: senders and dashboards hang on to them. */
export type RejectionCode =
  | 'ERR_EVENT_JSON'
  | 'ERR_EVENT_MSGPACK'
  | 'ERR_EVENT_SHAPE'
  | 'ERR_EVENT_TYPE'
  | 'ERR_EVENT_USER'
  | 'ERR_EVENT_NOBODY'
  | 'ERR_EVENT_NAME'
  | 'ERR_EVENT_TIME'
  | 'ERR_EVENT_TOO_LARGE'
  | 'ERR_EVENT_TOO_DEEP'
  | 'ERR_EVENT_PROPERTIES'
  | 'ERR_EVENT_VALUE'
  | 'ERR_EVENT_MESSAGE_ID'
  | 'ERR_EVENT_ALIAS'
  | 'ERR_EVENT_RESTRICTED'
  | 'ERR_PROFILE_EMAIL'
  | 'ERR_PROFILE_GENDER'
  | 'ERR_PROFILE_PHONE'
  | 'ERR_PROFILE_OPERATION'
  | 'ERR_CLOUDEVENT';

export interface Rejection {
  readonly code: RejectionCode;
  /** A sentence: what was wanted, what came. */
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** Stands in a request for a record that its door could make no event of. */
export class Untranslatable {
  readonly rejection: Rejection;

  constructor(refused: Rejection) {
    this.rejection = refused;
  }
}

export function rejection(
  code: RejectionCode,
  message: string,
  facts: Readonly<Record<string, unknown>> = {},
): Rejection {
  return { code, message, facts };
}

const SHOWN_CHARS_MAX = 60;

/** Names a value of any kind, short enough for a sentence. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  switch (typeof value) {
    case 'string': {
      if (value.length <= SHOWN_CHARS_MAX) return JSON.stringify(value);
      return `a text of ${value.length} characters`;
    }
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'object':
      if (value instanceof Date) return 'an instant';
      if (value instanceof Uint8Array) return `${value.length} bytes of binary`;
      return 'an object';
    default:
      return `a ${typeof value}`;
  }
}
