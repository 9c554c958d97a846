/** Says on stderr how far long work is: one moving line on a terminal, a line at times elsewhere. */
export interface Progress {
  /** So much is done. */
  at(done: number): void;
  end(): void;
}

const BAR_CHARS = 30;
const TERMINAL_EVERY_MS = 100;
const FILE_EVERY_MS = 10_000;

/** @param total what `at` counts up to */
export function startProgress(label: string, total: number): Progress {
  const startedMs = performance.now();
  const isTerminal = process.stderr.isTTY === true;
  const everyMs = isTerminal ? TERMINAL_EVERY_MS : FILE_EVERY_MS;
  let shownMs = startedMs;
  const show = (done: number) => {
    const share = Math.min(1, total === 0 ? 1 : done / total);
    const filled = Math.round(share * BAR_CHARS);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR_CHARS - filled)}`;
    const text = `${label.padEnd(28)} ${bar} ${Math.floor(share * 100)} %  ${seconds} s`;
    process.stderr.write(isTerminal ? `\r${text}` : `${text}\n`);
  };
  return {
    at(done) {
      const nowMs = performance.now();
      if (nowMs - shownMs < everyMs) return;
      shownMs = nowMs;
      show(done);
    },
    end() {
      show(total);
      if (isTerminal) process.stderr.write('\n');
    },
  };
}
