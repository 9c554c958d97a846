import type { NatsConnection } from '@nats-io/transport-node';
import { DoorCounters } from '../../connectors/doors/door-counters.ts';
import { NatsDoor } from '../../connectors/doors/nats/nats-door.ts';
import type { RejectedStore } from '../../connectors/doors/rejected.ts';
import { externalError, messageOf } from '../../engine/errors/errors.ts';
import type { Intake } from '../../engine/intake/intake.ts';
import type { Log } from '../../engine/log/log.ts';
import type { Clock } from '../../engine/time/clock.ts';

/** Opens the real door, held until the partitions are there, as `serve` does. */
export async function openNatsDoor(options: {
  readonly connection: NatsConnection;
  readonly intake: Intake;
  readonly log: Log;
  readonly clock: Clock;
  readonly rejected: RejectedStore;
  readonly onTrouble: (error: Error) => void;
}): Promise<NatsDoor> {
  try {
    return await NatsDoor.open({ ...options, counters: new DoorCounters(), isHeld: true });
  } catch (error) {
    // The client's own words for a server that says nothing; everything else is a bug.
    if (!/^timeout$|no responders|connection is closed/i.test(messageOf(error))) throw error;
    throw externalError('ERR_NATS_UNAVAILABLE', messageOf(error), { cause: error });
  }
}
