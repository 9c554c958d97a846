/** Progress of long work on stderr: a bar on a terminal, a plain line now and then elsewhere. */
import type { Clock } from '../../engine/time/clock.ts';

export interface ProgressOptions {
  readonly clock: Clock;
  readonly stream: {
    readonly isTTY?: boolean;
    readonly columns?: number;
    write(text: string): unknown;
  };
  /** False: says nothing at all. @default true */
  readonly isShown?: boolean;
}

const BAR_CHARS = 24;
const REDRAW_INTERVAL_MS = 100;
const LINE_INTERVAL_MS = 5_000;
const CLEAR_LINE = '\r\u001b[2K';

export class Progress {
  readonly #options: ProgressOptions;
  #shownAtMs: number;
  #isDrawn = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
    const isTTY = options.stream.isTTY === true;
    this.#shownAtMs = isTTY ? 0 : options.clock.now();
  }

  /**
   * Cheap to call often.
   * @param share done, 0–1; undefined when the end is not known
   */
  update(share: number | undefined, words: () => string): void {
    const { clock, stream, isShown = true } = this.#options;
    if (!isShown) return;
    const nowMs = clock.now();
    const isTTY = stream.isTTY === true;
    if (nowMs - this.#shownAtMs < (isTTY ? REDRAW_INTERVAL_MS : LINE_INTERVAL_MS)) return;
    this.#shownAtMs = nowMs;
    const percent = share === undefined ? '' : `${Math.floor(Math.min(1, share) * 100)} %  `;
    if (isTTY) {
      const line = `${barOf(share)}${percent}${words()}`.slice(0, (stream.columns ?? 80) - 1);
      stream.write(`${CLEAR_LINE}${line}`);
      this.#isDrawn = true;
    } else stream.write(`${percent}${words()}\n`);
  }

  /** Takes the bar away, so that what comes next has the line. */
  end(): void {
    if (this.#isDrawn) this.#options.stream.write(CLEAR_LINE);
    this.#isDrawn = false;
  }
}

function barOf(share: number | undefined): string {
  if (share === undefined) return '';
  const done = Math.floor(Math.min(1, share) * BAR_CHARS);
  return `[${'█'.repeat(done)}${'░'.repeat(BAR_CHARS - done)}] `;
}
