import type { PartitionRunner } from '../partition/partition-runner.ts';

/** What moves while a partition gets anywhere at all. */
interface Progress {
  sinceMs: number;
  timeMs: number;
  firedDueAtMs: number;
  records: number;
  openWindows: number;
  appended: number;
}

/** What is looked at of a runner. */
export type Watched = Pick<
  PartitionRunner,
  'partition' | 'timeMs' | 'firedDueAtMs' | 'openWindows' | 'isCaughtUp' | 'nextTurnAtMs'
> & {
  readonly core: { readonly recordsProcessed: number };
  readonly lanes: { readonly appended: number };
};

/**
 * Tells a partition that is slow from one that stands still: it has a timer that is due, or records
 * that it has not read, and nothing of it moves. Looked at now and then, a few times a second.
 */
export class Standstill {
  readonly #progress = new Map<number, Progress>();

  /** For how long the partition that is stuck longest has been, ms; 0 when none is. */
  longestMs(runners: readonly Watched[], nowMs: number): number {
    let longestMs = 0;
    for (const runner of runners) {
      const progress = this.#progressOf(runner, nowMs);
      const hasWork = !runner.isCaughtUp || runner.nextTurnAtMs() <= nowMs;
      if (!hasWork || hasMoved(progress, runner)) note(progress, runner, nowMs);
      longestMs = Math.max(longestMs, nowMs - progress.sinceMs);
    }
    return longestMs;
  }

  #progressOf(runner: Watched, nowMs: number): Progress {
    let progress = this.#progress.get(runner.partition);
    if (progress === undefined) {
      progress = {
        sinceMs: nowMs,
        timeMs: 0,
        firedDueAtMs: 0,
        records: 0,
        openWindows: 0,
        appended: 0,
      };
      note(progress, runner, nowMs);
      this.#progress.set(runner.partition, progress);
    }
    return progress;
  }
}

function hasMoved(progress: Progress, runner: Watched): boolean {
  return (
    progress.timeMs !== runner.timeMs ||
    progress.firedDueAtMs !== runner.firedDueAtMs ||
    progress.records !== runner.core.recordsProcessed ||
    progress.openWindows !== runner.openWindows ||
    progress.appended !== runner.lanes.appended
  );
}

function note(progress: Progress, runner: Watched, nowMs: number): void {
  progress.sinceMs = nowMs;
  progress.timeMs = runner.timeMs;
  progress.firedDueAtMs = runner.firedDueAtMs;
  progress.records = runner.core.recordsProcessed;
  progress.openWindows = runner.openWindows;
  progress.appended = runner.lanes.appended;
}
