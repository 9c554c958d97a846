/**
 * The one error class. A message is a sentence that says what was wanted and what came; the code
 * is stable, so that people and programs can hang on to it.
 */

/** Whose fault it is: the caller's, something outside, or ours. */
export type ErrorDomain = 'user' | 'external' | 'internal';

export interface ErrorDetails {
  readonly domain?: ErrorDomain;
  /** True when the same call may go through later. */
  readonly retryable?: boolean;
  readonly facts?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class LapseError extends Error {
  readonly code: string;
  readonly domain: ErrorDomain;
  readonly retryable: boolean;
  readonly facts: Readonly<Record<string, unknown>>;

  /**
   * @param code stable, `ERR_…`
   * @param message a sentence: what must be, what it is
   */
  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'LapseError';
    this.code = code;
    this.domain = details.domain ?? 'internal';
    this.retryable = details.retryable ?? false;
    this.facts = details.facts ?? {};
  }
}

/** A mistake of the caller: usage, configuration, input. The command line exits 2 on it. */
export function userError(
  code: string,
  message: string,
  facts: Readonly<Record<string, unknown>> = {},
): LapseError {
  return new LapseError(code, message, { domain: 'user', facts });
}

/** Something outside failed: a server, a disk, a receiver. */
export function externalError(
  code: string,
  message: string,
  details: Omit<ErrorDetails, 'domain'> = {},
): LapseError {
  return new LapseError(code, message, { retryable: true, ...details, domain: 'external' });
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
