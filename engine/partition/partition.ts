import { EnvelopeReader } from '../envelope/envelope-reader.ts';
import { outcomeFrom } from '../envelope/outcomes.ts';
import { epochFrom, leaveFrom, RecordFlag, RecordKind } from '../envelope/records.ts';
import { LapseError } from '../errors/errors.ts';
import { BEGINNING, type Offset, type StoredEnvelope } from '../log/log.ts';
import { ControlRecords } from './control-records.ts';
import { DueTimers, isCell, slotOf } from './due-timers.ts';
import { PartitionState, type PartitionStateOptions } from './partition-state.ts';
import type { Pipeline, PipelineFactory } from './pipeline.ts';

/** Takes one output: the topic, the output, and what in the input it came from. */
export type OutputListener = (
  topic: string,
  output: unknown,
  offset: Offset,
  ordinal: number,
) => void;

export interface PartitionOptions extends Omit<PartitionStateOptions, 'deadlines'> {
  readonly partitionCount: number;
  readonly createPipeline: PipelineFactory;
  readonly onOutput: OutputListener;
  /** The epoch of this owner; a claim of a higher one in the log ends it. @default Infinity */
  readonly epoch?: number;
}

/** Of all partitions of the thread. */
const controls = new ControlRecords();
/** Records between two looks at the budget. */
const STRIDE = 16;

/**
 * Runs a partition: reads its records in order, keeps its time, fires what is due, and hands
 * events to the pipeline. `step(state, record) → state, outputs`, the same wherever it runs.
 *
 * A record received at R is processed after everything due before R; a tick at T fires what is due
 * at or before T. So what is received exactly at a deadline precedes it. A claim carries no time,
 * and a record that is `ahead` one for its user alone.
 */
export class Partition {
  readonly state: PartitionState;
  readonly pipeline: Pipeline;
  /** The last envelope that is processed whole. */
  offset: Offset = BEGINNING;
  /** Those of the intake: what partitions and the sender append is not counted. */
  recordsProcessed = 0;
  /** Due time of the timers fired last, Unix ms; 0 before the first. */
  firedDueAtMs = 0;
  readonly #epoch: number;
  readonly #envelope = new EnvelopeReader();
  #current: Offset = BEGINNING;
  #ordinal = 0;
  #next = 0;
  #isInside = false;
  readonly #timers: DueTimers;
  /** Of the timers taken, those before this have fired. */
  #dueAt = 0;

  constructor(options: PartitionOptions) {
    this.#epoch = options.epoch ?? Infinity;
    let pipeline: Pipeline | undefined;
    this.state = new PartitionState({
      ...options,
      deadlines: {
        dueAtMs: (rule, anchorAtMs, extendedMs) => pipeline!.dueAtMs(rule, anchorAtMs, extendedMs),
      },
    });
    pipeline = options.createPipeline({
      state: this.state,
      partitionCount: options.partitionCount,
      emit: (topic, output) => options.onOutput(topic, output, this.#current, this.#ordinal++),
    });
    this.pipeline = pipeline;
    this.#timers = new DueTimers(this.state, (a, b) => this.pipeline.compareTimers(a, b));
  }

  /** True while an envelope is only half processed: no snapshot then. */
  get isInside(): boolean {
    return this.#isInside;
  }

  /**
   * When time must next be brought on, at or before the next due time; Infinity when nothing
   * waits. Unix ms.
   */
  nextTurnAtMs(): number {
    return Math.max(this.#timers.nextTurnAtMs(), this.state.timeMs);
  }

  /** Takes the next envelope. @throws LapseError `ERR_ENVELOPE_…`, `ERR_FENCED` */
  begin(stored: StoredEnvelope): void {
    this.#envelope.load(stored.bytes);
    this.#current = stored.offset;
    this.#ordinal = 0;
    this.#next = 0;
    this.#isInside = true;
  }

  /**
   * Goes on with the envelope until it is done or the budget is spent.
   * @returns true when it is done
   */
  run(isOverBudget: () => boolean): boolean {
    const envelope = this.#envelope;
    let stride = 0;
    while (this.#next < envelope.count) {
      if (++stride % STRIDE === 0 && isOverBudget()) return false;
      const i = this.#next;
      const receivedAtMs = envelope.receivedAtMs(i);
      const kind = envelope.kind[i];
      const isAhead = (envelope.flags[i]! & RecordFlag.ahead) !== 0;
      // A claim says who reads and not when: what waits at a door since before it is older.
      if (kind !== RecordKind.claim && !isAhead) {
        const untilMs = kind === RecordKind.tick ? receivedAtMs : receivedAtMs - 1;
        if (!this.#advance(untilMs, isOverBudget)) return false;
        if (receivedAtMs > this.state.timeMs) this.state.timeMs = receivedAtMs;
      }
      this.state.nowMs = isAhead ? Math.max(receivedAtMs, this.state.timeMs) : this.state.timeMs;
      this.#process(i);
      this.#next++;
      if (hasComeIn(kind!, envelope.flags[i]!)) this.recordsProcessed++;
    }
    this.#isInside = false;
    this.offset = this.#current;
    return true;
  }

  #process(i: number): void {
    const envelope = this.#envelope;
    const kind = envelope.kind[i]!;
    if (kind < RecordKind.tick) this.pipeline.onEvent(envelope, i);
    else if (kind === RecordKind.control) {
      const control = controls.read(envelope.plainBodyOf(i), () => envelope.jsonOf(i));
      this.pipeline.onControl(control, this.state.timeMs);
    } else if (kind === RecordKind.leave) {
      this.pipeline.onLeave(leaveFrom(envelope.jsonOf(i)));
    } else if (kind === RecordKind.moved) {
      this.pipeline.onMoved(envelope.plainBodyOf(i));
    } else if (kind === RecordKind.outcome) {
      this.pipeline.onOutcome(outcomeFrom(envelope.jsonOf(i)), this.state.nowMs);
    } else if (kind === RecordKind.claim) {
      const epoch = epochFrom(envelope.jsonOf(i));
      if (epoch > this.#epoch) {
        throw new LapseError(
          'ERR_FENCED',
          `Another process has taken this partition over: its epoch is ${epoch}, ours ${this.#epoch}.`,
          { domain: 'external', facts: { epoch } },
        );
      }
    }
  }

  /** Fires what is due at or before `untilMs`, in order of (due, user, campaign, operator, tag). */
  #advance(untilMs: number, isOverBudget: () => boolean): boolean {
    const timers = this.#timers;
    for (;;) {
      while (this.#dueAt < timers.taken.length) {
        this.#fire(timers.taken[this.#dueAt++]!, timers.dueAtMs);
        if (this.#dueAt % STRIDE === 0 && isOverBudget()) return false;
      }
      if (!timers.take(untilMs)) return true;
      this.#dueAt = 0;
      this.firedDueAtMs = timers.dueAtMs;
    }
  }

  #fire(ref: number, dueAtMs: number): void {
    const slot = slotOf(ref);
    // What fires, fires at its time: nothing of the log lies between the two.
    if (dueAtMs > this.state.timeMs) this.state.timeMs = dueAtMs;
    this.state.nowMs = this.state.timeMs;
    if (!isCell(ref)) this.pipeline.onWindowDue(slot, dueAtMs);
    else if (this.state.cells.endFiring(slot)) this.pipeline.onCellDue(slot, dueAtMs);
  }
}

/** Whether a record came from the intake. */
function hasComeIn(kind: number, flags: number): boolean {
  if (kind === RecordKind.moved || kind === RecordKind.outcome) return false;
  return (flags & RecordFlag.moved) === 0;
}
