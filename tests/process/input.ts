/**
 * The input of a run as its log holds it, of all partitions in one order: that of receipt, but
 * what a join has moved comes behind the join.
 */
import { EnvelopeReader } from '../../engine/envelope/envelope-reader.ts';
import { type Leave, RecordFlag, RecordKind } from '../../engine/envelope/records.ts';
import type { UserId } from '../../engine/state/alias-table.ts';
import { decodePart } from '../../operators/identity/parts.ts';
import type { StoredTopics } from './stored-topics.ts';

export interface InputEvent {
  readonly kind: number;
  readonly user: string;
  readonly isAnonymous: boolean;
  readonly name: string;
  readonly eventAtMs: number;
  /** Partition time at the record, or its user's where that is ahead. Unix ms. */
  readonly receivedAtMs: number;
  /** Of the feeds, which put their message id into the properties. */
  readonly properties: Readonly<Record<string, unknown>>;
}

/** An id has become another's. */
export interface InputLeave {
  readonly leave: Leave;
  readonly receivedAtMs: number;
}

export interface Input {
  /** In order. */
  readonly records: readonly (InputEvent | InputLeave)[];
  readonly events: readonly InputEvent[];
  readonly leaves: readonly InputLeave[];
  /** How many events came in, those included that nobody asked about after their id had left. */
  readonly taken: number;
  /** When the campaigns were first published, Unix ms. */
  readonly publishedAtMs: number;
}

/** All that moved by a token has come to this partition. */
interface Arrival {
  readonly token: string;
  readonly receivedAtMs: number;
}

type LaneRecord = InputEvent | InputLeave | Arrival;

interface PublishControl {
  readonly publishedAtMs?: number;
}

/** Reads the input of all partitions. */
export function inputOf(stored: StoredTopics): Input {
  const lanes = stored.topics
    .filter((name) => name.startsWith('in.'))
    .map((topic) => laneOf(stored.envelopesOf(topic)));
  const records = inOrder(lanes.map((lane) => lane.records));
  return {
    records,
    events: records.filter((record): record is InputEvent => !('leave' in record)),
    taken: lanes.reduce((sum, lane) => sum + lane.taken, 0),
    leaves: records.filter((record): record is InputLeave => 'leave' in record),
    publishedAtMs: Math.min(Infinity, ...lanes.map((lane) => lane.publishedAtMs)),
  };
}

function laneOf(envelopes: readonly Uint8Array[]): {
  readonly records: LaneRecord[];
  readonly taken: number;
  readonly publishedAtMs: number;
} {
  const records: LaneRecord[] = [];
  const left = new Set<string>();
  let taken = 0;
  let publishedAtMs = Infinity;
  let timeMs = 0;
  const envelope = new EnvelopeReader();
  for (const bytes of envelopes) {
    envelope.load(bytes);
    for (let i = 0; i < envelope.count; i++) {
      const kind = envelope.kind[i]!;
      const receivedAtMs = envelope.receivedAtMs(i);
      // A claim carries no time, and what is ahead its user's alone.
      const isAhead = (envelope.flags[i]! & RecordFlag.ahead) !== 0;
      if (kind !== RecordKind.claim && !isAhead) timeMs = Math.max(timeMs, receivedAtMs);
      if (kind === RecordKind.control) {
        const control = envelope.jsonOf(i) as PublishControl;
        publishedAtMs = Math.min(publishedAtMs, Math.max(timeMs, control.publishedAtMs ?? 0));
      }
      const record = recordAt(envelope, i, isAhead ? Math.max(timeMs, receivedAtMs) : timeMs);
      if (record === undefined) continue;
      // By an id that has left before: it stands again where it was sent on to, unless it was known.
      if ('user' in record && !hasMoved(envelope, i)) {
        taken++;
        if (left.has(nameOf(record))) continue;
      }
      if ('leave' in record) {
        const { id, isAnonymous } = record.leave.from;
        left.add(nameOf({ user: id, isAnonymous }));
      }
      records.push(record);
    }
  }
  return { records, taken, publishedAtMs };
}

function recordAt(
  envelope: EnvelopeReader,
  i: number,
  receivedAtMs: number,
): LaneRecord | undefined {
  const kind = envelope.kind[i]!;
  if (kind === RecordKind.leave) return { leave: envelope.jsonOf(i) as Leave, receivedAtMs };
  if (kind === RecordKind.moved) {
    const part = decodePart(envelope.plainBodyOf(i));
    return part.kind === 'end' ? { token: part.token, receivedAtMs } : undefined;
  }
  if (kind >= RecordKind.tick) return undefined;
  return {
    kind,
    user: envelope.userIdOf(i),
    isAnonymous: (envelope.flags[i]! & RecordFlag.anonymous) !== 0,
    name: envelope.names[envelope.name[i]!] ?? '',
    eventAtMs: envelope.eventAt[i]!,
    receivedAtMs,
    properties: envelope.propertiesOf(i),
  };
}

function hasMoved(envelope: EnvelopeReader, i: number): boolean {
  return (envelope.flags[i]! & RecordFlag.moved) !== 0;
}

function nameOf({ user, isAnonymous }: Pick<InputEvent, 'user' | 'isAnonymous'>): string {
  return `${isAnonymous} ${user}`;
}

function concerns(record: LaneRecord, user: UserId): boolean {
  if ('token' in record) return false;
  if (!('leave' in record)) {
    return record.user === user.id && record.isAnonymous === user.isAnonymous;
  }
  const { from, to } = record.leave;
  return [from, to].some(
    ({ id, isAnonymous }) => id === user.id && isAnonymous === user.isAnonymous,
  );
}

/**
 * All records by time. Partitions come at different times, so each
 * person's records are put in order for themselves, whatever partitions they stand in: what is
 * decided of one depends on no other.
 */
function inOrder(lanes: readonly (readonly LaneRecord[])[]): (InputEvent | InputLeave)[] {
  const personOf = personsIn(lanes);
  const persons = new Map<string, LaneRecord[][]>();
  lanes.forEach((records, lane) => {
    for (const record of records) {
      const person = personOf(record);
      let own = persons.get(person);
      if (own === undefined) {
        own = lanes.map(() => []);
        persons.set(person, own);
      }
      own[lane]!.push(record);
    }
  });
  return [...persons.values()]
    .flatMap((own) => inOrderOfOne(own))
    .sort((a, b) => a.receivedAtMs - b.receivedAtMs);
}

/** Names for each record the person whose it is, one for all ids that ever join. */
function personsIn(lanes: readonly (readonly LaneRecord[])[]): (record: LaneRecord) => string {
  const joined = new Map<string, string>();
  const whoOf = (name: string): string => {
    const next = joined.get(name);
    return next === undefined ? name : whoOf(next);
  };
  const nameOfId = ({ id, isAnonymous }: UserId) => whoOf(nameOf({ user: id, isAnonymous }));
  const leaves = new Map<string, Leave>();
  for (const record of lanes.flat()) {
    if (!('leave' in record)) continue;
    leaves.set(record.leave.token, record.leave);
    const [from, to] = [nameOfId(record.leave.from), nameOfId(record.leave.to)];
    if (from !== to) joined.set(from, to);
  }
  return (record) => {
    if ('user' in record) return whoOf(nameOf(record));
    if ('leave' in record) return nameOfId(record.leave.to);
    const leave = leaves.get(record.token);
    if (leave === undefined) throw new Error(`${record.token} has arrived and never left`);
    return nameOfId(leave.to);
  };
}

function inOrderOfOne(lanes: readonly (readonly LaneRecord[])[]): (InputEvent | InputLeave)[] {
  const records: (InputEvent | InputLeave)[] = [];
  const joined = new Set<string>();
  const next = lanes.map(() => 0);
  const left = new Set<string>();
  // Who leaves goes behind all that had come to the partition where it arrives.
  const arrivals = new Map<string, { readonly lane: number; readonly at: number }>();
  lanes.forEach((records, lane) => {
    records.forEach((record, at) => {
      if ('token' in record && !arrivals.has(record.token)) {
        arrivals.set(record.token, { lane, at });
      }
    });
  });
  const waits = (record: LaneRecord, lane: number, isForUser: boolean) => {
    if ('token' in record) return !left.has(record.token);
    if (!('leave' in record)) return false;
    const { to, token } = record.leave;
    const arrival = arrivals.get(token);
    if (arrival === undefined || arrival.lane === lane) return false;
    const from = next[arrival.lane]!;
    if (!isForUser) return from < arrival.at;
    return lanes[arrival.lane]!.slice(from, arrival.at).some((other) => concerns(other, to));
  };
  const earliest = (mayGo: (record: LaneRecord, lane: number) => boolean): number => {
    let first = -1;
    lanes.forEach((lane, at) => {
      const head = lane[next[at]!];
      if (head === undefined || !mayGo(head, at)) return;
      const best = lanes[first]?.[next[first]!];
      if (best === undefined || head.receivedAtMs < best.receivedAtMs) first = at;
    });
    return first;
  };
  for (;;) {
    if (lanes.every((lane, at) => next[at] === lane.length)) return records;
    let first = earliest((record, lane) => !waits(record, lane, false));
    // Ids that join in a chain may seem to wait for each other.
    if (first < 0) first = earliest((record, lane) => !waits(record, lane, true));
    if (first < 0) first = earliest(() => true);
    const record = lanes[first]![next[first]!++]!;
    if ('token' in record) continue;
    if (!('leave' in record)) {
      records.push(record);
      continue;
    }
    const { from, to, token, joinedAtMs } = record.leave;
    left.add(token);
    // Said again, or behind a retried event, it joins nobody.
    const pair = JSON.stringify([from, to]);
    if (joined.has(pair)) continue;
    joined.add(pair);
    records.push({ ...record, receivedAtMs: Math.max(record.receivedAtMs, joinedAtMs) });
  }
}
