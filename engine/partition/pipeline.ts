import type { EnvelopeReader } from '../envelope/envelope-reader.ts';
import type { DeliveryOutcome } from '../envelope/outcomes.ts';
import type { Leave } from '../envelope/records.ts';
import type { EventQuery, EventStanding } from '../intake/event-standing.ts';
import type { WindowDeadlines } from '../state/window-table.ts';
import type { TimerOrder } from './due-timers.ts';
import type { OutputEncoder } from './output-lanes.ts';
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
  /** The timer of a cell of keyed state has come due; it is taken, the cell still stands. */
  onCellDue(slot: number, dueAtMs: number): void;
  /** Order of two timers of one user that are due together: campaign, operator, tag. */
  readonly compareTimers: TimerOrder;
  readonly encodeOutputs: OutputEncoder;
  /** About how many bytes an output takes, encoded or in memory. */
  outputBytes(topic: string, output: unknown): number;
  /** A user's id has become another's. */
  onLeave(leave: Leave): void;
  /** Which moves these outputs bring to their end, see `arrivalOf`. */
  arrivalsIn(outputs: readonly unknown[]): readonly string[];
  /** A part of what is known of a user, from another partition. */
  onMoved(part: Uint8Array): void;
  /** What would become of an event that is about to come. Asked seldom, changes nothing. */
  standingOf(query: EventQuery): EventStanding;
  /** Answers what operators of a process ask of it; both are plain data. */
  describe(query: unknown): unknown;
  /**
   * The sender's last word on a delivery that asked for it. After a crash it may come again, and
   * its user may have joined another id meanwhile.
   * @param atMs the time of the call, not before `outcome.atMs` by the sender's clock. Unix ms
   */
  onOutcome(outcome: DeliveryOutcome, atMs: number): void;
  /** What the pipeline itself must remember, as JSON. */
  freeze(): unknown;
  restore(frozen: unknown): void;
}

/** What a pipeline is given. */
export interface PipelineHost {
  readonly state: PartitionState;
  readonly partitionCount: number;
  /** Hands over one output for a topic: `out.<lane>`, or `in.<partition>` for what moves there. */
  emit(topic: string, output: unknown): void;
}

export type PipelineFactory = (host: PipelineHost) => Pipeline;
