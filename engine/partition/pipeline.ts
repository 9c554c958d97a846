import type { EnvelopeReader } from '../envelope-reader.ts';
import type { WindowDeadlines } from '../state/window-table.ts';
import type { PartitionState } from './partition-state.ts';

/**
 * The operators of one partition, as the partition's runner sees them. Pure: what they do is a
 * function of state and record; no clock, no randomness, no I/O.
 */
export interface Pipeline extends WindowDeadlines {
  /** An event of a user. Partition time stands in the state. */
  onEvent(envelope: EnvelopeReader, i: number): void;
  /** A window has come to its end; its timer is taken, the pipeline closes it. */
  onWindowDue(slot: number, dueAtMs: number): void;
  /** A change of definitions. */
  onControl(control: unknown, atMs: number): void;
  /** Order of two rules among windows of one key that are due together. */
  compareRules(a: number, b: number): number;
  encodeOutputs(outputs: readonly unknown[]): Uint8Array;
  /** What the pipeline itself must remember, as JSON. */
  freeze(): unknown;
  restore(frozen: unknown): void;
}

/** What a pipeline is given. */
export interface PipelineHost {
  readonly state: PartitionState;
  /** Hands over one output for a lane (`out.<lane>`). */
  emit(lane: string, output: unknown): void;
}

export type PipelineFactory = (host: PipelineHost) => Pipeline;
