import type { LapseError } from '../../../engine/errors/errors.ts';

/**
 * npm passes on a Ctrl-C that the terminal has already sent to the whole group, so one keystroke
 * arrives twice; a second one that is meant comes later than this.
 */
const SAME_KEYSTROKE_MS = 500;

/** Waits for a signal or a failure, whichever comes first; a second signal ends at once. */
export class Ending {
  readonly reason: Promise<{ readonly signal?: string; readonly failure?: LapseError }>;
  #resolve!: (reason: { signal?: string; failure?: LapseError }) => void;
  #endingSinceMs: number | undefined;

  constructor() {
    this.reason = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        const nowMs = performance.now();
        const sinceMs = this.#endingSinceMs;
        if (sinceMs !== undefined && nowMs - sinceMs > SAME_KEYSTROKE_MS) process.exit(1);
        this.#endingSinceMs ??= nowMs;
        this.#resolve({ signal });
      });
    }
  }

  fail(failure: LapseError): void {
    this.#endingSinceMs ??= performance.now();
    this.#resolve({ failure });
  }
}
