import type { Clock } from '../clock.ts';
import { LapseError } from '../errors.ts';
import type { Log, Offset, WriterPosition } from '../log.ts';

export interface OutputLanesOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly partition: number;
  readonly epoch: number;
  readonly encode: OutputEncoder;
  /** These stand in the topic now, for the first time or since before a replay. */
  readonly onStored?: (topic: string, outputs: readonly unknown[]) => void;
  /** There is room again after there was none. */
  readonly onRoom: () => void;
  /** The partition must stop: another owner has written, or the log is broken. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Encodes outputs of one topic as an envelope: as many of the first as fit, at least one.
 * @returns the envelope and how many stand in it
 */
export type OutputEncoder = (
  topic: string,
  outputs: readonly unknown[],
) => { readonly bytes: Uint8Array; readonly count: number };

interface Output {
  readonly output: unknown;
  readonly offset: Offset;
  readonly ordinal: number;
}

interface Lane {
  readonly topic: string;
  queue: Output[];
  /** Up to here the lane holds what this partition owes it; undefined until it was asked. */
  position: WriterPosition | undefined;
  isReady: boolean;
  isAppending: boolean;
  /** How many outputs have left the queue, for those who wait until theirs have. */
  left: number;
  waiters: Waiter[];
}

interface Waiter {
  readonly count: number;
  readonly resolve: () => void;
  readonly reject: (error: LapseError) => void;
}

const APPEND_OUTPUTS_MAX = 1_000;
/** Above so many waiting outputs the partition reads no further. */
const WAITING_MAX = 20_000;
const RETRY_MS = 250;

/**
 * Takes a partition's outputs to the topics they belong to, in order, each exactly once: one fenced
 * append in flight a lane, and what stands there from before a replay is left out.
 */
export class OutputLanes {
  readonly #options: OutputLanesOptions;
  readonly #lanes = new Map<string, Lane>();
  #waiting = 0;
  #isStopped = false;
  appended = 0;
  /** Outputs of a replay that the lane held already. */
  replayed = 0;

  constructor(options: OutputLanesOptions) {
    this.#options = options;
  }

  get hasRoom(): boolean {
    return this.#waiting < WAITING_MAX;
  }

  get waiting(): number {
    return this.#waiting;
  }

  add(topic: string, output: unknown, offset: Offset, ordinal: number): void {
    let entry = this.#lanes.get(topic);
    if (entry === undefined) {
      entry = this.#openLane(topic);
      this.#lanes.set(topic, entry);
    }
    entry.queue.push({ output, offset, ordinal });
    this.#waiting++;
  }

  /** Starts what can be started. */
  flush(): void {
    for (const lane of this.#lanes.values()) this.#pump(lane);
  }

  /**
   * Resolves when everything added so far is durable, whatever is added meanwhile.
   * @throws LapseError `ERR_LANES_STOPPED` when that can no longer come
   */
  async drained(): Promise<void> {
    this.flush();
    const lanes = [...this.#lanes.values()].filter(({ queue }) => queue.length > 0);
    await Promise.all(lanes.map((lane) => this.#settled(lane, lane.left + lane.queue.length)));
  }

  #settled(lane: Lane, count: number): Promise<void> {
    if (this.#isStopped) return Promise.reject(stoppedError(lane));
    return new Promise((resolve, reject) => lane.waiters.push({ count, resolve, reject }));
  }

  /** Starts nothing more. */
  stop(): void {
    this.#isStopped = true;
    for (const lane of this.#lanes.values()) {
      for (const { reject } of lane.waiters.splice(0)) reject(stoppedError(lane));
    }
  }

  #openLane(topic: string): Lane {
    const lane: Lane = {
      topic,
      queue: [],
      position: undefined,
      isReady: false,
      isAppending: false,
      left: 0,
      waiters: [],
    };
    this.#askPosition(lane);
    return lane;
  }

  #askPosition(lane: Lane): void {
    const { log, partition } = this.#options;
    log.positionOf(lane.topic, partition).then(
      (position) => {
        lane.position = position;
        lane.isReady = true;
        this.#pump(lane);
      },
      (error: unknown) => this.#failed(error, () => this.#askPosition(lane)),
    );
  }

  #pump(lane: Lane): void {
    if (!lane.isReady || lane.isAppending || this.#isStopped) return;
    this.#skipReplayed(lane);
    if (lane.queue.length === 0) return;
    const first = lane.queue.slice(0, APPEND_OUTPUTS_MAX);
    const outputs = first.map(({ output }) => output);
    const { bytes, count } = this.#options.encode(lane.topic, outputs);
    lane.isAppending = true;
    this.#append(lane, first.slice(0, count), bytes);
  }

  #append(lane: Lane, batch: readonly Output[], bytes: Uint8Array): void {
    const { log, partition, epoch } = this.#options;
    const { offset, ordinal } = batch.at(-1)!;
    const position = { epoch, offset, ordinal };
    const after = lane.position ?? 'beginning';
    log.append(lane.topic, bytes, { writer: partition, position, after }).then(
      () => {
        lane.isAppending = false;
        lane.position = position;
        lane.queue.splice(0, batch.length);
        this.appended += batch.length;
        this.#stored(lane, batch);
        this.#leave(lane, batch.length);
        this.#pump(lane);
      },
      (error: unknown) => {
        if (error instanceof LapseError && error.code === 'ERR_POSITION_MOVED') {
          // An older owner has written a part of it before it noticed that it was one.
          lane.isAppending = false;
          lane.isReady = false;
          this.#askPosition(lane);
          return;
        }
        // It may have been stored: the fence makes a second try of the same position harmless.
        this.#failed(error, () => this.#append(lane, batch, bytes));
      },
    );
  }

  #failed(error: unknown, retry: () => void): void {
    if (this.#isStopped) return;
    if (error instanceof LapseError && error.retryable) {
      const { clock } = this.#options;
      clock.at(clock.now() + RETRY_MS, () => {
        if (!this.#isStopped) retry();
      });
      return;
    }
    this.stop();
    this.#options.onFailure(error);
  }

  #skipReplayed(lane: Lane): void {
    const { position, queue } = lane;
    if (position === undefined) return;
    let count = 0;
    while (count < queue.length && isAtOrBelow(queue[count]!, position)) count++;
    if (count === 0) return;
    this.#stored(lane, queue.splice(0, count));
    this.replayed += count;
    this.#leave(lane, count);
  }

  #stored({ topic }: Lane, stored: readonly Output[]): void {
    this.#options.onStored?.(
      topic,
      stored.map(({ output }) => output),
    );
  }

  #leave(lane: Lane, count: number): void {
    lane.left += count;
    while (lane.waiters.length > 0 && lane.waiters[0]!.count <= lane.left) {
      lane.waiters.shift()!.resolve();
    }
    const hadRoom = this.hasRoom;
    this.#waiting -= count;
    if (!hadRoom && this.hasRoom) this.#options.onRoom();
  }
}

function stoppedError({ topic }: Lane): LapseError {
  return new LapseError(
    'ERR_LANES_STOPPED',
    `Outputs of '${topic}' wait, but the partition stopped.`,
  );
}

function isAtOrBelow(output: Output, position: WriterPosition): boolean {
  return (
    output.offset < position.offset ||
    (output.offset === position.offset && output.ordinal <= position.ordinal)
  );
}
