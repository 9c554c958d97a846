/** Checkpoints of all partitions, one after the other, while records keep coming without a pause. */
import type { Clock } from '../../engine/time/clock.ts';
import { TurnLoop } from '../../engine/worker/turn-loop.ts';
import type { Progress } from '../harness/progress.ts';
import type { PartitionSet } from './partition-set.ts';

export interface CheckpointFigures {
  readonly bytes: number;
  readonly elapsedMs: number;
  /** Longest turn of the partitions: what copying on the first write adds is in it. */
  readonly turnMsMax: number;
  /** Longest time between two turns: what writing the checkpoint takes at a time. */
  readonly holdMsMax: number;
  readonly records: number;
}

/** The partitions' checkpoints are called for here. */
const NEVER_MS = 2 ** 40;
/** Nothing is due for a day: no wake-up may keep the process alive so long. */
const sleepingClock: Clock = { now: () => Date.now(), at: () => () => undefined };

/** @param feed brings in more records; called before every turn */
export async function runCheckpoints(
  set: PartitionSet,
  feed: () => void,
  progress: Progress,
): Promise<CheckpointFigures> {
  let [turnMsMax, holdMsMax, endedMs] = [0, 0, 0];
  let isDone = false;
  const loop = new TurnLoop({
    clock: sleepingClock,
    monotonicMs: () => performance.now(),
    defer: (turn) =>
      setImmediate(() => {
        const startedMs = performance.now();
        if (endedMs > 0) holdMsMax = Math.max(holdMsMax, startedMs - endedMs);
        turn();
        turnMsMax = Math.max(turnMsMax, performance.now() - startedMs);
        if (!isDone) {
          feed();
          for (const { partition } of set.runners) loop.readable(partition);
        }
        endedMs = performance.now();
      }),
    requestTick: () => undefined,
    onCheckpointFailure: (_partition, error) => {
      throw error;
    },
    checkpointIntervalMs: NEVER_MS,
  });
  const recordsBefore = recordsOf(set);
  for (const runner of set.runners) loop.add(runner, 0);
  const startedMs = performance.now();
  for (const [i, runner] of set.runners.entries()) {
    const before = runner.checkpointedAtMs;
    // Inside an envelope there is no checkpoint; the loop of `serve` comes again too.
    while (runner.checkpointedAtMs === before) {
      await runner.checkpoint();
      await new Promise((resolve) => setImmediate(resolve));
    }
    progress.at(i + 1);
  }
  const elapsedMs = performance.now() - startedMs;
  isDone = true;
  // A half processed envelope is finished, then nothing is left over for the next step.
  while (set.runners.some(({ core, isCaughtUp }) => core.isInside || !isCaughtUp)) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const runner of set.runners) await runner.lanes.drained();
  const bytes = set.runners.reduce((sum, { checkpointBytes }) => sum + checkpointBytes, 0);
  return { bytes, elapsedMs, turnMsMax, holdMsMax, records: recordsOf(set) - recordsBefore };
}

function recordsOf(set: PartitionSet): number {
  return set.runners.reduce((sum, { core }) => sum + core.recordsProcessed, 0);
}
