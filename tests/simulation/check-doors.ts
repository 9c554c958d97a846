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
  const receipts = receiptsOf(world);
  for (let partition = 0; partition < workload.partitionCount; partition++) {
    let timeMs = 0;
    let tickMs = 0;
    /** Of this process: what NATS kept for it brings old times. */
    let runMs = 0;
    const known = new Set<string>();
    for (const record of inputOf(archive, partition, plans)) {
      if (record.kind === 'outcome') continue;
      if (record.kind === 'claim') {
        runMs = 0;
        continue;
      }
      if (record.kind === 'leave') left.add(record.from.user);
      if (record.kind === 'event') {
        stored.add(String(record.facts.id));
        if (record.isMoved) checkMoved(world, record, receipts);
        else checkEvent(world, record, { timeMs, tickMs, known });
      }
      if ('isAhead' in record && record.isAhead) continue;
      if (record.kind === 'tick' || record.kind === 'event') {
        checkTime(world, partition, record.receivedAtMs, runMs);
        runMs = Math.max(runMs, record.receivedAtMs);
      }
      if (record.kind === 'tick') tickMs = Math.max(tickMs, record.receivedAtMs);
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

/** Events as the doors stored them, with the instants that they stand at. */
function receiptsOf({ workload, archive, plans }: World): ReadonlySet<string> {
  const receipts = new Set<string>();
  for (let partition = 0; partition < workload.partitionCount; partition++) {
    for (const record of inputOf(archive, partition, plans)) {
      if (record.kind === 'event' && !record.isMoved) receipts.add(receiptOf(record));
    }
  }
  return receipts;
}

function receiptOf({ facts, receivedAtMs }: OracleEvent): string {
  return `${String(facts.id)} ${receivedAtMs}`;
}

/** Leaves may be said again. */
function checkTime(world: World, partition: number, receivedAtMs: number, beforeMs: number): void {
  const isDisturbed = world.faults.blows.some(({ kind }) => kind === 'zombie' || kind === 'clock');
  // What the NATS door reads again, and all that failed with it, comes by its own times once more.
  if (isDisturbed || world.events !== undefined || receivedAtMs >= beforeMs) return;
  world.problem(`in.${partition} goes back from ${beforeMs} to ${receivedAtMs}`);
}

/** What stands in a partition's log before a record. */
interface Before {
  readonly timeMs: number;
  /** Of its ticks. */
  readonly tickMs: number;
  /** Events, with their receipts, that stand there already. */
  readonly known: Set<string>;
}

function checkEvent(world: World, record: OracleEvent, before: Before): void {
  const id = String(record.facts.id);
  checkUser(world, record);
  // Only where there are two processes or two times can a later record be there first.
  const isDisturbed = world.faults.blows.some(({ kind }) => kind === 'zombie' || kind === 'clock');
  const tries = world.producer.tries.get(id) ?? [];
  const said = tries.findLast(
    (one) => isOf(record, one) && one.receivedAtMs <= record.receivedAtMs,
  );
  if (said === undefined) {
    world.problem(`the input holds ${JSON.stringify(record)}, which nobody sent`);
    return;
  }
  // Read again after a crash it comes late, but not for the first time.
  const { receivedAtMs } = said;
  const key = `${id} ${receivedAtMs}`;
  const isAgain = before.known.has(key);
  before.known.add(key);
  // Two doors have two clocks of receipt; no timer may overtake either, and of no process before.
  const limitMs = world.events === undefined ? before.timeMs : before.tickMs;
  const isRaised = receivedAtMs < record.receivedAtMs && receivedAtMs <= limitMs;
  if (isDisturbed || isAgain || !(isRaised || receivedAtMs <= before.tickMs)) return;
  world.problem(`the event ${id} stands behind ${limitMs}, though it was received before`);
}

/** It goes on at the instant at which its door received it, whatever the time where it was. */
function checkMoved(world: World, record: OracleEvent, receipts: ReadonlySet<string>): void {
  checkUser(world, record);
  if (!receipts.has(receiptOf(record))) {
    world.problem(`an event went on as ${JSON.stringify(record)}, no door stored it at that time`);
  }
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
