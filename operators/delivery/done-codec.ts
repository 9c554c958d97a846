import type { DeliveryPosition } from './delivery.ts';
import type {
  AttemptFacts,
  BatchSnapshot,
  LaneRecord,
  LaneSnapshot,
  SettledMember,
} from './lane-records.ts';
import { corrupt, packVersioned, unpackVersioned } from './packing.ts';

const VERSION = 1;
const RECORDS = 'An envelope of lane records';
const SNAPSHOT = 'A snapshot of a lane';

/** Positions as a flat list: offset, index, offset, index, … */
type Flat = readonly number[];
type Row = readonly unknown[];
const KIND = { formed: 0, retry: 1, settled: 2 } as const;

/** One envelope for `done.<webhook>`, in the order given. The caller owns the bytes. */
export function encodeRecords(records: readonly LaneRecord[]): Uint8Array {
  return packVersioned(VERSION, records.map(rowOf));
}

/** @throws LapseError `ERR_ENVELOPE_VERSION`, `ERR_ENVELOPE_CORRUPT` */
export function decodeRecords(bytes: Uint8Array): LaneRecord[] {
  const rows = unpackVersioned(VERSION, RECORDS, bytes);
  if (!Array.isArray(rows)) throw corrupt(RECORDS, 'it is no list');
  return (rows as Row[]).map(recordOf);
}

/** One envelope for `snap.<webhook>`, without what the runner puts before it. */
export function encodeSnapshot(snapshot: LaneSnapshot): Uint8Array {
  return packVersioned(VERSION, [
    snapshot.readTo,
    snapshot.open.map(({ offset, count, settled }) => [offset, count, settled]),
    snapshot.batches.map(({ webhookId, attempts, retryAtMs, members }) => [
      webhookId,
      attempts,
      retryAtMs,
      flatten(members),
    ]),
    snapshot.rateArrivalAtMs,
    snapshot.holdUntilMs,
    snapshot.aloneUpTo,
    snapshot.isClean,
  ]);
}

/** @throws LapseError `ERR_ENVELOPE_VERSION`, `ERR_ENVELOPE_CORRUPT` */
export function decodeSnapshot(bytes: Uint8Array): LaneSnapshot {
  const row = unpackVersioned(VERSION, SNAPSHOT, bytes);
  if (!Array.isArray(row)) throw corrupt(SNAPSHOT, 'it is no list');
  const [readTo, open, batches, rateArrivalAtMs, holdUntilMs, aloneUpTo, isClean] = row as [
    number,
    [number, number, number[]][],
    [string, number, number, Flat][],
    number,
    number,
    number,
    boolean,
  ];
  return {
    readTo,
    open: open.map(([offset, count, settled]) => ({ offset, count, settled })),
    batches: batches.map(
      ([webhookId, attempts, retryAtMs, members]): BatchSnapshot => ({
        webhookId,
        attempts,
        retryAtMs,
        members: positionsOf(members),
      }),
    ),
    rateArrivalAtMs,
    holdUntilMs,
    aloneUpTo,
    isClean,
  };
}

function rowOf(record: LaneRecord): Row {
  if (record.kind === 'formed') {
    return [KIND.formed, record.webhookId, flatten(record.members)];
  }
  if (record.kind === 'retry') {
    const { webhookId, members, retryAtMs, holdUntilMs } = record;
    const facts = factsRow(record);
    return [KIND.retry, webhookId, flatten(members), facts, retryAtMs, holdUntilMs];
  }
  return [
    KIND.settled,
    record.webhookId,
    flatten(record.members),
    record.campaignId,
    record.outcome === 'delivered',
    record.reason,
    record.atMs,
    record.last === undefined ? null : factsRow(record.last),
    record.members.map((member) => member.id),
    record.members.map((member) => member.userId),
  ];
}

function recordOf(row: Row): LaneRecord {
  const [kind, webhookId, flat] = row as [number, string, Flat];
  const members = positionsOf(flat);
  if (kind === KIND.formed) return { kind: 'formed', webhookId, members };
  if (kind === KIND.retry) {
    const [, , , facts, retryAtMs, holdUntilMs] = row as [
      number,
      string,
      Flat,
      Row,
      number,
      number,
    ];
    return { kind: 'retry', webhookId, members, ...factsOf(facts), retryAtMs, holdUntilMs };
  }
  if (kind === KIND.settled) return settledOf(row, webhookId, members);
  throw corrupt(RECORDS, `a record of kind ${kind} is unknown`);
}

function settledOf(
  row: Row,
  webhookId: string,
  positions: readonly DeliveryPosition[],
): LaneRecord {
  const [campaignId, isDelivered, reason, atMs, last, ids, userIds] = row.slice(3) as [
    string,
    boolean,
    string,
    number,
    Row | null,
    string[],
    string[],
  ];
  const members = positions.map(
    (position, i): SettledMember => ({ ...position, id: ids[i]!, userId: userIds[i]! }),
  );
  return {
    kind: 'settled',
    webhookId,
    campaignId,
    outcome: isDelivered ? 'delivered' : 'failed',
    reason,
    atMs,
    ...(last === null ? {} : { last: factsOf(last) }),
    members,
  };
}

function factsRow({ attempt, startedAtMs, answer, durationMs }: AttemptFacts): Row {
  return [attempt, startedAtMs, answer, durationMs];
}

function factsOf(row: Row): AttemptFacts {
  const [attempt, startedAtMs, answer, durationMs] = row as [
    number,
    number,
    AttemptFacts['answer'],
    number,
  ];
  return { attempt, startedAtMs, answer, durationMs };
}

function flatten(positions: readonly DeliveryPosition[]): number[] {
  const flat: number[] = [];
  for (const { offset, index } of positions) flat.push(offset, index);
  return flat;
}

function positionsOf(flat: Flat): DeliveryPosition[] {
  const positions: DeliveryPosition[] = [];
  for (let i = 0; i < flat.length; i += 2) {
    positions.push({ offset: flat[i]!, index: flat[i + 1]! });
  }
  return positions;
}
