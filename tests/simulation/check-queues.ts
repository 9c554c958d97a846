import type { World } from './world.ts';

/** A request, and the definitions for every partition, come on top of what is under way. */
const REQUEST_BYTES_MAX = 64 * 1_024;
/** What the NATS door has asked for comes whole: in these runs at most so much, held or gathered. */
const PULLED_BYTES_MAX = 64 * 1_024;
/** With events of the largest size a pull brings as many bytes as it may ask for. */
const PULLED_LARGEST_BYTES_MAX = 4 * 1_024 * 1_024 + 64 * 1_024;
const OUTPUTS_WAITING_MAX = 20_000;
const ENVELOPE_DELIVERIES_MAX = 500;

/** Asked after every step: no queue of any process goes beyond its limit. */
export function checkQueues(world: World): void {
  for (const process of world.processes) {
    if (process.life.isOver) continue;
    const bytes = process.intake?.bytesInFlight ?? 0;
    const pulledMax = world.workload.hasLargest ? PULLED_LARGEST_BYTES_MAX : PULLED_BYTES_MAX;
    const pulledBytesMax = world.events === undefined ? 0 : pulledMax;
    if (bytes > world.limits.inFlightBytesMax + REQUEST_BYTES_MAX + pulledBytesMax) {
      world.problem(`the intake of ${process.life.name} has ${bytes} bytes in flight`);
    }
    if (bytes < 0) world.problem(`the intake of ${process.life.name} counts ${bytes} bytes`);
    for (const { lanes, partition } of process.runners) {
      if (lanes.waiting <= OUTPUTS_WAITING_MAX && lanes.waiting >= 0) continue;
      world.problem(`partition ${partition} has ${lanes.waiting} outputs waiting`);
    }
    // A batch of an earlier process gets all its members, whatever the room.
    if (world.processes.length > 1) continue;
    for (const [webhook, pending] of process.pendingCounts()) {
      if (pending <= world.limits.deliveriesMax + ENVELOPE_DELIVERIES_MAX) continue;
      world.problem(`the lane ${webhook} holds ${pending} deliveries`);
    }
  }
}
