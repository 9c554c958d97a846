import type { MessagePort } from 'node:worker_threads';
import { CheckpointStore } from '../checkpoint/checkpoint-store.ts';
import { LapseError, messageOf } from '../errors/errors.ts';
import type { ConditionReporter } from '../health/conditions.ts';
import type { EventQuery } from '../intake/event-standing.ts';
import type { Log } from '../log/log.ts';
import { OutputRoom } from '../partition/output-room.ts';
import { PartitionRunner } from '../partition/partition-runner.ts';
import type { PipelineFactory } from '../partition/pipeline.ts';
import type { Alias } from '../state/alias-table.ts';
import type { FingerprintKey } from '../state/fingerprints.ts';
import { partitionOf } from '../state/hash.ts';
import { systemClock } from '../time/clock.ts';
import type {
  FromPartitionWorker,
  PartitionStats,
  ThreadError,
  TickRequest,
  ToWorker,
} from './protocol.ts';
import { Standstill } from './standstill.ts';
import { TurnLoop } from './turn-loop.ts';

export interface PartitionWorkerOptions {
  readonly port: MessagePort;
  readonly log: Log;
  readonly partitions: readonly number[];
  /** Of this process, see `takeEpoch`. */
  readonly epoch: number;
  readonly checkpointFolder: string;
  readonly checkpointIntervalMs: number;
  readonly reorderWindowMs: number;
  /** Of the log, see `logIdentity`. */
  readonly fingerprintKey: FingerprintKey;
  /** Of each partition, see `DedupeTable`. */
  readonly messageIdsMax: number;
  readonly createPipeline: PipelineFactory;
  readonly conditions: ConditionReporter;
  /** Of all pipelines of this thread. */
  readonly counters: Readonly<Record<string, number>>;
}

const STATS_INTERVAL_MS = 250;
const ALIASES_PER_MESSAGE = 10_000;
/** Checkpoints read at a time: enough to keep the disk busy, few enough for memory. */
const OPENING_MAX = 4;

/**
 * Runs the partitions of one thread until it is told to drain. Shares nothing with other threads:
 * it reads its logs and appends its outputs itself; the main thread only hears of ticks and counts.
 */
export async function runPartitionWorker(options: PartitionWorkerOptions): Promise<void> {
  const worker = new PartitionWorker(options);
  await worker.open();
}

class PartitionWorker {
  readonly #options: PartitionWorkerOptions;
  readonly #loop: TurnLoop;
  readonly #outputRoom = new OutputRoom();
  readonly #standstill = new Standstill();
  /** Partitions whose last checkpoint failed. */
  readonly #uncheckpointed = new Set<number>();
  #ticks: TickRequest[] = [];
  readonly #startedAtMs = systemClock.now();
  #replayedRecords = 0;
  #checkpointFailures = 0;
  #statsTimer: NodeJS.Timeout | undefined;

  constructor(options: PartitionWorkerOptions) {
    this.#options = options;
    this.#loop = new TurnLoop({
      clock: systemClock,
      monotonicMs: () => performance.now(),
      defer: (turn) => setImmediate(turn),
      checkpointIntervalMs: options.checkpointIntervalMs,
      requestTick: (partition, atMs) => this.#requestTick(partition, atMs),
      onCheckpointFailure: (partition, error) => this.#checkpointFailed(partition, error),
      onCheckpointWritten: (partition) => this.#checkpointWritten(partition),
    });
  }

  async open(): Promise<void> {
    const { port, partitions } = this.#options;
    port.on('message', (message: ToWorker) => {
      if (message.kind === 'drain') void this.#drain();
      else if (message.kind === 'ask') this.#answer(message.id, message.queries);
      else this.#describe(message.id, message.query);
    });
    const waiting = [...partitions];
    const openNext = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        await this.#openPartition(next);
      }
    };
    try {
      await Promise.all(Array.from({ length: OPENING_MAX }, openNext));
    } catch (error) {
      this.#post({ kind: 'failed', error: threadError(error) });
      return;
    }
    this.#statsTimer = setInterval(() => this.#postStats(), STATS_INTERVAL_MS);
    this.#post({ kind: 'ready', replayedRecords: this.#replayedRecords });
  }

  async #openPartition(partition: number): Promise<void> {
    const { log, checkpointFolder, createPipeline, partitions, epoch } = this.#options;
    const { reorderWindowMs, fingerprintKey, messageIdsMax } = this.#options;
    const runner = await PartitionRunner.open({
      log,
      clock: systemClock,
      partition,
      epoch,
      checkpoints: new CheckpointStore(checkpointFolder, partition),
      createPipeline,
      reorderWindowMs,
      fingerprintKey,
      messageIdsMax,
      outputRoom: this.#outputRoom,
      onReadable: () => this.#loop.readable(partition),
      onFailure: (_partition, error) => this.#fail(error),
      onMoved: (arrivals) => this.#post({ kind: 'moved', arrivals }),
      onWarning: (_partition, error) => this.#warn(partition, error),
    });
    this.#loop.add(runner, partitions.indexOf(partition) / partitions.length);
    await runner.recovered;
    // The log may come from before the system's clock was set back: time goes on from there.
    systemClock.atLeast(runner.timeMs);
    this.#postAliases(runner);
    this.#replayedRecords += runner.recordsReplayed;
  }

  #postAliases(runner: PartitionRunner): void {
    let aliases: Alias[] = [];
    for (const alias of runner.core.state.aliases.entries()) {
      if (aliases.push(alias) < ALIASES_PER_MESSAGE) continue;
      this.#post({ kind: 'aliases', aliases });
      aliases = [];
    }
    if (aliases.length > 0) this.#post({ kind: 'aliases', aliases });
  }

  #requestTick(partition: number, atMs: number): void {
    if (this.#ticks.push({ partition, atMs }) > 1) return;
    // Partitions that are due together ask together.
    queueMicrotask(() => {
      this.#post({ kind: 'ticks', ticks: this.#ticks });
      this.#ticks = [];
    });
  }

  async #drain(): Promise<void> {
    clearInterval(this.#statsTimer);
    await this.#loop.drain();
    this.#postStats();
    await this.#options.log.close();
    this.#post({ kind: 'drained' });
    this.#options.port.close();
  }

  #describe(id: number, query: unknown): void {
    const pipelines = this.#loop.runners.map(({ core }) => core.pipeline.describe(query));
    this.#post({ kind: 'described', id, pipelines });
  }

  /** Here and not in a turn: what was handed over with the question is not read yet. */
  #answer(id: number, queries: readonly EventQuery[]): void {
    const { partitionCount } = this.#options.log;
    const runners = new Map(this.#loop.runners.map((runner) => [runner.partition, runner]));
    const standings = queries.map((query) => {
      const runner = runners.get(partitionOf(query.userId, partitionCount));
      return runner?.core.pipeline.standingOf(query) ?? 'new';
    });
    this.#post({ kind: 'answered', id, standings });
  }

  #postStats(): void {
    this.#post({ kind: 'stats', stats: this.#stats() });
  }

  #stats(): PartitionStats {
    const nowMs = systemClock.now();
    const stats = {
      counters: { ...this.#options.counters },
      recordsProcessed: -this.#replayedRecords,
      openWindows: 0,
      lagMs: 0,
      outputsWaiting: 0,
      stillMs: this.#standstill.longestMs(this.#loop.runners, nowMs),
      timerDelay: this.#loop.timerDelay.toCounts(),
      busyMs: this.#loop.busyMs,
      checkpointBytes: 0,
      checkpointAgeMs: 0,
      checkpointFailures: this.#checkpointFailures,
      messageIds: 0,
      messageIdBytes: 0,
      dedupeEvictedEarly: 0,
      cancelsEvictedEarly: 0,
    };
    for (const runner of this.#loop.runners) {
      stats.recordsProcessed += runner.core.recordsProcessed;
      stats.openWindows += runner.openWindows;
      stats.outputsWaiting += runner.lanes.waiting;
      stats.checkpointBytes += runner.checkpointBytes;
      const { dedupe } = runner.core.state;
      stats.messageIds += dedupe.count;
      stats.messageIdBytes += dedupe.bytes;
      stats.dedupeEvictedEarly += dedupe.evictedEarly;
      stats.cancelsEvictedEarly += runner.core.state.recentCancels.evictedEarly;
      if (runner.isDirty) {
        const sinceMs = runner.checkpointedAtMs || this.#startedAtMs;
        stats.checkpointAgeMs = Math.max(stats.checkpointAgeMs, nowMs - sinceMs);
      }
      if (!runner.isCaughtUp) stats.lagMs = Math.max(stats.lagMs, nowMs - runner.timeMs);
    }
    return stats;
  }

  #checkpointFailed(partition: number, error: unknown): void {
    this.#checkpointFailures++;
    this.#uncheckpointed.add(partition);
    const cause = messageOf(error).replace(/\.$/, '');
    const sentence = `Could not write the checkpoint of partition ${partition}: ${cause}. The log is kept until it is written.`;
    this.#options.conditions.begin('checkpoints-failing', '', sentence);
  }

  #checkpointWritten(partition: number): void {
    if (!this.#uncheckpointed.delete(partition) || this.#uncheckpointed.size > 0) return;
    this.#options.conditions.over('checkpoints-failing', '');
  }

  #warn(partition: number, error: unknown): void {
    this.#post({ kind: 'warning', partition, error: threadError(error) });
  }

  #fail(error: unknown): void {
    this.#post({ kind: 'failed', error: threadError(error) });
  }

  #post(message: FromPartitionWorker): void {
    this.#options.port.postMessage(message);
  }
}

export function threadError(error: unknown): ThreadError {
  if (error instanceof LapseError) {
    return { code: error.code, message: error.message, domain: error.domain };
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
  return { code: 'ERR_INTERNAL', message: stack, domain: 'internal' };
}

export function errorOfThread({ code, message, domain }: ThreadError): LapseError {
  return new LapseError(code, message, { domain });
}
