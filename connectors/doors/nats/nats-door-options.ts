import type { NatsConnection } from '@nats-io/transport-node';
import type { LapseError } from '../../../engine/errors/errors.ts';
import type { ConditionReporter } from '../../../engine/health/conditions.ts';
import type { Intake } from '../../../engine/intake/intake.ts';
import type { Log } from '../../../engine/log/log.ts';
import type { Clock } from '../../../engine/time/clock.ts';
import type { EventLimits } from '../../events/event-limits.ts';
import type { DoorCounters } from '../door-counters.ts';
import type { RejectedStore } from '../rejected.ts';

export interface NatsDoorOptions {
  /** Stays the caller's: it is not closed with the door. */
  readonly connection: NatsConnection;
  readonly intake: Intake;
  /** Where the position is kept. */
  readonly log: Log;
  readonly clock: Clock;
  readonly rejected: RejectedStore;
  readonly counters: DoorCounters;
  /** @default DEFAULT_EVENT_LIMITS */
  readonly limits?: EventLimits;
  /** The subject of events. @default events.> */
  readonly events?: string;
  /** @default LAPSE_EVENTS */
  readonly stream?: string;
  /** Of a stream that we create. @default 1 */
  readonly replicas?: number;
  /** Of a stream that we create. @default 7 d */
  readonly retentionMs?: number;
  /**
   * Joins the horizon without reading, until `start()`. So the door can be opened before all that
   * asks for ticks or appends control records, and reads when they are there.
   * @default false
   */
  readonly isHeld?: boolean;
  /** Told what is wrong, and when it is over; the door goes on by itself. */
  readonly conditions?: ConditionReporter;
  /** Told when events that could not be stored are to be read again. */
  readonly onReadAgain?: () => void;
  /** Told what happened once and has no end. */
  readonly onNotice?: (notice: LapseError) => void;
}
