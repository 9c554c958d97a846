import { DoorCounters } from '../../connectors/doors/door-counters.ts';
import { NatsDoor, type NatsDoorOptions } from '../../connectors/doors/nats/nats-door.ts';
import { externalError, messageOf } from '../../engine/errors/errors.ts';

/** Opens the real door, held until the partitions are there, as `serve` does. */
export async function openNatsDoor(
  options: Omit<NatsDoorOptions, 'counters' | 'isHeld'>,
): Promise<NatsDoor> {
  try {
    return await NatsDoor.open({ ...options, counters: new DoorCounters(), isHeld: true });
  } catch (error) {
    // The client's own words for a server that says nothing; everything else is a bug.
    if (!/^timeout$|no responders|connection is closed/i.test(messageOf(error))) throw error;
    throw externalError('ERR_NATS_UNAVAILABLE', messageOf(error), { cause: error });
  }
}
