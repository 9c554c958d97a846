/** All partitions in one thread, with real runners over a log that is fed by hand. */
import { createHash, type Hash } from 'node:crypto';
import { CheckpointStore } from '../../engine/checkpoint/checkpoint-store.ts';
import { PartitionRunner } from '../../engine/partition/partition-runner.ts';
import type { Clock } from '../../engine/time/clock.ts';
import { type CampaignCounters, campaignCounters } from '../../operators/campaign-counters.ts';
import { campaignPipeline } from '../../operators/campaign-pipeline.ts';
import { decodeDeliveries } from '../../operators/delivery/codec.ts';
import type { FeedLog } from './feed-log.ts';

/** As many as a thread of `serve` opens at a time. */
const OPENING_MAX = 4;
const REORDER_WINDOW_MS = 5_000;

export class PartitionSet {
  readonly runners: PartitionRunner[] = [];
  readonly counters: CampaignCounters = campaignCounters();
  readonly #log: FeedLog;
  /** Of the latest opening. */
  #epoch = 0;
  readonly #hash: Hash = createHash('sha256');

  constructor(log: FeedLog) {
    this.#log = log;
  }

  /** Loads every partition's newest checkpoint, and is ready to read on. */
  async open(folder: string, clock: Clock): Promise<void> {
    this.#epoch++;
    const waiting = Array.from({ length: this.#log.partitionCount }, (_, partition) => partition);
    const openNext = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const runner = await this.#openOne(next, folder, clock);
        this.runners[next] = runner;
        runner.turn(() => false);
        await runner.recovered;
      }
    };
    await Promise.all(Array.from({ length: OPENING_MAX }, openNext));
  }

  #openOne(partition: number, folder: string, clock: Clock): Promise<PartitionRunner> {
    return PartitionRunner.open({
      log: this.#log,
      clock,
      partition,
      epoch: this.#epoch,
      checkpoints: new CheckpointStore(folder, partition),
      createPipeline: campaignPipeline({ counters: this.counters }),
      reorderWindowMs: REORDER_WINDOW_MS,
      onReadable: () => undefined,
      onFailure: (_partition, error) => {
        throw error;
      },
      onWarning: (_partition, error) => {
        throw error;
      },
    });
  }

  /**
   * Processes everything that was fed.
   * @returns ms in turns, without the waits for outputs
   */
  async run(): Promise<number> {
    let busyMs = 0;
    for (const runner of this.runners) {
      for (let hasMore = true; hasMore; ) {
        const startedMs = performance.now();
        hasMore = runner.turn(() => false) !== 'idle';
        busyMs += performance.now() - startedMs;
        if (hasMore || runner.lanes.waiting > 0) await runner.lanes.drained();
      }
    }
    this.#hashOutputs();
    return busyMs;
  }

  get openWindows(): number {
    return this.runners.reduce((sum, { openWindows }) => sum + openWindows, 0);
  }

  outputHash(): string {
    return this.#hash.digest('hex').slice(0, 16);
  }

  stop(): void {
    for (const runner of this.runners) runner.stop();
    this.runners.length = 0;
  }

  /** Partitions run one after the other, so outputs come in the same order every time. */
  #hashOutputs(): void {
    for (const bytes of this.#log.takeOutputs()) {
      for (const { id, qualifiedAtMs } of decodeDeliveries(bytes)) {
        this.#hash.update(`${id} ${qualifiedAtMs}\n`);
      }
    }
  }
}
