import { EnvelopeReader } from '../../engine/envelope/envelope-reader.ts';
import { RecordFlag } from '../../engine/envelope/records.ts';
import type { Fingerprints } from '../../engine/state/fingerprints.ts';
import { type Hash64, mix32 } from '../../engine/state/hash.ts';
import { emptyKey, type Key } from '../../engine/state/key.ts';
import type { FilterContext } from '../filters/compile.ts';
import type { EventAtHand } from '../rules/inaction/windows.ts';

const BUCKETS = 1000;

/**
 * The event at hand: one object that moves from record to record. Properties are decoded when
 * somebody first asks for them, so an event that only a name decides on is never unpacked.
 */
export class EventView implements EventAtHand, FilterContext {
  readonly key = emptyKey();
  eventAtMs = 0;
  eventIdLo = 0;
  eventIdHi = 0;
  nowMs = 0;
  timezone = 'UTC';
  /** Never the same for two events in a row. */
  serial = 0;
  #envelope = new EnvelopeReader();
  #index = 0;
  #properties: Record<string, unknown> | undefined;
  readonly #fingerprints: Fingerprints;
  readonly #userPrint: Hash64 = { lo: 0, hi: 0 };
  #printedSerial = 0;

  constructor(fingerprints: Fingerprints) {
    this.#fingerprints = fingerprints;
  }

  moveTo(envelope: EnvelopeReader, i: number, nowMs: number): void {
    this.#envelope = envelope;
    this.#index = i;
    this.#properties = undefined;
    this.serial++;
    this.nowMs = nowMs;
    this.eventAtMs = envelope.eventAt[i]!;
    this.eventIdLo = envelope.eventIdLo[i]!;
    this.eventIdHi = envelope.eventIdHi[i]!;
    const { key } = this;
    key.bytes = envelope.bytes;
    key.start = envelope.bodyStartOf(i);
    key.length = envelope.idLength[i]!;
    key.isAnonymous = (envelope.flags[i]! & RecordFlag.anonymous) !== 0;
    key.hashLo = envelope.userLo[i]!;
    key.hashHi = envelope.userHi[i]!;
  }

  get properties(): Record<string, unknown> {
    this.#properties ??= this.#envelope.propertiesOf(this.#index);
    return this.#properties;
  }

  /** The user's fingerprint, worked out when somebody first asks for it. */
  get userPrint(): Hash64 {
    if (this.#printedSerial !== this.serial) {
      this.#printedSerial = this.serial;
      this.#fingerprints.ofUser(this.key, this.#userPrint);
    }
    return this.#userPrint;
  }

  /** The user's fixed random bucket: of the id alone, so the same in every campaign for ever. */
  get userBucket(): number {
    return bucketOf(this.key);
  }
}

/** The user's fixed random bucket, 0–999. */
export function bucketOf(key: Key): number {
  return mix32(key.hashHi ^ key.hashLo) % BUCKETS;
}
