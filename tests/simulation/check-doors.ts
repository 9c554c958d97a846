import type { OracleEvent } from './oracle-records.ts';
import type { Try } from './producer.ts';
import { inputOf } from './stored.ts';
import type { World } from './world.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Nothing acknowledged is lost; what stands in the input is what a producer said (SPEC 1.3). */
export function checkDoors(world: World): void {
  const { producer, workload, archive, plans } = world;
  for (const problem of producer.problems) world.problem(problem);
  const stored = new Set<string>();
  const left = new Set<string>();
  for (let partition = 0; partition < workload.partitionCount; partition++) {
    let timeMs = 0;
    for (const record of inputOf(archive, partition, plans)) {
      if (record.kind === 'claim') continue;
      if (record.kind === 'leave') left.add(record.from.user);
      if (record.kind === 'event') {
        stored.add(String(record.facts.id));
        if (record.isMoved) checkMoved(world, record);
        else checkEvent(world, record, timeMs);
      }
      timeMs = Math.max(timeMs, record.receivedAtMs);
    }
  }
  for (const id of producer.acknowledged) {
    const { event } = producer.tries.get(id)![0]!;
    if (event.joins !== undefined && !left.has(event.joins)) {
      world.problem(`the acknowledged join ${id} of ${event.joins} is lost`);
    }
    if (event.type !== 'alias' && !stored.has(id))
      world.problem(`the acknowledged event ${id} is lost`);
  }
}

function checkEvent(world: World, record: OracleEvent, timeMs: number): void {
  const id = String(record.facts.id);
  const tries = world.producer.tries.get(id) ?? [];
  checkUser(world, record);
  if (tries.some((one) => one.receivedAtMs === record.receivedAtMs && isOf(record, one))) return;
  // While ids join, their partitions' time stands still: others go on at the time of the join.
  const hasJoins = world.workload.requests.some((events) => events.some(({ joins }) => joins));
  const isHeldBack =
    hasJoins &&
    record.receivedAtMs >= timeMs &&
    tries.some((one) => one.receivedAtMs > record.receivedAtMs && isOf(record, one));
  if (isHeldBack) return;
  const isRaised = tries.some((one) => one.receivedAtMs < record.receivedAtMs && isOf(record, one));
  if (!isRaised) world.problem(`the input holds ${JSON.stringify(record)}, which nobody sent`);
  // Only where there are two processes or two times can a later record be there first.
  const isDisturbed = world.faults.blows.some(({ kind }) => kind === 'zombie' || kind === 'clock');
  if (isRaised && !isDisturbed) {
    world.problem(`the event ${id} stands behind ${timeMs}, though it was received before`);
  }
}

function checkMoved(world: World, record: OracleEvent): void {
  checkUser(world, record);
  const tries = world.producer.tries.get(String(record.facts.id)) ?? [];
  if (!tries.some((one) => isOf({ ...record, receivedAtMs: one.receivedAtMs }, one))) {
    world.problem(`an event went on as ${JSON.stringify(record)}, nobody sent it`);
  }
}

/** The event is its user's, or one's with whom somebody has ever joined that user. */
function checkUser(world: World, { facts, user, isAnonymous }: OracleEvent): void {
  const event = world.producer.tries.get(String(facts.id))?.[0]?.event;
  if (event === undefined) return;
  if (event.user === user && event.isAnonymous === isAnonymous) return;
  const known = new Set([event.user]);
  const joins = world.workload.requests.flat().filter((one) => one.joins !== undefined);
  for (let before = 0; before < known.size; ) {
    before = known.size;
    for (const one of joins) {
      if (!known.has(one.user) && !known.has(one.joins!)) continue;
      known.add(one.user);
      known.add(one.joins!);
    }
  }
  if (!known.has(user)) world.problem(`the event ${facts.id} of ${event.user} went to ${user}`);
}

function isOf(record: OracleEvent, { event, ...at }: Try): boolean {
  const { eventAtMs, historyOnly } = timeOf({ event, ...at });
  return record.eventAtMs === eventAtMs && record.historyOnly === historyOnly;
}

/** Event time after skew correction, by the sentences of SPEC 1.3. */
function timeOf({ event, happenedAtMs, sentAtMs, receivedAtMs }: Try) {
  const { ageMs, skewMs } = event;
  if (ageMs === undefined) return { eventAtMs: receivedAtMs, historyOnly: false };
  const saidAtMs = skewMs === undefined ? happenedAtMs : receivedAtMs - (sentAtMs - happenedAtMs);
  const aheadMs = saidAtMs - receivedAtMs;
  const historyOnly = aheadMs > 24 * HOUR_MS || aheadMs < -72 * HOUR_MS;
  const isClamped = !historyOnly && aheadMs > 5 * MINUTE_MS;
  return { eventAtMs: isClamped ? receivedAtMs : saidAtMs, historyOnly };
}
