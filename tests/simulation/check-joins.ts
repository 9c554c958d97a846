import { partitionOf } from '../../engine/hash.ts';
import type { OracleRecord } from './oracle-records.ts';
import { inputOf } from './stored.ts';
import type { World } from './world.ts';

type Leave = Extract<OracleRecord, { kind: 'leave' }>;
type End = Extract<OracleRecord, { kind: 'moved' }>;

/**
 * What was received before a join is judged before the state that it moves arrives, what was
 * received after it behind; and what moves brings no time. The oracle does not see it: it takes
 * the order of the log as given.
 */
export function checkJoins(world: World): void {
  // Two processes, or two times, know nothing of each other's joins.
  if (world.faults.blows.some(({ kind }) => kind === 'zombie' || kind === 'clock')) return;
  const { archive, workload, plans } = world;
  const inputs = Array.from({ length: workload.partitionCount }, (_, partition) =>
    inputOf(archive, partition, plans),
  );
  for (const record of inputs.flat()) {
    const isFromElsewhere = record.kind === 'moved' || (record.kind === 'event' && record.isMoved);
    if (isFromElsewhere && !record.isAhead) {
      world.problem(`what has moved brings time: ${JSON.stringify(record)}`);
    }
  }
  const joined = new Set<string>();
  const tries = [...world.producer.tries.values()].flat();
  const published = new Set(
    tries.filter(({ isPublished }) => isPublished).map(({ receivedAtMs }) => receivedAtMs),
  );
  for (const leave of inputs.flat()) {
    if (leave.kind !== 'leave') continue;
    const from = JSON.stringify(leave.from);
    const isAtOnce = !joined.has(from) && !published.has(leave.joinedAtMs);
    joined.add(from);
    const input = inputs[partitionOf(leave.to.user, workload.partitionCount)]!;
    // Said twice, it moves something the first time.
    const at = input.findIndex((record) => isEndOf(record, leave.token, leave.to));
    if (at !== -1) checkJoin(world, leave, { input, at, isAtOnce });
  }
}

function checkJoin(
  world: World,
  leave: Leave,
  end: {
    readonly input: readonly OracleRecord[];
    readonly at: number;
    /**
     * The id's first: later ones are said again, or stand behind a retried event, long after the
     * join. And not by NATS, which waits.
     */
    readonly isAtOnce: boolean;
  },
): void {
  const { input, at, isAtOnce } = end;
  // After a start NATS brings joins that it has kept, with their old times.
  const from = input.findLastIndex(({ kind }, i) => kind === 'claim' && i < at) + 1;
  for (const [i, record] of input.entries()) {
    if (i < from || record.kind !== 'event' || record.isMoved) continue;
    const id = String(record.facts.id);
    const tries = world.producer.tries.get(id) ?? [];
    // What waits in NATS comes when it comes.
    if (tries.some(({ isPublished }) => isPublished)) continue;
    const receipts = tries.map((one) => one.receivedAtMs);
    const receivedAtMs = Math.max(...receipts);
    if (record.user !== leave.to.user || record.isAnonymous !== leave.to.isAnonymous) continue;
    if (i > at && receivedAtMs < leave.joinedAtMs) {
      world.problem(`the event ${id} stands behind ${leave.token}, it was received before`);
    }
    if (isAtOnce && i < at && Math.min(...receipts) > leave.joinedAtMs) {
      world.problem(`the event ${id} stands before ${leave.token}, it was received after`);
    }
  }
}

function isEndOf(record: OracleRecord, token: string, to: End['to']): boolean {
  if (record.kind !== 'moved' || record.endOf !== token) return false;
  return record.to.user === to.user && record.to.isAnonymous === to.isAnonymous;
}
