import type { OracleEvent } from './oracle.ts';
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
  for (let partition = 0; partition < workload.partitionCount; partition++) {
    let timeMs = 0;
    for (const record of inputOf(archive, partition, plans)) {
      if (record.kind === 'claim') continue;
      if (record.kind === 'event') {
        stored.add(String(record.facts.id));
        checkEvent(world, record, timeMs);
      }
      timeMs = Math.max(timeMs, record.receivedAtMs);
    }
  }
  for (const id of producer.acknowledged) {
    if (!stored.has(id)) world.problem(`the acknowledged event ${id} is lost`);
  }
}

function checkEvent(world: World, record: OracleEvent, timeMs: number): void {
  const id = String(record.facts.id);
  const tries = world.producer.tries.get(id) ?? [];
  if (tries.some((one) => one.receivedAtMs === record.receivedAtMs && isOf(record, one))) return;
  const isRaised = tries.some((one) => one.receivedAtMs < record.receivedAtMs && isOf(record, one));
  if (!isRaised) world.problem(`the input holds ${JSON.stringify(record)}, which nobody sent`);
  // Only where there are two processes or two times can a later record be there first.
  const isDisturbed = world.faults.blows.some(({ kind }) => kind === 'zombie' || kind === 'clock');
  if (isRaised && !isDisturbed) {
    world.problem(`the event ${id} stands behind ${timeMs}, though it was received before`);
  }
}

function isOf(record: OracleEvent, { event, ...at }: Try): boolean {
  if (record.user !== event.user || record.isAnonymous !== event.isAnonymous) return false;
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
