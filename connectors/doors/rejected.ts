/**
 * Refused input, kept with its bytes in the topic `rejected.events` of the log and counted by door
 * and code. A flood of garbage can fill neither memory nor the log: what comes faster than the log
 * takes it is counted and not kept, and the oldest go when there are more than `recordsMax`.
 */
import { Packr, Unpackr } from 'msgpackr';
import { LapseError } from '../../engine/errors/errors.ts';
import type { Log, Offset } from '../../engine/log/log.ts';
import type { Clock } from '../../engine/time/clock.ts';

export const REJECTED_TOPIC = 'rejected.events';

export type DoorName = 'http' | 'nats' | 'file' | 'websocket';

export interface RejectedRecord {
  /** Time of receipt, Unix ms. */
  readonly atMs: number;
  readonly door: DoorName;
  /** Position in its request or payload. */
  readonly index: number;
  readonly code: string;
  readonly message: string;
  readonly bytes: Uint8Array;
  /** True when `bytes` are only the first of what came. */
  readonly isCut: boolean;
}

export interface RejectedStoreOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** Records kept in the log, at least. @default 10_000 */
  readonly recordsMax?: number;
  /** Bytes kept of one record. @default 32 KiB */
  readonly recordBytesMax?: number;
  /** Bytes waiting for the log. @default 4 MiB */
  readonly waitingBytesMax?: number;
}

const ENVELOPE_RECORDS_MAX = 100;
const ENVELOPE_BYTES_MAX = 256 * 1024;
/** What a record costs besides its bytes: with it, many tiny ones are bounded as well. */
const RECORD_OVERHEAD_BYTES = 256;

const packr = new Packr({ useRecords: false, useToJSON: false });
// A log's bytes are valid for a moment only, what is read here stays.
const unpackr = new Unpackr({ useRecords: false, copyBuffers: true });

export class RejectedStore {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #recordsMax: number;
  readonly #recordBytesMax: number;
  readonly #waitingBytesMax: number;
  #waiting: RejectedRecord[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  /** What this process appended, oldest first, so that it knows what to trim. */
  readonly #kept: { offset: Offset; count: number }[] = [];
  #keptCount = 0;
  readonly #counts = new Map<DoorName, Map<string, number>>();
  /** Refused, counted, and not kept because the log was slower or failed. */
  notKept = 0;

  constructor(options: RejectedStoreOptions) {
    this.#log = options.log;
    this.#clock = options.clock;
    this.#recordsMax = options.recordsMax ?? 10_000;
    this.#recordBytesMax = options.recordBytesMax ?? 32 * 1024;
    this.#waitingBytesMax = options.waitingBytesMax ?? 4 * 1024 * 1024;
  }

  /** Counts what stands in the log from before, so that the bound holds over restarts. */
  async open(): Promise<void> {
    const { envelopes } = await readRejected(this.#log);
    for (const { offset, records } of envelopes) this.#keep(offset, records.length);
  }

  /**
   * Never waits and never throws; copies the bytes.
   * @param receivedAtMs Unix ms. @default now
   */
  add(
    door: DoorName,
    index: number,
    refused: { readonly code: string; readonly message: string },
    bytes: Uint8Array,
    receivedAtMs: number = this.#clock.now(),
  ): void {
    const codes = this.#counts.get(door) ?? new Map<string, number>();
    this.#counts.set(door, codes);
    codes.set(refused.code, (codes.get(refused.code) ?? 0) + 1);
    const length = Math.min(bytes.length, this.#recordBytesMax);
    if (this.#waitingBytes + length + RECORD_OVERHEAD_BYTES > this.#waitingBytesMax) {
      this.notKept++;
      return;
    }
    this.#waitingBytes += length + RECORD_OVERHEAD_BYTES;
    this.#waiting.push({
      atMs: receivedAtMs,
      door,
      index,
      code: refused.code,
      message: refused.message,
      bytes: new Uint8Array(bytes.subarray(0, length)),
      isCut: length < bytes.length,
    });
    this.#writing ??= this.#write();
  }

  /** Refusals so far, by code. */
  countsOf(door: DoorName): ReadonlyMap<string, number> {
    return this.#counts.get(door) ?? new Map<string, number>();
  }

  /** Resolves when everything added so far is kept or given up. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    // What is refused in the same turn shares an envelope.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const records = this.#nextEnvelope();
      try {
        const offset = await this.#log.append(REJECTED_TOPIC, packr.pack(records));
        this.#keep(offset!, records.length);
        await this.#trim();
      } catch {
        // The log reports its own failures; refused input must not stop a door.
        this.notKept += records.length;
      }
    }
    this.#writing = undefined;
  }

  #nextEnvelope(): RejectedRecord[] {
    let count = 0;
    let byteLength = 0;
    while (count < this.#waiting.length && count < ENVELOPE_RECORDS_MAX) {
      byteLength += this.#waiting[count]!.bytes.length + RECORD_OVERHEAD_BYTES;
      if (count > 0 && byteLength > ENVELOPE_BYTES_MAX) break;
      count++;
    }
    const records = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    for (const { bytes } of records) this.#waitingBytes -= bytes.length + RECORD_OVERHEAD_BYTES;
    return records;
  }

  #keep(offset: Offset, count: number): void {
    this.#kept.push({ offset, count });
    this.#keptCount += count;
  }

  async #trim(): Promise<void> {
    let upTo = 0;
    while (this.#keptCount - (this.#kept[0]?.count ?? 0) >= this.#recordsMax) {
      const oldest = this.#kept.shift()!;
      this.#keptCount -= oldest.count;
      upTo = oldest.offset;
    }
    if (upTo > 0) await this.#log.trim(REJECTED_TOPIC, upTo);
  }
}

/** What the topic holds now, oldest first. */
export async function readRejected(log: Log): Promise<{
  readonly envelopes: readonly { offset: Offset; records: RejectedRecord[] }[];
}> {
  const tail = await log.tail(REJECTED_TOPIC);
  const envelopes: { offset: Offset; records: RejectedRecord[] }[] = [];
  if (tail === 0 || (await log.head(REJECTED_TOPIC)) === 0) return { envelopes };
  let wake = () => {};
  const reader = log.read(REJECTED_TOPIC, 0, () => wake());
  try {
    for (let last = 0; last < tail; ) {
      const readable = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const stored = reader.poll();
      if (stored === undefined) await readable;
      else {
        last = stored.offset;
        envelopes.push({ offset: last, records: decodeRejected(stored.bytes) });
      }
    }
  } finally {
    reader.close();
  }
  return { envelopes };
}

/** @throws LapseError `ERR_ENVELOPE_CORRUPT` */
export function decodeRejected(bytes: Uint8Array): RejectedRecord[] {
  let records: unknown;
  try {
    records = unpackr.unpack(bytes);
  } catch {
    // Refused below, in our words.
  }
  if (Array.isArray(records) && records.every(isRejected)) return records;
  throw new LapseError(
    'ERR_ENVELOPE_CORRUPT',
    `An envelope of '${REJECTED_TOPIC}' must be a list of refused events, it is not.`,
  );
}

function isRejected(value: unknown): value is RejectedRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { atMs, door, index, code, message, bytes, isCut } = value as Partial<RejectedRecord>;
  const texts = [door, code, message];
  return (
    texts.every((one) => typeof one === 'string') &&
    Number.isFinite(atMs) &&
    Number.isSafeInteger(index) &&
    bytes instanceof Uint8Array &&
    typeof isCut === 'boolean'
  );
}
