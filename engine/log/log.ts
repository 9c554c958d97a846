/**
 * The log contract. Everything durable that Lapse does goes through it, in one of two homes:
 * embedded (this machine) or JetStream (many machines). Only `connectors/logs` knows which.
 *
 * A log holds topics. A topic is an ordered, durable list of envelopes:
 *   `in.<partition>`   what came in: events, ticks, claims, control records, outcomes
 *   `out.<webhook>`    the lane of a webhook: deliveries owed, written by the partitions' owners
 *   `done.<webhook>`   what became of them: batches, attempts, outcomes, written by the sender
 *   `snap.<webhook>`   where the sender stands: its last envelope is the one that counts
 *   `trim.<partition>` how far `in.<partition>` may have been trimmed
 *   `<kind>.~probe`    nothing: appended to while the log refuses, see `WatchedLog`
 *   `owner`            epochs taken by processes; `owner.created`: when the log was created
 */

/** A position in a topic: a safe integer ≥ 1 that grows along the topic. Not dense. */
export type Offset = number;

/** Before the first envelope. */
export const BEGINNING: Offset = 0;

/**
 * How far a writer's outputs reach: everything it derived from input up to record `ordinal` of
 * input offset `offset` stands in the topic. What makes a replay append nothing twice.
 */
export interface WriterPosition {
  readonly epoch: number;
  readonly offset: Offset;
  readonly ordinal: number;
}

/**
 * Makes an append safe against zombies and replays. Several writers (partitions) share a topic,
 * each with a position of its own.
 */
export interface Fence {
  /** 0–65,535: the partition whose owner writes. */
  readonly writer: number;
  /** The position that this append brings the writer to. */
  readonly position: WriterPosition;
  /**
   * Where the writer must stand, as far as the caller knows: nothing is stored when an older owner
   * has come further meanwhile, for part of it would stand there twice. Absent: not looked at.
   */
  readonly after?: WriterPosition | 'beginning';
}

export interface StoredEnvelope {
  readonly offset: Offset;
  /** When the log stored it, Unix ms; of information only, never an input of a decision. */
  readonly storedAtMs: number;
  /** Present on fenced appends. */
  readonly fence?: Fence;
  /** Valid until the next `poll()` of the same reader; copy what is kept. */
  readonly bytes: Uint8Array;
}

/** Reads one topic forwards. Pull only, so a slow reader never fills memory. */
export interface LogReader {
  /**
   * The next envelope, or undefined when none is at hand now. After undefined, `onReadable` is
   * called once as soon as there may be one.
   * @throws LapseError when the log broke for this reader; the caller stops.
   */
  poll(): StoredEnvelope | undefined;
  close(): void;
}

export interface Log {
  /** Fixed when the log was created. */
  readonly partitionCount: number;

  /**
   * Appends one envelope; resolves with its offset once it is durable. The bytes are copied
   * before the call returns. Appends of one caller to one topic are stored in call order: those
   * without a fence among themselves, and those with one for each writer.
   *
   * With a fence: an append at or below the writer's stored position is a replay: it stores
   * nothing and resolves with `undefined`. One of a lower epoch than the stored one is refused.
   * The caller keeps at most one fenced append in flight a topic and writer.
   * @throws LapseError `ERR_FENCED` when a newer epoch has written; the caller must stop.
   *   `ERR_POSITION_MOVED` when the writer stands beyond `fence.after`; the caller asks anew
   * @throws LapseError `ERR_LOG_UNAVAILABLE` (retryable) when it may or may not have been stored
   */
  append(topic: string, bytes: Uint8Array, fence?: Fence): Promise<Offset | undefined>;

  /**
   * Appends the claim of a partition's next epoch to `in.<partition>`, create-once: of several
   * callers with the same epoch exactly one wins.
   * @returns the offset of the claim, a position in the input
   * @throws LapseError `ERR_EPOCH_TAKEN`
   */
  claim(partition: number, epoch: number, bytes: Uint8Array): Promise<Offset>;
  /** The highest epoch claimed so far, 0 when none was. */
  epochOf(partition: number): Promise<number>;

  /** Reads what stands after `after`. `onReadable` may be called from any later turn. */
  read(topic: string, after: Offset, onReadable: () => void): LogReader;

  /** The offset of the last envelope, 0 when there is none or the topic is unknown. */
  tail(topic: string): Promise<Offset>;
  /** The offset of the oldest one kept, 0 when empty. */
  head(topic: string): Promise<Offset>;
  positionOf(topic: string, writer: number): Promise<WriterPosition | undefined>;
  /** Forgets everything up to and with `upTo`. Tail and writer positions stay known. */
  trim(topic: string, upTo: Offset): Promise<void>;

  /** Waits for what is in flight, then lets go of the connection. */
  close(): Promise<void>;
}

/** A log that can say how large it is. */
export interface SizedLog extends Log {
  /** What all topics together take on disk, with the room set aside for them, bytes. */
  sizeBytes(): Promise<number>;
}
