import type { LogAddress } from '../../app/serve/log-home.ts';
import type { ThreadError } from '../../engine/worker/protocol.ts';

/**
 * What a thread does with its partitions' logs: everything, or one of the two loops that nothing
 * built on these envelopes can be faster than.
 */
export type PathMode = 'engine' | 'columns' | 'bodies';

export interface PathThreadData {
  readonly mode: PathMode;
  readonly log: LogAddress;
  readonly partitions: readonly number[];
  readonly checkpointFolder: string;
  readonly checkpointIntervalMs: number;
  readonly reorderWindowMs: number;
}

export interface PathCounts {
  /** Records read, ticks, claims and control included. */
  readonly records: number;
  /** Counters of the operators; empty in the loops. */
  readonly counters: Readonly<Record<string, number>>;
  /** Ms in turns. */
  readonly busyMs: number;
  readonly checkpoints: number;
}

export type FromPathThread =
  | { readonly kind: 'connected' }
  | { readonly kind: 'progress'; readonly records: number }
  /** All records are processed, all outputs durable. */
  | ({ readonly kind: 'done' } & PathCounts)
  /** The final checkpoints stand too. */
  | { readonly kind: 'drained' }
  | { readonly kind: 'failed'; readonly error: ThreadError };

export type ToPathThread = { readonly kind: 'start' } | { readonly kind: 'drain' };
