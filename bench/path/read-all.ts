/** The limit: a loop that reads every envelope of some partitions, and does next to nothing. */
import { EnvelopeReader } from '../../engine/envelope/envelope-reader.ts';
import { RecordKind } from '../../engine/envelope/records.ts';
import { BEGINNING, type Log, type LogReader } from '../../engine/log/log.ts';

/** As long as a turn of the engine. */
const TURN_MS = 3;

export interface ReadCounts {
  readonly records: number;
  readonly busyMs: number;
  /** Of what was read, so that nothing may be left out. */
  readonly sum: number;
}

/** @param withBodies decodes the properties of every event as well */
export async function readAll(
  log: Log,
  partitions: readonly number[],
  withBodies: boolean,
): Promise<ReadCounts> {
  const topics = partitions.map((partition) => `in.${partition}`);
  const tails = await Promise.all(topics.map((topic) => log.tail(topic)));
  const envelope = new EnvelopeReader();
  const counts = { records: 0, busyMs: 0, sum: 0 };
  let wake: () => void = () => {};
  const open = topics.map((topic, i) => ({
    reader: log.read(topic, BEGINNING, () => wake()) as LogReader,
    tail: tails[i]!,
    isDone: tails[i] === BEGINNING,
  }));
  while (open.some(({ isDone }) => !isDone)) {
    const startedMs = performance.now();
    let isIdle = true;
    for (const topic of open) {
      while (!topic.isDone && performance.now() - startedMs < TURN_MS) {
        const stored = topic.reader.poll();
        if (stored === undefined) break;
        isIdle = false;
        envelope.load(stored.bytes);
        counts.records += envelope.count;
        counts.sum += withBodies ? sumOfBodies(envelope) : sumOfColumns(envelope);
        topic.isDone = stored.offset >= topic.tail;
      }
    }
    // Whoever has had a turn goes to the end of the row.
    open.push(open.shift()!);
    counts.busyMs += performance.now() - startedMs;
    if (isIdle) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    } else await new Promise((resolve) => setImmediate(resolve));
  }
  for (const { reader } of open) reader.close();
  return counts;
}

/** The columns by which a record is routed. */
function sumOfColumns(envelope: EnvelopeReader): number {
  const { count, kind, name, userLo, userHi, eventIdLo, eventIdHi, eventAt } = envelope;
  let sum = 0;
  for (let i = 0; i < count; i++) {
    sum += kind[i]! + name[i]! + eventAt[i]! + envelope.receivedAtMs(i);
    sum = (sum + userLo[i]! + userHi[i]! + eventIdLo[i]! + eventIdHi[i]!) % 2 ** 31;
  }
  return sum;
}

function sumOfBodies(envelope: EnvelopeReader): number {
  let sum = 0;
  for (let i = 0; i < envelope.count; i++) {
    if (envelope.kind[i]! >= RecordKind.tick) continue;
    for (const value of Object.values(envelope.propertiesOf(i))) if (value !== null) sum++;
  }
  return sum;
}
