/** What the topics of a run hold, decoded. */
import { EnvelopeReader } from '../../engine/envelope/envelope-reader.ts';
import { outcomeFrom } from '../../engine/envelope/outcomes.ts';
import { type Leave, RecordFlag, RecordKind } from '../../engine/envelope/records.ts';
import type { UserId } from '../../engine/state/alias-table.ts';
import type { Control } from '../../operators/campaign-pipeline.ts';
import { decodeDeliveries } from '../../operators/delivery/codec.ts';
import type { Delivery } from '../../operators/delivery/delivery.ts';
import { decodeRecords } from '../../operators/delivery/done-codec.ts';
import type { LaneRecord, SettledRecord } from '../../operators/delivery/lane-records.ts';
import { decodePart } from '../../operators/identity/parts.ts';
import type { Archive, Archived } from './archive.ts';
import type { OracleRecord, OracleUser } from './oracle-records.ts';
import type { DefinitionsPlan, PlannedAction } from './workload.ts';

/** A delivery with where it stands and who put it there. */
export interface StoredDelivery {
  readonly delivery: Delivery;
  readonly partition: number;
  readonly envelope: Archived;
}

export interface StoredSettlement {
  readonly id: string;
  readonly record: SettledRecord;
  readonly envelope: Archived;
}

/** What the sender noted, in order, and where. */
export interface StoredRecord {
  readonly record: LaneRecord;
  readonly envelope: Archived;
}

const deliveriesOf = new WeakMap<Archived, Delivery[]>();
const settledOf = new WeakMap<Archived, StoredSettlement[]>();

export function deliveriesIn(archive: Archive, webhook: string): StoredDelivery[] {
  return archive.of(`out.${webhook}`).flatMap((envelope) => {
    const deliveries = deliveriesOf.get(envelope) ?? decodeDeliveries(envelope.bytes);
    deliveriesOf.set(envelope, deliveries);
    const partition = envelope.fence?.writer ?? -1;
    return deliveries.map((delivery) => ({ delivery, partition, envelope }));
  });
}

export function recordsIn(archive: Archive, webhook: string): StoredRecord[] {
  return archive
    .of(`done.${webhook}`)
    .flatMap((envelope) => decodeRecords(envelope.bytes).map((record) => ({ record, envelope })));
}

/** Every final word, as often as it stands there. */
export function settledIn(archive: Archive, webhook: string): StoredSettlement[] {
  return archive.of(`done.${webhook}`).flatMap((envelope) => {
    const known = settledOf.get(envelope);
    if (known !== undefined) return known;
    const settled = decodeRecords(envelope.bytes).flatMap((record) =>
      record.kind === 'settled' ? record.members.map(({ id }) => ({ id, record, envelope })) : [],
    );
    settledOf.set(envelope, settled);
    return settled;
  });
}

/** The input of a partition as the oracle takes it. */
export function inputOf(
  archive: Archive,
  partition: number,
  plans: ReadonlyMap<string, DefinitionsPlan>,
): OracleRecord[] {
  return archive.of(`in.${partition}`).flatMap((envelope) => inputIn(envelope, plans));
}

/** The same of one envelope. */
export function inputIn(
  { bytes }: Archived,
  plans: ReadonlyMap<string, DefinitionsPlan>,
): OracleRecord[] {
  const reader = new EnvelopeReader();
  reader.load(new Uint8Array(bytes));
  return Array.from({ length: reader.count }, (_, i) => recordOf(reader, i, plans));
}

function recordOf(
  reader: EnvelopeReader,
  i: number,
  plans: ReadonlyMap<string, DefinitionsPlan>,
): OracleRecord {
  const kind = reader.kind[i]!;
  const receivedAtMs = reader.receivedAtMs(i);
  const isAhead = (reader.flags[i]! & RecordFlag.ahead) !== 0;
  if (kind === RecordKind.claim) return { kind: 'claim' };
  if (kind === RecordKind.outcome) {
    return { kind: 'outcome', receivedAtMs, isAhead, outcome: outcomeFrom(reader.jsonOf(i)) };
  }
  if (kind === RecordKind.tick) return { kind: 'tick', receivedAtMs };
  if (kind === RecordKind.control) {
    const control = reader.jsonOf(i) as Control;
    if (control.type === 'life') {
      const action = control.action as PlannedAction['action'];
      return { kind: 'life', receivedAtMs, campaign: control.campaign, action };
    }
    if (control.type !== 'definitions') throw new Error(`the oracle knows no ${control.type}`);
    const plan = plans.get(JSON.stringify(control.definitions));
    if (plan === undefined) throw new Error('the log holds definitions that nobody wanted');
    return { kind: 'definitions', receivedAtMs, publishedAtMs: control.publishedAtMs ?? 0, plan };
  }
  if (kind === RecordKind.leave) {
    const { from, to, ...said } = reader.jsonOf(i) as Leave;
    return { kind: 'leave', receivedAtMs, isAhead, from: userOf(from), to: userOf(to), ...said };
  }
  if (kind === RecordKind.moved) {
    const part = decodePart(reader.plainBodyOf(i));
    const endOf = part.kind === 'end' ? part.token : undefined;
    return { kind: 'moved', receivedAtMs, isAhead, to: userOf(part.to), endOf };
  }
  const facts = reader.propertiesOf(i);
  const flags = reader.flags[i]!;
  return {
    kind: 'event',
    type: kind === RecordKind.identify ? 'identify' : 'track',
    user: reader.userIdOf(i),
    isAnonymous: (flags & RecordFlag.anonymous) !== 0,
    name: reader.names[reader.name[i]!] ?? '',
    // The envelope holds its hash: the checkers put back what the producer said.
    messageId: String(facts.id),
    eventAtMs: reader.eventAt[i]!,
    receivedAtMs,
    isAhead,
    isMoved: (flags & RecordFlag.moved) !== 0,
    historyOnly: (flags & RecordFlag.historyOnly) !== 0,
    facts,
  };
}

function userOf({ id, isAnonymous }: UserId): OracleUser {
  return { user: id, isAnonymous };
}
