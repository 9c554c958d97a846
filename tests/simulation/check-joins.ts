import { partitionOf } from '../../engine/state/hash.ts';
import type { OracleEvent, OracleRecord, OracleUser } from './oracle-records.ts';
import type { Try } from './producer.ts';
import { inputOf } from './stored.ts';
import type { World } from './world.ts';

type Leave = Extract<OracleRecord, { kind: 'leave' }>;
type End = Extract<OracleRecord, { kind: 'moved' }>;

/** A leave, and where it and what it moves stand. */
interface Place {
  readonly leave: Leave;
  /** Of the partition that it comes to. */
  readonly input: readonly OracleRecord[];
  /** Where all that it moves has come there. */
  readonly at: number;
  /** Of the partition that it leaves. */
  readonly source: readonly OracleRecord[];
  /** Where it stands there. */
  readonly sourceAt: number;
  /** Later ones of an id are said again, or stand behind a retried event, long after the join. */
  readonly isFirst: boolean;
  /** Which doors its join may have come by. */
  readonly doors: ReadonlySet<'http' | 'nats'>;
  /** How many users each event stands under, by its id. */
  readonly users: ReadonlyMap<unknown, number>;
}

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
  const doorsAt = doorsOfJoins(world);
  const users = usersOfEvents(inputs.flat());
  for (const source of inputs) {
    for (const [sourceAt, leave] of source.entries()) {
      if (leave.kind !== 'leave') continue;
      const from = JSON.stringify(leave.from);
      const isFirst = !joined.has(from);
      joined.add(from);
      const doors = doorsAt.get(leave.joinedAtMs) ?? new Set();
      const input = inputs[partitionOf(leave.to.user, workload.partitionCount)]!;
      // Said twice, it moves something the first time.
      const at = input.findIndex((record) => isEndOf(record, leave.token, leave.to));
      if (at === -1) continue;
      const place = { leave, input, at, source, sourceAt, isFirst, doors, users };
      checkJoin(world, place);
      checkPublished(world, place);
    }
  }
}

/** By the instant at which they came. */
function doorsOfJoins({ producer }: World): Map<number, Set<'http' | 'nats'>> {
  const doors = new Map<number, Set<'http' | 'nats'>>();
  for (const { event, receivedAtMs, isPublished } of [...producer.tries.values()].flat()) {
    if (event.joins === undefined) continue;
    const found = doors.get(receivedAtMs) ?? new Set();
    doors.set(receivedAtMs, found.add(isPublished ? 'nats' : 'http'));
  }
  return doors;
}

function usersOfEvents(records: readonly OracleRecord[]): Map<unknown, number> {
  const users = new Map<unknown, Set<string>>();
  for (const record of records) {
    if (record.kind !== 'event' || record.isMoved) continue;
    const { facts, user, isAnonymous } = record;
    const found = users.get(facts.id) ?? new Set();
    users.set(facts.id, found.add(JSON.stringify([user, isAnonymous])));
  }
  return new Map([...users].map(([id, found]) => [id, found.size]));
}

function checkJoin(world: World, { leave, input, at, isFirst, doors }: Place): void {
  // After a start NATS brings joins that it has kept, with their old times.
  const from = input.findLastIndex(({ kind }, i) => kind === 'claim' && i < at) + 1;
  for (const [i, record] of input.entries()) {
    if (i < from || !isEventOf(record, leave.to)) continue;
    const tries = triesOf(world, record);
    // What waits in NATS comes when it comes.
    if (tries.some((one) => one.isPublished)) continue;
    checkPlace(world, { leave, record, tries }, i, at);
    const isAfter = Math.min(...tries.map((one) => one.receivedAtMs)) > leave.joinedAtMs;
    if (isFirst && !doors.has('nats') && i < at && isAfter) {
      world.problem(`the event ${record.facts.id} stands before ${leave.token}, it came after`);
    }
  }
}

/**
 * Where join and event come by way of NATS, they come in the order of its stream, whatever is read
 * again: the log takes each of them for the first time in that order.
 */
function checkPublished(world: World, place: Place): void {
  const { leave, input, at, source, sourceAt, isFirst, doors, users } = place;
  if (doors.has('http') || !isFirst) return;
  const sides = [
    { records: input, at, user: leave.to },
    { records: source, at: sourceAt, user: leave.from },
  ];
  for (const side of sides) {
    const seen = new Set<unknown>();
    for (const [i, record] of side.records.entries()) {
      if (!isEventOf(record, side.user) || seen.has(record.facts.id)) continue;
      seen.add(record.facts.id);
      // Read again, it is another user's by now; which was the first, two partitions do not tell.
      if (users.get(record.facts.id)! > 1) continue;
      const tries = triesOf(world, record);
      if (!tries.every((one) => one.isPublished)) continue;
      checkPlace(world, { leave, record, tries }, i, side.at);
      const isAfter = Math.min(...tries.map((one) => one.receivedAtMs)) > leave.joinedAtMs;
      if (i < side.at && isAfter) {
        world.problem(`the event ${record.facts.id} stands before ${leave.token}, it came after`);
      }
    }
  }
}

function checkPlace(
  world: World,
  of: { readonly leave: Leave; readonly record: OracleEvent; readonly tries: readonly Try[] },
  i: number,
  at: number,
): void {
  const { leave, record, tries } = of;
  const isBefore = Math.max(...tries.map((one) => one.receivedAtMs)) < leave.joinedAtMs;
  if (i > at && isBefore) {
    world.problem(`the event ${record.facts.id} stands behind ${leave.token}, it came before`);
  }
}

function triesOf(world: World, { facts }: OracleEvent): readonly Try[] {
  return world.producer.tries.get(String(facts.id)) ?? [];
}

function isEventOf(record: OracleRecord, user: OracleUser): record is OracleEvent {
  if (record.kind !== 'event' || record.isMoved) return false;
  return record.user === user.user && record.isAnonymous === user.isAnonymous;
}

function isEndOf(record: OracleRecord, token: string, to: End['to']): boolean {
  if (record.kind !== 'moved' || record.endOf !== token) return false;
  return record.to.user === to.user && record.to.isAnonymous === to.isAnonymous;
}
