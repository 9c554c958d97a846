/**
 * Entry of a thread of `bench path`. It runs partitions of the engine just as a thread of `serve`
 * does, but waits for the start and says when everything that stood in the log is done.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { connectLog } from '../../app/serve/log-home.ts';
import { CheckpointStore } from '../../engine/checkpoint/checkpoint-store.ts';
import type { Log } from '../../engine/log/log.ts';
import { PartitionRunner } from '../../engine/partition/partition-runner.ts';
import { systemClock } from '../../engine/time/clock.ts';
import { threadError } from '../../engine/worker/partition-worker.ts';
import { TurnLoop } from '../../engine/worker/turn-loop.ts';
import { campaignCounters } from '../../operators/campaign-counters.ts';
import { campaignPipeline } from '../../operators/campaign-pipeline.ts';
import type { FromPathThread, PathThreadData, ToPathThread } from './protocol.ts';
import { readAll } from './read-all.ts';

const PROGRESS_EVERY_MS = 200;
const data = workerData as PathThreadData;
const port = parentPort!;

function post(message: FromPathThread): void {
  port.postMessage(message);
}

function fail(error: unknown): void {
  post({ kind: 'failed', error: threadError(error) });
}

/** Runs the engine; resolves with what is to be done when the bench has read the figures. */
async function runEngine(log: Log): Promise<() => Promise<void>> {
  const counters = campaignCounters();
  const loop = new TurnLoop({
    clock: systemClock,
    monotonicMs: () => performance.now(),
    defer: (turn) => setImmediate(turn),
    checkpointIntervalMs: data.checkpointIntervalMs,
    // The log is of the past and whole: nobody is waited for.
    requestTick: () => undefined,
    onCheckpointFailure: (_partition, error) => fail(error),
  });
  const runners: PartitionRunner[] = [];
  const count = () => runners.reduce((sum, { core }) => sum + core.recordsProcessed, 0);
  const progress = setInterval(
    () => post({ kind: 'progress', records: count() }),
    PROGRESS_EVERY_MS,
  );
  await Promise.all(
    data.partitions.map(async (partition, i) => {
      const runner = await PartitionRunner.open({
        log,
        clock: systemClock,
        partition,
        // The log is of this run alone.
        epoch: 1,
        checkpoints: new CheckpointStore(data.checkpointFolder, partition),
        createPipeline: campaignPipeline({ counters }),
        reorderWindowMs: data.reorderWindowMs,
        onReadable: () => loop.readable(partition),
        onFailure: (_partition, error) => fail(error),
        onWarning: (_partition, error) => fail(error),
      });
      runners.push(runner);
      loop.add(runner, i / data.partitions.length);
      await runner.recovered;
      await runner.lanes.drained();
    }),
  );
  clearInterval(progress);
  post({
    kind: 'done',
    records: count(),
    counters: { ...counters },
    busyMs: loop.busyMs,
    checkpoints: runners.filter(({ checkpointedAtMs }) => checkpointedAtMs > 0).length,
  });
  return () => loop.drain();
}

async function main(): Promise<void> {
  const log = await connectLog(data.log);
  let finish: () => Promise<void> = () => Promise.resolve();
  port.on('message', (message: ToPathThread) => {
    const step = message.kind === 'start' ? start() : drain();
    step.catch(fail);
  });
  const start = async () => {
    if (data.mode === 'engine') {
      finish = await runEngine(log);
      return;
    }
    const { records, busyMs } = await readAll(log, data.partitions, data.mode === 'bodies');
    post({ kind: 'done', records, counters: {}, busyMs, checkpoints: 0 });
  };
  const drain = async () => {
    await finish();
    await log.close();
    post({ kind: 'drained' });
    port.close();
  };
  post({ kind: 'connected' });
}

main().catch(fail);
