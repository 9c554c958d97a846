import { ENVELOPE_RECORDS_MAX } from '../envelope/envelope-layout.ts';
import { LapseError } from '../errors/errors.ts';
import type { Log, Offset, WriterPosition } from '../log/log.ts';
import type { Clock } from '../time/clock.ts';
import { OutputRoom } from './output-room.ts';

export interface OutputLanesOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly partition: number;
  readonly epoch: number;
  readonly encode: OutputEncoder;
  /** About how many bytes an output takes when encoded. @default 0: nothing is known of it */
  readonly bytesOf?: (topic: string, output: unknown) => number;
  /** Shared by the partitions of a thread. @default one of its own */
  readonly room?: OutputRoom;
  /** These stand in the topic now, for the first time or since before a replay. */
  readonly onStored?: (topic: string, outputs: readonly unknown[]) => void;
  /** There is room again after there was none. */
  readonly onRoom: () => void;
  /** The partition must stop: another owner has written, or the log is broken. */
  readonly onFailure: (error: unknown) => void;
}

/** Encodes outputs of one topic as one envelope. */
export type OutputEncoder = (topic: string, outputs: readonly unknown[]) => Uint8Array;

interface Output {
  readonly output: unknown;
  readonly bytes: number;
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
/** What goes there are records of one envelope. */
const INPUT = 'in.';
/** As for the envelopes of events: a NATS message has 1 MiB, and texts may grow when encoded. */
const APPEND_BYTES_MAX = 256 * 1024;
/** So many outputs a partition may have waiting when the others have filled the room. */
const OWN_OUTPUTS_MIN = 64;
const RETRY_MS = 250;

/**
 * Takes a partition's outputs to the topics they belong to, in order, each exactly once: one fenced
 * append in flight a lane, and what stands there from before a replay is left out.
 */
export class OutputLanes {
  readonly #options: OutputLanesOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #room: OutputRoom;
  readonly #onFree: () => void;
  #waiting = 0;
  #isStopped = false;
  appended = 0;
  /** Outputs of a replay that the lane held already. */
  replayed = 0;

  constructor(options: OutputLanesOptions) {
    this.#options = options;
    this.#room = options.room ?? new OutputRoom();
    this.#onFree = () => options.onRoom();
    this.#room.join(this.#onFree);
  }

  /** False while too much waits: the partition goes no further, not even in an envelope. */
  get hasRoom(): boolean {
    return this.#room.isFree || this.#waiting < OWN_OUTPUTS_MIN;
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
    const bytes = this.#options.bytesOf?.(topic, output) ?? 0;
    entry.queue.push({ output, bytes, offset, ordinal });
    this.#waiting++;
    this.#room.take(bytes);
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
    if (!this.#isStopped) this.#leaveRoom();
    this.#isStopped = true;
    for (const lane of this.#lanes.values()) {
      for (const { reject } of lane.waiters.splice(0)) reject(stoppedError(lane));
    }
  }

  #leaveRoom(): void {
    this.#room.leave(this.#onFree);
    for (const { queue } of this.#lanes.values()) this.#room.give(queue.length, bytesIn(queue));
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
    const batch = lane.queue.slice(0, appendLength(lane));
    const outputs = batch.map(({ output }) => output);
    lane.isAppending = true;
    this.#append(lane, batch, this.#options.encode(lane.topic, outputs));
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
        this.#leave(lane, batch);
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
    const skipped = queue.splice(0, count);
    this.#stored(lane, skipped);
    this.replayed += count;
    this.#leave(lane, skipped);
  }

  #stored({ topic }: Lane, stored: readonly Output[]): void {
    this.#options.onStored?.(
      topic,
      stored.map(({ output }) => output),
    );
  }

  #leave(lane: Lane, outputs: readonly Output[]): void {
    lane.left += outputs.length;
    while (lane.waiters.length > 0 && lane.waiters[0]!.count <= lane.left) {
      lane.waiters.shift()!.resolve();
    }
    const hadRoom = this.hasRoom;
    this.#waiting -= outputs.length;
    if (!this.#isStopped) this.#room.give(outputs.length, bytesIn(outputs));
    if (!hadRoom && this.hasRoom) this.#options.onRoom();
  }
}

function bytesIn(outputs: readonly Output[]): number {
  return outputs.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** How many of the first ones make an envelope: at least one. */
function appendLength({ topic, queue }: Lane): number {
  const outputsMax = topic.startsWith(INPUT) ? ENVELOPE_RECORDS_MAX : APPEND_OUTPUTS_MAX;
  const most = Math.min(queue.length, outputsMax);
  let bytes = 0;
  for (let count = 0; count < most; count++) {
    bytes += queue[count]!.bytes;
    if (bytes > APPEND_BYTES_MAX) return Math.max(1, count);
  }
  return most;
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
