import type { LapseError } from '../../../engine/errors/errors.ts';

/** What bin/early-signals.mjs leaves behind; absent when another program runs a command. */
interface EarlySignals {
  readonly first: string | undefined;
  isTaken: boolean;
  /** Who started this process: changes when one of them ends. */
  readonly parents: () => string;
  /** What it was when the process began. */
  readonly parentsBefore: string;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/**
 * npm passes on a Ctrl-C that the terminal has already sent to the whole group, so one keystroke
 * arrives twice; a second one that is meant comes later than this.
 */
const SAME_KEYSTROKE_MS = 500;
const PARENTS_LOOK_MS = 500;

/**
 * Waits for a signal or a failure, whichever comes first; a second signal ends at once. Under npm
 * it also looks for its end: npm passes a signal on to a shell, which dies of it without passing it
 * on in turn, and what it had started would run on with nobody who knows of it.
 */
export class Ending {
  readonly reason: Promise<{ readonly signal?: string; readonly failure?: LapseError }>;
  #resolve!: (reason: { signal?: string; failure?: LapseError }) => void;
  #endingSinceMs: number | undefined;
  #signal: string | undefined;

  constructor() {
    this.reason = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    const early = (globalThis as Record<symbol, EarlySignals | undefined>)[
      Symbol.for('lapse.signals')
    ];
    if (early !== undefined) early.isTaken = true;
    for (const signal of SIGNALS) process.on(signal, () => this.#signalled(signal));
    if (early?.first !== undefined) this.#signalled(early.first);
    if (early !== undefined && isUnderNpm()) this.#watchNpm(early);
  }

  /** The signal that has come; undefined while none has. */
  get signal(): string | undefined {
    return this.#signal;
  }

  fail(failure: LapseError): void {
    this.#endingSinceMs ??= performance.now();
    this.#resolve({ failure });
  }

  #signalled(signal: string): void {
    const nowMs = performance.now();
    const sinceMs = this.#endingSinceMs;
    if (sinceMs !== undefined && nowMs - sinceMs > SAME_KEYSTROKE_MS) process.exit(1);
    this.#endingSinceMs ??= nowMs;
    this.#signal ??= signal;
    this.#resolve({ signal });
  }

  #watchNpm({ parents, parentsBefore }: EarlySignals): void {
    const look = setInterval(() => {
      if (parents() === parentsBefore) return;
      clearInterval(look);
      if (this.#endingSinceMs === undefined) this.#signalled('the end of npm');
    }, PARENTS_LOOK_MS);
    look.unref();
  }
}

/** `npx lapse serve` or `npm start`; a script that leaves Lapse behind on purpose is neither. */
function isUnderNpm(): boolean {
  return ['npx', 'start'].includes(process.env.npm_lifecycle_event ?? '');
}
