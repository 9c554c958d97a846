import { corrupt, StoredRow } from '../stored-row.ts';
import type { CapSnapshot } from './caps.ts';
import type { DeliveryPosition } from './delivery.ts';
import type {
  AttemptFacts,
  BatchSnapshot,
  CapPlaces,
  LaneRecord,
  LaneSnapshot,
  SettledMember,
  SettledRecord,
} from './lane-records.ts';
import { flagColumn, outcomeFlags } from './outcome-flags.ts';
import { packVersioned, unpackVersioned } from './packing.ts';

const VERSION = 1;
const RECORDS = 'An envelope of lane records';
const SNAPSHOT = 'A snapshot of a lane';

type Row = readonly unknown[];
/** True and false are what the first versions wrote. */
const OUTCOMES = new Map<SettledRecord['outcome'], unknown>([
  ['delivered', true],
  ['failed', false],
  ['suppressed', 'suppressed'],
]);
const KIND = { formed: 0, retry: 1, settled: 2 } as const;

/** One envelope for `done.<webhook>`, in the order given. The caller owns the bytes. */
export function encodeRecords(records: readonly LaneRecord[]): Uint8Array {
  return packVersioned(VERSION, records.map(rowOf));
}

/** @throws LapseError `ERR_ENVELOPE_VERSION`, `ERR_ENVELOPE_CORRUPT` */
export function decodeRecords(bytes: Uint8Array): LaneRecord[] {
  const rows = unpackVersioned(VERSION, RECORDS, bytes);
  if (!Array.isArray(rows)) throw corrupt(RECORDS, 'it is no list');
  return rows.map((row) => recordOf(new StoredRow(RECORDS, row)));
}

/** One envelope for `snap.<webhook>`, without what the runner puts before it. */
export function encodeSnapshot(snapshot: LaneSnapshot): Uint8Array {
  return packVersioned(VERSION, [
    snapshot.readTo,
    snapshot.open.map(({ offset, count, settled }) => [offset, count, settled]),
    snapshot.batches.map(({ webhookId, attempts, retryAtMs, members, places }) => [
      webhookId,
      attempts,
      retryAtMs,
      flatten(members),
      placesRow(places),
    ]),
    snapshot.rateArrivalAtMs,
    snapshot.holdUntilMs,
    snapshot.aloneUpTo,
    snapshot.isClean,
    snapshot.caps.map((one) => [one.campaignId, one.delivered, one.day, one.dayDelivered]),
  ]);
}

/** @throws LapseError `ERR_ENVELOPE_VERSION`, `ERR_ENVELOPE_CORRUPT` */
export function decodeSnapshot(bytes: Uint8Array): LaneSnapshot {
  const row = new StoredRow(SNAPSHOT, unpackVersioned(VERSION, SNAPSHOT, bytes));
  return {
    readTo: row.whole(),
    open: row.rows().map((one) => ({
      offset: one.whole(),
      count: one.whole(),
      settled: one.wholes(),
    })),
    batches: row.rows().map(
      (one): BatchSnapshot => ({
        webhookId: one.text(),
        attempts: one.whole(),
        retryAtMs: one.number(),
        members: positionsOf(one),
        ...placesOf(one.any()),
      }),
    ),
    rateArrivalAtMs: row.number(),
    holdUntilMs: row.number(),
    aloneUpTo: row.whole(),
    isClean: row.flag(),
    caps: capsOf(row.any()),
  };
}

function rowOf(record: LaneRecord): Row {
  if (record.kind === 'formed') {
    const { webhookId, members, places } = record;
    return [KIND.formed, webhookId, flatten(members), placesRow(places)];
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
    OUTCOMES.get(record.outcome)!,
    record.reason,
    record.atMs,
    record.last === undefined ? null : factsRow(record.last),
    record.members.map((member) => member.id),
    record.members.map((member) => member.userId),
    flagColumn(record.members),
  ];
}

function recordOf(row: StoredRow): LaneRecord {
  const kind = row.whole();
  const webhookId = row.text();
  const members = positionsOf(row);
  if (kind === KIND.formed) {
    return { kind: 'formed', webhookId, members, ...placesOf(row.any()) };
  }
  if (kind === KIND.retry) {
    const facts = factsOf(new StoredRow(RECORDS, row.list()));
    const times = { retryAtMs: row.number(), holdUntilMs: row.number() };
    return { kind: 'retry', webhookId, members, ...facts, ...times };
  }
  if (kind === KIND.settled) return settledOf(row, webhookId, members);
  throw corrupt(RECORDS, `a record of kind ${kind} is unknown`);
}

function settledOf(
  row: StoredRow,
  webhookId: string,
  positions: readonly DeliveryPosition[],
): LaneRecord {
  const campaignId = row.text();
  const outcome = outcomeOf(row.any());
  const reason = row.text();
  const atMs = row.number();
  const last = row.any();
  const ids = row.texts();
  const userIds = row.texts();
  const flags = row.columnIfAny();
  if ([ids, userIds, flags ?? ids].some(({ length }) => length !== positions.length)) {
    throw corrupt(RECORDS, 'its members are not of one number');
  }
  return {
    ...{ kind: 'settled', webhookId, campaignId, outcome, reason, atMs },
    ...(last === null ? {} : { last: factsOf(new StoredRow(RECORDS, last)) }),
    members: positions.map(
      (position, i): SettledMember => ({
        ...position,
        id: ids[i]!,
        userId: userIds[i]!,
        ...outcomeFlags(flags?.[i]),
      }),
    ),
  };
}

function outcomeOf(stored: unknown): SettledRecord['outcome'] {
  for (const [outcome, written] of OUTCOMES) if (written === stored) return outcome;
  throw corrupt(RECORDS, 'an outcome is not known');
}

function placesRow(places: CapPlaces | undefined): Row | null {
  return places === undefined ? null : [places.campaignId, places.day];
}

/** @param stored null, or nothing from an older version, without places */
function placesOf(stored: unknown): { places?: CapPlaces } {
  if (stored === null || stored === undefined) return {};
  const row = new StoredRow(RECORDS, stored);
  return { places: { campaignId: row.text(), day: row.number() } };
}

/** @param stored nothing from an older version */
function capsOf(stored: unknown): CapSnapshot[] {
  return new StoredRow(SNAPSHOT, [stored ?? []]).rows().map((one) => ({
    campaignId: one.text(),
    delivered: one.whole(),
    day: one.number(),
    dayDelivered: one.whole(),
  }));
}

function factsRow({ attempt, startedAtMs, answer, durationMs }: AttemptFacts): Row {
  return [attempt, startedAtMs, answer, durationMs];
}

function factsOf(row: StoredRow): AttemptFacts {
  const [attempt, startedAtMs] = [row.whole(), row.number()];
  const answer = row.any();
  if (typeof answer !== 'number' && typeof answer !== 'string') {
    throw corrupt(RECORDS, 'an answer is neither a status nor a code');
  }
  const durationMs = row.number();
  return { attempt, startedAtMs, answer: answer as AttemptFacts['answer'], durationMs };
}

/** Positions as a flat list: offset, index, offset, index, … */
function flatten(positions: readonly DeliveryPosition[]): number[] {
  const flat: number[] = [];
  for (const { offset, index } of positions) flat.push(offset, index);
  return flat;
}

function positionsOf(row: StoredRow): DeliveryPosition[] {
  const flat = row.wholes();
  const positions: DeliveryPosition[] = [];
  for (let i = 0; i < flat.length; i += 2) {
    const index = flat[i + 1];
    if (index === undefined) throw corrupt(RECORDS, 'a position has no index');
    positions.push({ offset: flat[i]!, index });
  }
  return positions;
}
