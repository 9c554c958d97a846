import { Packr, Unpackr } from 'msgpackr';
import {
  ENVELOPE_BODY_BYTES_MAX,
  ENVELOPE_RECORDS_MAX,
} from '../../engine/envelope/envelope-layout.ts';
import { EnvelopeWriter, namesBytes } from '../../engine/envelope/envelope-writer.ts';
import { type DeliveryOutcome, outcomeBody } from '../../engine/envelope/outcomes.ts';
import { type IncomingEvent, RecordFlag, RecordKind } from '../../engine/envelope/records.ts';
import { messageOf } from '../../engine/errors/errors.ts';
import { arrivalOf } from '../../engine/intake/identities.ts';
import type { UserId } from '../../engine/state/alias-table.ts';
import type { Hash64 } from '../../engine/state/hash.ts';
import type { CellValue } from '../../engine/state/keyed-state.ts';
import type { CellOwnerIdentity } from '../router/cell-owners.ts';
import type { RuleIdentity } from '../router/rule-nodes.ts';
import { corrupt, StoredRow } from '../stored-row.ts';

/*
 * What goes from one partition to another when a user's id joins another's: its state in parts,
 * and its events that came after. Each part says whose it is now.
 */

/** An open window, as it stood. */
export interface MovedWindow {
  readonly kind: 'window';
  readonly to: UserId;
  readonly rule: RuleIdentity;
  /** Event time of the newest `did`, Unix ms. */
  readonly anchorAtMs: number;
  readonly extendedMs: number;
  readonly restarts: number;
  /** It fires not before: it may have been over when it was opened. Unix ms. */
  readonly dueAtMs: number;
  readonly eventIdLo: number;
  readonly eventIdHi: number;
  /** Of that `did`. */
  readonly properties: Readonly<Record<string, unknown>>;
}

export interface MovedProfile {
  readonly kind: 'profile';
  readonly to: UserId;
  readonly names: readonly string[];
  readonly values: readonly unknown[];
  /** Event time of each value, Unix ms. */
  readonly saidAtMs: readonly number[];
}

/** A cancelling event of the last seconds, whose `did` may still be on the way. */
export interface MovedCancel {
  readonly kind: 'cancel';
  readonly to: UserId;
  readonly rule: RuleIdentity;
  /** Hash of the match value, 0 without one. */
  readonly match: number;
  readonly eventAtMs: number;
  /** From then on it is remembered, partition time in Unix ms. */
  readonly receivedAtMs: number;
}

/** What an operator remembered of the user. */
export interface MovedCell {
  readonly kind: 'cell';
  readonly to: UserId;
  readonly owner: CellOwnerIdentity;
  readonly match: string;
  readonly value: CellValue;
  /** Unix ms, Infinity without a timer. */
  readonly dueAtMs: number;
}

/** What follows is known since the join: what was due before it has fired, whoever's it was. */
export interface MoveBegin {
  readonly kind: 'begin';
  readonly to: UserId;
  /** Unix ms. */
  readonly joinedAtMs: number;
}

/** Everything has been said; who waits for its arrival may go on. */
export interface MoveEnd {
  readonly kind: 'end';
  readonly to: UserId;
  readonly token: string;
}

export type MovedPart = MoveBegin | MovedWindow | MovedCell | MovedProfile | MovedCancel | MoveEnd;

/** An output for `in.<partition>`, with its user's time; that of the partition stays its own. */
export type MoveOutput =
  | {
      readonly kind: 'part';
      readonly atMs: number;
      readonly body: Uint8Array;
      /** What it brings to its end, see `arrivalOf`. */
      readonly arrival: string | undefined;
    }
  /** An event that came by an id which is another's by now. */
  | {
      readonly kind: 'event';
      readonly atMs: number;
      readonly event: IncomingEvent;
      readonly eventId: Hash64;
      readonly bytes: number;
    }
  /** What became of a delivery, of a user who has joined another id meanwhile. */
  | { readonly kind: 'outcome'; readonly atMs: number; readonly outcome: DeliveryOutcome };

export function movedPart(part: MovedPart, atMs: number): MoveOutput {
  const arrival = part.kind === 'end' ? arrivalOf(part.token, part.to) : undefined;
  return { kind: 'part', atMs, body: encodePart(part), arrival };
}

/** @param bytes of the event's body */
export function movedEvent(
  event: IncomingEvent,
  eventId: Hash64,
  atMs: number,
  bytes: number,
): MoveOutput {
  return { kind: 'event', atMs, event, eventId, bytes };
}

const packr = new Packr({ useRecords: false, variableMapSize: true, useToJSON: false });
const unpackr = new Unpackr({ useRecords: false });
const KINDS = ['window', 'profile', 'cancel', 'end', 'begin', 'cell'] as const;
const PART = 'A moved part';

export function encodePart(part: MovedPart): Uint8Array {
  const head = [KINDS.indexOf(part.kind), part.to.id, part.to.isAnonymous];
  switch (part.kind) {
    case 'window': {
      const { rule, anchorAtMs, extendedMs, restarts, dueAtMs, properties } = part;
      // Names and values apart: a map would take a property's name `__proto__` for the prototype.
      const kept = [Object.keys(properties), Object.values(properties)];
      const times = [anchorAtMs, extendedMs, restarts, dueAtMs, part.eventIdLo, part.eventIdHi];
      return packr.pack([...head, JSON.stringify(rule), ...times, ...kept]);
    }
    case 'profile':
      return packr.pack([...head, part.names, part.values, part.saidAtMs]);
    case 'cancel': {
      const { rule, match, eventAtMs, receivedAtMs } = part;
      return packr.pack([...head, JSON.stringify(rule), match, eventAtMs, receivedAtMs]);
    }
    case 'cell': {
      const { owner, match, value, dueAtMs } = part;
      return packr.pack([...head, JSON.stringify(owner), match, value, dueAtMs]);
    }
    case 'end':
      return packr.pack([...head, part.token]);
    case 'begin':
      return packr.pack([...head, part.joinedAtMs]);
  }
}

/** @throws LapseError `ERR_ENVELOPE_CORRUPT` */
export function decodePart(bytes: Uint8Array): MovedPart {
  const row = new StoredRow(PART, unpacked(bytes));
  const kind = KINDS[row.whole()];
  const to = { id: row.text(), isAnonymous: row.flag() };
  switch (kind) {
    case 'window':
      return windowOf(to, row);
    case 'profile': {
      const [names, values, saidAtMs] = [row.texts(), row.list(), row.numbers()];
      demandAsMany(names, values);
      demandAsMany(names, saidAtMs);
      return { kind, to, names, values, saidAtMs };
    }
    case 'cancel': {
      const [rule, match] = [ruleOf(row), row.whole()];
      return { kind, to, rule, match, eventAtMs: row.number(), receivedAtMs: row.number() };
    }
    case 'cell': {
      const owner = objectOf(row, 'owner') as CellOwnerIdentity;
      return { kind, to, owner, match: row.text(), value: row.list(), dueAtMs: row.number() };
    }
    case 'end':
      return { kind, to, token: row.text() };
    case 'begin':
      return { kind, to, joinedAtMs: row.number() };
    default:
      throw corrupt(PART, 'it is of a kind that is not known');
  }
}

function windowOf(to: UserId, row: StoredRow): MovedWindow {
  const rule = ruleOf(row);
  const times = { anchorAtMs: row.number(), extendedMs: row.number(), restarts: row.whole() };
  const dueAtMs = row.number();
  const eventId = { eventIdLo: row.whole(), eventIdHi: row.whole() };
  const [names, values] = [row.texts(), row.list()];
  demandAsMany(names, values);
  const properties = Object.fromEntries(names.map((name, i) => [name, values[i]]));
  return { kind: 'window', to, rule, ...times, dueAtMs, ...eventId, properties };
}

/** What it says of events is checked no further: the partition that sent it ran by it. */
function ruleOf(row: StoredRow): RuleIdentity {
  return objectOf(row, 'rule') as RuleIdentity;
}

function objectOf(row: StoredRow, what: string): object {
  let value: unknown;
  try {
    value = JSON.parse(row.text());
  } catch (error) {
    throw corrupt(PART, `its ${what} is no JSON: ${messageOf(error)}`);
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject) throw corrupt(PART, `its ${what} is no object`);
  return value as object;
}

function demandAsMany(names: readonly string[], values: readonly unknown[]): void {
  if (names.length !== values.length) throw corrupt(PART, 'its columns are not of one length');
}

function unpacked(bytes: Uint8Array): unknown {
  try {
    return unpackr.unpack(bytes);
  } catch (error) {
    throw corrupt(PART, messageOf(error));
  }
}

/** Columns of a record and more: as many as fill an envelope are never more than it may hold. */
const RECORD_BYTES = Math.ceil(ENVELOPE_BODY_BYTES_MAX / ENVELOPE_RECORDS_MAX);

/** About how many bytes an output takes. */
export function moveBytes(output: MoveOutput): number {
  if (output.kind === 'part') return RECORD_BYTES + output.body.length;
  if (output.kind === 'outcome') return RECORD_BYTES + JSON.stringify(output.outcome).length;
  const { name, properties } = output.event;
  return RECORD_BYTES + output.bytes + namesBytes([name, ...Object.keys(properties)]);
}

/** One envelope for `in.<partition>`. */
export function encodeMoves(outputs: readonly MoveOutput[]): Uint8Array {
  const writer = new EnvelopeWriter();
  const { ahead } = RecordFlag;
  for (const output of outputs) {
    const { atMs } = output;
    if (output.kind === 'event') writer.addEvent(output.event, atMs, ahead, output.eventId);
    else if (output.kind === 'outcome') {
      writer.addJson(RecordKind.outcome, outcomeBody(output.outcome), atMs, ahead);
    } else writer.addPlain(RecordKind.moved, output.body, atMs, ahead);
  }
  return writer.finish();
}
