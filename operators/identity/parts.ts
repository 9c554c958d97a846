import { Packr, Unpackr } from 'msgpackr';
import { ENVELOPE_BODY_BYTES_MAX, ENVELOPE_RECORDS_MAX } from '../../engine/envelope-layout.ts';
import { EnvelopeWriter, namesBytes } from '../../engine/envelope-writer.ts';
import { LapseError } from '../../engine/errors.ts';
import type { Hash64 } from '../../engine/hash.ts';
import { arrivalOf } from '../../engine/identities.ts';
import { type IncomingEvent, RecordKind } from '../../engine/records.ts';
import type { UserId } from '../../engine/state/alias-table.ts';
import type { RuleIdentity } from '../rules/rule-book.ts';

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
}

/** Everything has been said; who waits for its arrival may go on. */
export interface MoveEnd {
  readonly kind: 'end';
  readonly to: UserId;
  readonly token: string;
}

export type MovedPart = MovedWindow | MovedProfile | MovedCancel | MoveEnd;

/** An output for `in.<partition>`, with the time that it brings there. */
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
    };

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
const KINDS = ['window', 'profile', 'cancel', 'end'] as const;

export function encodePart(part: MovedPart): Uint8Array {
  const head = [KINDS.indexOf(part.kind), part.to.id, part.to.isAnonymous];
  switch (part.kind) {
    case 'window': {
      const { rule, anchorAtMs, extendedMs, restarts, eventIdLo, eventIdHi, properties } = part;
      // Names and values apart: a map would take a property's name `__proto__` for the prototype.
      const kept = [Object.keys(properties), Object.values(properties)];
      const times = [anchorAtMs, extendedMs, restarts, eventIdLo, eventIdHi];
      return packr.pack([...head, JSON.stringify(rule), ...times, ...kept]);
    }
    case 'profile':
      return packr.pack([...head, part.names, part.values, part.saidAtMs]);
    case 'cancel':
      return packr.pack([...head, JSON.stringify(part.rule), part.match, part.eventAtMs]);
    case 'end':
      return packr.pack([...head, part.token]);
  }
}

/** @throws LapseError `ERR_ENVELOPE_CORRUPT` */
export function decodePart(bytes: Uint8Array): MovedPart {
  const [kind, id, isAnonymous, ...rest] = unpackr.unpack(bytes) as [number, string, boolean];
  const fields = rest as unknown[];
  const to = { id, isAnonymous };
  switch (KINDS[kind]) {
    case 'window': {
      const [rule, anchorAtMs, extendedMs, restarts, eventIdLo, eventIdHi, names, values] =
        fields as [string, number, number, number, number, number, string[], unknown[]];
      return {
        kind: 'window',
        to,
        rule: JSON.parse(rule) as RuleIdentity,
        ...{ anchorAtMs, extendedMs, restarts, eventIdLo, eventIdHi },
        properties: Object.fromEntries(names.map((name, i) => [name, values[i]])),
      };
    }
    case 'profile': {
      const [names, values, saidAtMs] = fields as [string[], unknown[], number[]];
      return { kind: 'profile', to, names, values, saidAtMs };
    }
    case 'cancel': {
      const [rule, match, eventAtMs] = fields as [string, number, number];
      return { kind: 'cancel', to, rule: JSON.parse(rule) as RuleIdentity, match, eventAtMs };
    }
    case 'end':
      return { kind: 'end', to, token: fields[0] as string };
    default:
      throw new LapseError('ERR_ENVELOPE_CORRUPT', `A moved part of kind ${kind} is not known.`);
  }
}

/** Columns of a record and more: as many as fill an envelope are never more than it may hold. */
const RECORD_BYTES = Math.ceil(ENVELOPE_BODY_BYTES_MAX / ENVELOPE_RECORDS_MAX);

/** About how many bytes an output takes. */
export function moveBytes(output: MoveOutput): number {
  if (output.kind === 'part') return RECORD_BYTES + output.body.length;
  const { name, properties } = output.event;
  return RECORD_BYTES + output.bytes + namesBytes([name, ...Object.keys(properties)]);
}

/** One envelope for `in.<partition>`. */
export function encodeMoves(outputs: readonly MoveOutput[]): Uint8Array {
  const writer = new EnvelopeWriter();
  let timeMs = 0;
  for (const output of outputs) {
    timeMs = Math.max(timeMs, output.atMs);
    if (output.kind === 'event') writer.addEvent(output.event, timeMs, output.eventId);
    else writer.addPlain(RecordKind.moved, output.body, timeMs);
  }
  return writer.finish();
}
