/** An intake with users to join, and what stands behind it. */
import { EnvelopeReader } from '../../../engine/envelope/envelope-reader.ts';
import { type IncomingEvent, type Leave, RecordKind } from '../../../engine/envelope/records.ts';
import { arrivalOf } from '../../../engine/intake/identities.ts';
import { Acknowledgement, Intake } from '../../../engine/intake/intake.ts';
import type { Log } from '../../../engine/log/log.ts';
import { MemoryLog } from '../../../engine/log/memory-log.ts';
import { partitionOf } from '../../../engine/state/hash.ts';
import { ManualClock } from './intake-clock.ts';
import { anEvent, recordsOf } from './intake-records.ts';

export const NOW_MS = Date.parse('2026-01-05T09:00:00Z');
export const PARTITIONS = 4;

/** Ids by the partition that they fall into. */
export function idIn(partition: number, prefix: string): string {
  for (let i = 0; ; i++) {
    if (partitionOf(`${prefix}${i}`, PARTITIONS) === partition) return `${prefix}${i}`;
  }
}

export const ANN = idIn(0, 'ann');
export const DEVICE = idIn(1, 'device');

export function identify(userId: string, anonymousId: string): IncomingEvent {
  const joins = [{ id: anonymousId, isAnonymous: true }];
  return anEvent({ kind: RecordKind.identify, name: '', userId, joins, eventAtMs: NOW_MS });
}

/** What stands in the input of a partition: names of events, `leave <from> <to>`. */
export function inputOf(log: Log, partition: number): string[] {
  const reader = log.read(`in.${partition}`, 0, () => undefined);
  const envelope = new EnvelopeReader();
  const found: string[] = [];
  for (let stored = reader.poll(); stored !== undefined; stored = reader.poll()) {
    envelope.load(stored.bytes);
    for (let i = 0; i < envelope.count; i++) {
      if (envelope.kind[i] === RecordKind.leave) {
        const { from, to } = envelope.jsonOf(i) as Leave;
        found.push(`leave ${from.id} ${to.id}`);
      } else found.push(envelope.names[envelope.name[i]!]! || 'identify');
    }
  }
  reader.close();
  return found;
}

/** Names or kinds of what stands there, their times, and which of them time does not go on with. */
export function timesIn(log: Log, partition: number): unknown[][] {
  return recordsOf(log, partition)
    .flat()
    .map(({ kind, name, receivedAtMs, isAhead }) => [
      name || kind,
      receivedAtMs - NOW_MS,
      ...(isAhead ? ['ahead'] : []),
    ]);
}

/** The leaves in a partition's input. */
function leavesIn(log: Log, partition: number): Leave[] {
  const reader = log.read(`in.${partition}`, 0, () => undefined);
  const envelope = new EnvelopeReader();
  const leaves: Leave[] = [];
  for (let stored = reader.poll(); stored !== undefined; stored = reader.poll()) {
    envelope.load(stored.bytes);
    for (let i = 0; i < envelope.count; i++) {
      if (envelope.kind[i] === RecordKind.leave) leaves.push(envelope.jsonOf(i) as Leave);
    }
  }
  reader.close();
  return leaves;
}

/** What the gates of the leaves in a partition's input wait for. */
export function arrivalsIn(log: Log, partition: number): string[] {
  return leavesIn(log, partition).map(({ token, to }) => arrivalOf(token, to));
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

export function stage(beforeStore?: (topic: string) => void | Promise<void>) {
  const log = new MemoryLog({
    partitionCount: PARTITIONS,
    ...(beforeStore === undefined ? {} : { beforeStore }),
  });
  const clock = new ManualClock(NOW_MS);
  const intake = new Intake({ log, clock });
  const durable: string[] = [];
  const add = (event: IncomingEvent, label = event.name, receivedAtMs = NOW_MS) => {
    const acknowledgement = new Acknowledgement();
    intake.add(event, receivedAtMs, acknowledgement);
    acknowledgement.close().then(
      () => durable.push(label),
      () => durable.push(`${label} failed`),
    );
  };
  return { log, clock, intake, add, durable };
}
