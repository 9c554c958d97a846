import type { Checkpoint } from '../checkpoint/checkpoint-file.ts';
import type { CheckpointStore } from '../checkpoint/checkpoint-store.ts';
import { LapseError } from '../errors/errors.ts';
import { BEGINNING, type Log, type LogReader, type Offset } from '../log/log.ts';
import { claimPartition } from '../log/ownership.ts';
import type { FingerprintKey } from '../state/fingerprints.ts';
import type { Clock } from '../time/clock.ts';
import { OutputLanes } from './output-lanes.ts';
import type { OutputRoom } from './output-room.ts';
import { Partition } from './partition.ts';
import type { PipelineFactory } from './pipeline.ts';
import { readTrimMark, trimBehindMark } from './trim-mark.ts';

export interface PartitionRunnerOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly partition: number;
  /** Of the process that claims it, see `takeEpoch`. */
  readonly epoch: number;
  readonly checkpoints: CheckpointStore;
  readonly createPipeline: PipelineFactory;
  readonly reorderWindowMs: number;
  /** Of the log, see `logIdentity`. @default one that everybody knows */
  readonly fingerprintKey?: FingerprintKey;
  /** At most so many message ids are remembered. @default Infinity */
  readonly messageIdsMax?: number;
  /** For outputs that wait, shared by the partitions of a thread. @default one of its own */
  readonly outputRoom?: OutputRoom;
  /** There may be something to read. */
  readonly onReadable: () => void;
  /** The partition has stopped for good. */
  readonly onFailure: (partition: number, error: unknown) => void;
  /** These arrivals (see `arrivalOf`) stand in the log of their partition. */
  readonly onMoved?: (arrivals: readonly string[]) => void;
  /** Something to be told that does not stop anything. */
  readonly onWarning: (partition: number, error: LapseError) => void;
}

/** Why a turn ended: nothing is at hand, there is more, or the lanes take no more for now. */
export type TurnEnd = 'idle' | 'more' | 'blocked';

const INPUT = 'in.';

/**
 * One partition with its log, its lanes and its checkpoints: recovers, reads in turns, writes
 * outputs before state. Knows nothing of other partitions.
 */
export class PartitionRunner {
  readonly partition: number;
  readonly lanes: OutputLanes;
  readonly #options: PartitionRunnerOptions;
  readonly #core: Partition;
  readonly #reader: LogReader;
  readonly #epoch: number;
  /**
   * Settles when everything that stood in the log at the claim has been processed, and what came
   * out of it is durable: a user's state that moves goes before what comes in from then on.
   */
  readonly recovered: Promise<void>;
  #onRecovered: (() => void) | undefined;
  readonly #claimedAt: Offset;
  #checkpointOffset: Offset;
  #checkpointing: Promise<void> | undefined;
  #isStopped = false;
  /** Everything at hand has been read. */
  isCaughtUp = false;
  checkpointBytes = 0;
  /** Records up to and with the claim; the ones after it came in during this ownership. */
  recordsReplayed = 0;
  checkpointedAtMs = 0;

  private constructor(
    options: PartitionRunnerOptions,
    core: Partition,
    lanes: OutputLanes,
    claimedAt: Offset,
  ) {
    this.#options = options;
    this.#core = core;
    this.#epoch = options.epoch;
    this.#claimedAt = claimedAt;
    this.recovered = new Promise((resolve) => {
      this.#onRecovered = resolve;
    });
    this.partition = options.partition;
    this.lanes = lanes;
    this.#checkpointOffset = core.offset;
    this.#reader = options.log.read(`in.${options.partition}`, core.offset, options.onReadable);
  }

  /** Claims the partition, takes the newest whole checkpoint over and opens the log behind it. */
  static async open(options: PartitionRunnerOptions): Promise<PartitionRunner> {
    const { log, partition, clock, epoch } = options;
    // Looked at before the claim, so that a start that cannot succeed takes nothing from an owner.
    let checkpoint = await loadFitting(options);
    const claimedAt = await claimPartition(log, clock, { partition, epoch });
    // An older owner may have kept one, and trimmed the log behind it, until it lost the claim.
    if (await options.checkpoints.hasBeyond(checkpoint?.offset ?? BEGINNING)) {
      checkpoint = await loadFitting(options);
    }
    let core: Partition;
    let failure: unknown;
    const lanes = new OutputLanes({
      log,
      clock,
      partition,
      epoch,
      encode: (topic, outputs) => core.pipeline.encodeOutputs(topic, outputs),
      bytesOf: (topic, output) => core.pipeline.outputBytes(topic, output),
      ...(options.outputRoom === undefined ? {} : { room: options.outputRoom }),
      onStored: (topic, outputs) => {
        if (!topic.startsWith(INPUT)) return;
        const arrivals = core.pipeline.arrivalsIn(outputs);
        if (arrivals.length > 0) options.onMoved?.(arrivals);
      },
      onRoom: options.onReadable,
      onFailure: (error) => {
        failure = error;
        options.onFailure(partition, failure);
      },
    });
    core = new Partition({
      partitionCount: log.partitionCount,
      createPipeline: options.createPipeline,
      reorderWindowMs: options.reorderWindowMs,
      ...stateOptionsOf(options),
      epoch,
      onOutput: (topic, output, at, ordinal) => lanes.add(topic, output, at, ordinal),
    });
    if (checkpoint !== undefined) {
      // Rules first: the windows' timers ask them when they are due.
      core.pipeline.restore(checkpoint.pipeline);
      core.state.restore(checkpoint.state);
      core.offset = checkpoint.offset;
    }
    return new PartitionRunner(options, core, lanes, claimedAt);
  }

  get timeMs(): number {
    return this.#core.state.timeMs;
  }

  get offset(): Offset {
    return this.#core.offset;
  }

  /** Offset of the last envelope that stands in the log now. */
  tail(): Promise<Offset> {
    return this.#options.log.tail(`in.${this.partition}`);
  }

  get openWindows(): number {
    return this.#core.state.windows.count;
  }

  get firedDueAtMs(): number {
    return this.#core.firedDueAtMs;
  }

  get core(): Partition {
    return this.#core;
  }

  /** See `Partition.nextTurnAtMs`. */
  nextTurnAtMs(): number {
    return this.#core.nextTurnAtMs();
  }

  /**
   * Reads on until nothing is at hand, the budget is spent or the lanes are full. When it has
   * nothing to do at once, `onReadable` tells when it has again.
   */
  turn(isOverBudget: () => boolean): TurnEnd {
    if (this.#isStopped) return 'idle';
    const core = this.#core;
    const { lanes } = this;
    // A tick alone may fire as many windows as there are: room is asked for within it too.
    const mustPause = () => isOverBudget() || !lanes.hasRoom;
    try {
      for (;;) {
        if (core.isInside) {
          if (!lanes.hasRoom) return 'blocked';
          if (!core.run(mustPause)) return lanes.hasRoom ? 'more' : 'blocked';
        }
        if (core.offset >= this.#claimedAt) this.#recover();
        if (!lanes.hasRoom) return 'blocked';
        if (isOverBudget()) return 'more';
        const stored = this.#reader.poll();
        this.isCaughtUp = stored === undefined;
        if (stored === undefined) return 'idle';
        // The bytes are the reader's until the next poll, which comes after the envelope is done.
        core.begin(stored);
      }
    } catch (error) {
      this.stop();
      this.#options.onFailure(this.partition, error);
      return 'idle';
    } finally {
      this.lanes.flush();
    }
  }

  #recover(): void {
    if (this.#onRecovered === undefined) return;
    this.recordsReplayed = this.#core.recordsProcessed;
    // Whoever stops the lanes says why.
    this.lanes.drained().then(this.#onRecovered, () => undefined);
    this.#onRecovered = undefined;
  }

  /** Ends an envelope that is half processed, as fast as the log takes what follows from it. */
  async finishEnvelope(): Promise<void> {
    while (this.#core.isInside && !this.#isStopped) {
      if (this.lanes.hasRoom) this.#core.run(() => !this.lanes.hasRoom);
      await this.lanes.drained();
    }
  }

  /** True when a checkpoint would say something new. */
  get isDirty(): boolean {
    return this.#core.offset > this.#checkpointOffset;
  }

  /**
   * Writes state and position as one, without stopping the path: outputs are durable first. Does
   * nothing inside an envelope; the caller comes again.
   */
  async checkpoint(): Promise<void> {
    const core = this.#core;
    const isUnderWay = this.#checkpointing !== undefined;
    if (isUnderWay || core.isInside || !this.isDirty || this.#isStopped) return;
    this.#checkpointing = this.#writeCheckpoint();
    try {
      await this.#checkpointing;
    } finally {
      this.#checkpointing = undefined;
    }
  }

  /** The last one of this ownership: one that is under way may not hold all of it. */
  async finalCheckpoint(): Promise<void> {
    await this.#checkpointing?.catch(() => undefined);
    await this.checkpoint();
  }

  async #writeCheckpoint(): Promise<void> {
    const core = this.#core;
    const { log, checkpoints } = this.#options;
    const offset = core.offset;
    const pipeline = core.pipeline.freeze();
    const state = core.state.freeze();
    const saving = this.lanes.drained().then(() =>
      checkpoints.save({
        partition: this.partition,
        partitionCount: log.partitionCount,
        offset,
        epoch: this.#epoch,
        pipeline,
        state,
      }),
    );
    // Also when it failed: the frozen state would be kept beside the living one.
    const { trimTo, bytes } = await saving.finally(() => core.state.thaw());
    this.#checkpointOffset = offset;
    this.checkpointBytes = bytes;
    this.checkpointedAtMs = this.#options.clock.now();
    // A new owner may stand on an older checkpoint: from its claim on only it may trim.
    const isOwner = (await log.epochOf(this.partition)) === this.#epoch;
    if (isOwner && trimTo > BEGINNING) await trimBehindMark(log, this.partition, trimTo);
  }

  stop(): void {
    this.#isStopped = true;
    this.lanes.stop();
    this.#reader.close();
  }
}

/** @throws LapseError `ERR_STATE_LOST`, `ERR_LOG_BEHIND` */
async function loadFitting(options: PartitionRunnerOptions): Promise<Checkpoint | undefined> {
  const { log, partition } = options;
  // First: an owner that goes on meanwhile trims only behind what it has kept before, and that is
  // found. The other way round its newest mark would be held against a checkpoint of long ago.
  const trimmedTo = await readTrimMark(log, partition);
  const { checkpoint, problems } = await options.checkpoints.load(log.partitionCount);
  for (const problem of problems) options.onWarning(partition, problem);
  const tail = await log.tail(`in.${partition}`);
  const offset = checkpoint?.offset ?? BEGINNING;
  if (offset < trimmedTo) {
    throw new LapseError(
      'ERR_STATE_LOST',
      `The log of partition ${partition} begins behind offset ${trimmedTo}, and no whole checkpoint reaches so far (the newest stands at ${offset}). Restore the checkpoints of the data folder.`,
      { domain: 'user', facts: { partition, offset, trimmedTo } },
    );
  }
  if (offset > tail) {
    throw new LapseError(
      'ERR_LOG_BEHIND',
      `The checkpoint of partition ${partition} stands at offset ${offset}, but its log ends at ${tail}: they do not belong together.`,
      { domain: 'user', facts: { partition, offset, tail } },
    );
  }
  return checkpoint;
}

function stateOptionsOf({ fingerprintKey, messageIdsMax }: PartitionRunnerOptions) {
  return {
    ...(fingerprintKey === undefined ? {} : { fingerprintKey }),
    ...(messageIdsMax === undefined ? {} : { messageIdsMax }),
  };
}
