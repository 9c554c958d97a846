import { partitionOf } from '../../engine/hash.ts';
import type { OracleRecord } from './oracle-records.ts';
import { inputOf } from './stored.ts';
import type { World } from './world.ts';

type End = Extract<OracleRecord, { kind: 'moved' }>;

/**
 * What was received before a join is judged before the state that it moves arrives, what was
 * received after it behind. The oracle does not see it: it takes the order of the log as given.
 */
export function checkJoins(world: World): void {
  // Two processes, or two times, know nothing of each other's joins.
  if (world.faults.blows.some(({ kind }) => kind === 'zombie' || kind === 'clock')) return;
  const { archive, workload, plans } = world;
  const inputs = Array.from({ length: workload.partitionCount }, (_, partition) =>
    inputOf(archive, partition, plans),
  );
  for (const leave of inputs.flat()) {
    if (leave.kind !== 'leave') continue;
    const input = inputs[partitionOf(leave.to.user, workload.partitionCount)]!;
    // Said twice, it moves something the first time.
    const at = input.findIndex((record) => isEndOf(record, leave.token, leave.to));
    if (at < 0) continue;
    // After a start NATS brings joins that it has kept, with their old times.
    const from = input.findLastIndex(({ kind }, i) => kind === 'claim' && i < at) + 1;
    for (const [i, record] of input.entries()) {
      if (i < from || record.kind !== 'event' || record.isMoved) continue;
      const id = String(record.facts.id);
      // What waits in NATS comes when it comes.
      if (world.producer.tries.get(id)?.some(({ isPublished }) => isPublished)) continue;
      const { receivedAtMs } = record;
      if (i > at && receivedAtMs < leave.receivedAtMs) {
        world.problem(`the event ${id} stands behind ${leave.token}, it was received before`);
      }
      if (i < at && receivedAtMs > leave.receivedAtMs) {
        world.problem(`the event ${id} stands before ${leave.token}, it was received after`);
      }
    }
  }
}

function isEndOf(record: OracleRecord, token: string, to: End['to']): boolean {
  if (record.kind !== 'moved' || record.endOf !== token) return false;
  return record.to.user === to.user && record.to.isAnonymous === to.isAnonymous;
}
