import { Histogram } from '../metrics/histogram.ts';
import type { PartitionRunner } from '../partition/partition-runner.ts';
import { after, type Clock } from '../time/clock.ts';

export interface TurnLoopOptions {
  readonly clock: Clock;
  /** Monotonic ms, for budgets only. */
  readonly monotonicMs: () => number;
  /** Runs `turn` soon, after I/O had its chance. */
  readonly defer: (turn: () => void) => void;
  /** Asks for a tick at or after `atMs` in a partition's log. */
  readonly requestTick: (partition: number, atMs: number) => void;
  readonly onCheckpointFailure: (partition: number, error: unknown) => void;
  readonly onCheckpointWritten?: (partition: number) => void;
  /** @default 30_000 */
  readonly checkpointIntervalMs?: number;
}

/** A turn ends after so long, so that acknowledgements, ticks and sockets get their share. */
const TURN_MS = 2;
/** A tick that did not come by then is asked for again. */
const TICK_AGAIN_MS = 1_000;
/** A loop that ends reads on for so long at most; what is left is read at the next start. */
const DRAIN_READ_MS = 1_000;

interface Entry {
  readonly runner: PartitionRunner;
  isReadable: boolean;
  /** Its outputs wait for the log: it reads on when they have gone. */
  isBlocked: boolean;
  /** Partition time that an asked-for tick will bring; -1 when none is under way. */
  tickAskedMs: number;
  tickAskedAtMs: number;
  nextCheckpointAtMs: number;
}

/** Gives a thread's partitions their turns, brings time to those that wait, and checkpoints. */
export class TurnLoop {
  readonly #options: TurnLoopOptions;
  readonly #entries = new Map<number, Entry>();
  readonly #checkpointIntervalMs: number;
  #isScheduled = false;
  #isStopped = false;
  /** Settles when the checkpoint under way is written; never rejects. */
  #checkpointing: Promise<void> | undefined;
  #wakeAtMs = Infinity;
  #cancelWake: (() => void) | undefined;
  #afterTurn: (() => void) | undefined;
  /** Ms from a deadline to its firing. */
  readonly timerDelay = new Histogram();
  /** Ms of processor time in turns, ever. */
  busyMs = 0;

  constructor(options: TurnLoopOptions) {
    this.#options = options;
    this.#checkpointIntervalMs = options.checkpointIntervalMs ?? 30_000;
  }

  get runners(): PartitionRunner[] {
    return [...this.#entries.values()].map(({ runner }) => runner);
  }

  /** @param share 0–1: where in the interval this partition's checkpoints fall */
  add(runner: PartitionRunner, share: number): void {
    const { clock } = this.#options;
    this.#entries.set(runner.partition, {
      runner,
      isReadable: true,
      isBlocked: false,
      tickAskedMs: -1,
      tickAskedAtMs: 0,
      nextCheckpointAtMs: clock.now() + this.#checkpointIntervalMs * (0.5 + share),
    });
    this.#schedule();
  }

  remove(partition: number): void {
    this.#entries.get(partition)?.runner.stop();
    this.#entries.delete(partition);
  }

  /** There may be something to read. */
  readable(partition: number): void {
    const entry = this.#entries.get(partition);
    if (entry === undefined) return;
    entry.isReadable = true;
    this.#schedule();
  }

  /** Ends the turns, writes every checkpoint and lets go of the logs. */
  async drain(): Promise<void> {
    await this.#readToEnds();
    this.#isStopped = true;
    this.#cancelWake?.();
    // One that is being written would keep its partition from writing a newer one.
    await this.#checkpointing;
    await Promise.all(
      [...this.#entries.values()].map(async ({ runner }) => {
        try {
          // Finishes an envelope that is half processed: a checkpoint stands between two.
          await runner.finishEnvelope();
          await runner.lanes.drained();
          await runner.finalCheckpoint();
        } catch (error) {
          this.#options.onCheckpointFailure(runner.partition, error);
        } finally {
          runner.stop();
        }
      }),
    );
  }

  /** Nothing comes in any more, so that after this the checkpoints need no replay. */
  async #readToEnds(): Promise<void> {
    const { clock } = this.#options;
    let endReading = () => {};
    const ended = new Promise<void>((resolve) => {
      endReading = resolve;
    });
    const cancel = after(clock, DRAIN_READ_MS, endReading);
    // A log that cannot say where it ends is not waited for.
    const ends = Promise.all(
      this.runners.map(async (runner) => ({ runner, tail: await runner.tail() })),
    );
    ends.then((all) => {
      this.#afterTurn = () => {
        if (all.every(({ runner, tail }) => runner.offset >= tail)) endReading();
      };
      this.#afterTurn();
    }, endReading);
    await ended;
    cancel();
    this.#afterTurn = undefined;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    this.#options.defer(() => {
      this.#isScheduled = false;
      if (!this.#isStopped) this.#turn();
    });
  }

  #turn(): void {
    const { monotonicMs, clock } = this.#options;
    const started = monotonicMs();
    const isOverBudget = () => monotonicMs() - started > TURN_MS;
    let hasMore = false;
    for (const [partition, entry] of this.#entries) {
      if (!entry.isReadable) continue;
      if (isOverBudget()) {
        hasMore = true;
        break;
      }
      const before = entry.runner.firedDueAtMs;
      const end = entry.runner.turn(isOverBudget);
      entry.isReadable = end === 'more';
      entry.isBlocked = end === 'blocked';
      hasMore ||= entry.isReadable;
      // What was asked for has come, or time has passed it.
      if (entry.runner.timeMs >= entry.tickAskedMs) entry.tickAskedMs = -1;
      const fired = entry.runner.firedDueAtMs;
      if (fired !== before) this.timerDelay.record(Math.max(0, clock.now() - fired));
      // To the end of the line, so that a busy partition does not keep the others from their turn.
      this.#entries.delete(partition);
      this.#entries.set(partition, entry);
      if (entry.isReadable) break;
    }
    this.busyMs += monotonicMs() - started;
    if (hasMore) this.#schedule();
    this.#checkpointNext();
    this.#bringTime();
    this.#afterTurn?.();
  }

  /** Asks for the ticks that are due and sets the one alarm for the next. */
  #bringTime(): void {
    const { clock, requestTick } = this.#options;
    const nowMs = clock.now();
    let wakeAtMs = Infinity;
    for (const entry of this.#entries.values()) {
      const { runner } = entry;
      // One that is due already waits for another to be written, which calls by itself.
      if (entry.nextCheckpointAtMs > nowMs) {
        wakeAtMs = Math.min(wakeAtMs, entry.nextCheckpointAtMs);
      }
      // What stands unread in the log brings time by itself.
      if (entry.isReadable || entry.isBlocked) continue;
      const turnAtMs = runner.nextTurnAtMs();
      if (turnAtMs >= nowMs) {
        wakeAtMs = Math.min(wakeAtMs, turnAtMs + 1);
        continue;
      }
      const isUnderWay =
        entry.tickAskedMs === turnAtMs && nowMs - entry.tickAskedAtMs < TICK_AGAIN_MS;
      if (!isUnderWay) {
        entry.tickAskedMs = turnAtMs;
        entry.tickAskedAtMs = nowMs;
        requestTick(runner.partition, turnAtMs);
      }
      wakeAtMs = Math.min(wakeAtMs, entry.tickAskedAtMs + TICK_AGAIN_MS);
    }
    this.#wakeAt(wakeAtMs);
  }

  #wakeAt(atMs: number): void {
    if (atMs === this.#wakeAtMs) return;
    this.#cancelWake?.();
    this.#wakeAtMs = atMs;
    if (atMs === Infinity) return;
    this.#cancelWake = this.#options.clock.at(atMs, () => {
      this.#wakeAtMs = Infinity;
      this.#cancelWake = undefined;
      if (this.#isStopped) return;
      this.#checkpointNext();
      this.#bringTime();
    });
  }

  /** One partition at a time, so that the disk and the thread are never asked for all at once. */
  #checkpointNext(): void {
    if (this.#checkpointing !== undefined || this.#isStopped) return;
    const nowMs = this.#options.clock.now();
    for (const entry of this.#entries.values()) {
      if (entry.nextCheckpointAtMs > nowMs || entry.runner.core.isInside) continue;
      entry.nextCheckpointAtMs = nowMs + this.#checkpointIntervalMs;
      if (!entry.runner.isDirty) continue;
      this.#checkpointing = entry.runner
        .checkpoint()
        .then(
          () => this.#options.onCheckpointWritten?.(entry.runner.partition),
          (error: unknown) => this.#options.onCheckpointFailure(entry.runner.partition, error),
        )
        .finally(() => {
          this.#checkpointing = undefined;
          this.#schedule();
        });
      return;
    }
  }
}
