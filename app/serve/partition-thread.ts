/** Entry of a thread with partitions: wires log, pipeline and checkpoints together. */
import { parentPort, workerData } from 'node:worker_threads';
import { reportingTo } from '../../engine/health/conditions.ts';
import type { FingerprintKey } from '../../engine/state/fingerprints.ts';
import { runPartitionWorker, threadError } from '../../engine/worker/partition-worker.ts';
import { campaignCounters } from '../../operators/campaign-counters.ts';
import { campaignPipeline } from '../../operators/campaign-pipeline.ts';
import { connectLog, type LogAddress } from './log-home.ts';

export interface PartitionThreadData {
  readonly log: LogAddress;
  readonly partitions: readonly number[];
  readonly epoch: number;
  readonly checkpointFolder: string;
  readonly checkpointIntervalMs: number;
  readonly reorderWindowMs: number;
  readonly fingerprintKey: FingerprintKey;
  readonly messageIdsMax: number;
}

async function main(data: PartitionThreadData): Promise<void> {
  const port = parentPort!;
  try {
    const counters = campaignCounters();
    const conditions = reportingTo((report) => port.postMessage({ kind: 'condition', report }));
    const log = await connectLog(data.log, conditions);
    await runPartitionWorker({
      ...data,
      port,
      log,
      conditions,
      counters: counters as unknown as Readonly<Record<string, number>>,
      createPipeline: campaignPipeline({ counters }),
    });
  } catch (error) {
    port.postMessage({ kind: 'failed', error: threadError(error) });
  }
}

void main(workerData as PartitionThreadData);
