import { Packr, Unpackr } from 'msgpackr';
import { LapseError } from '../errors/errors.ts';
import { type Arena, BLOB_BYTES_MAX } from './arena.ts';
import { type Key, keyPrefixBytes } from './key.ts';
import { type BlobRange, KeyedBlobs, type KeyedBlobsSnapshot } from './keyed-blobs.ts';

/** What is known of a user: attributes, each with the event time at which it was said. */
export interface Profile {
  readonly attributes: Record<string, unknown>;
  /** Unix ms, for each attribute. */
  readonly saidAtMs: Record<string, number>;
}

// Without `useToJSON` an attribute's own `toJSON` is data and is never called.
const packr = new Packr({ useRecords: false, variableMapSize: true, useToJSON: false });
const unpackr = new Unpackr({ useRecords: false });

/** The profiles of a partition's users, packed in the arena. */
export class ProfileTable {
  readonly #blobs: KeyedBlobs;

  constructor(arena: Arena) {
    this.#blobs = new KeyedBlobs(arena);
  }

  get count(): number {
    return this.#blobs.count;
  }

  /**
   * Sets the attributes that are not older than what is known; null clears one.
   * @param saidAtMs event time, Unix ms
   * @throws LapseError `ERR_PROFILE_TOO_LARGE`; the profile stays as it was
   */
  merge(key: Key, attributes: Readonly<Record<string, unknown>>, saidAtMs: number): void {
    const profile = this.#profileOf(key);
    for (const name of Object.keys(attributes)) set(profile, name, attributes[name], saidAtMs);
    this.#write(key, profile);
  }

  /**
   * Takes over what is known of the same user under another id: of each attribute the newer
   * value, of equally old ones the one that stands here.
   * @throws LapseError `ERR_PROFILE_TOO_LARGE`; the profile stays as it was
   */
  join(key: Key, other: Profile): void {
    const profile = this.#profileOf(key);
    for (const name of Object.keys(other.attributes)) {
      const saidAtMs = other.saidAtMs[name]!;
      if (profile.saidAtMs[name] === saidAtMs) continue;
      set(profile, name, other.attributes[name], saidAtMs);
    }
    this.#write(key, profile);
  }

  /** The attributes of a user, without cleared ones; empty for one who is not known. */
  attributesOf(key: Key): Record<string, unknown> {
    const { attributes } = this.#profileOf(key);
    for (const name of Object.keys(attributes)) {
      if (attributes[name] === null || attributes[name] === undefined) delete attributes[name];
    }
    return attributes;
  }

  /** All users of whom something is known, in no order. `key` is pointed at each. */
  keys(key: Key): Generator<BlobRange> {
    return this.#blobs.entries(key);
  }

  /** Forgets a user. @returns what was known, undefined when nothing was */
  take(key: Key): Profile | undefined {
    const range = this.#blobs.get(key);
    if (range === undefined) return undefined;
    const profile = read(range);
    this.#blobs.remove(key);
    return profile;
  }

  #profileOf(key: Key): Profile {
    const range = this.#blobs.get(key);
    return range === undefined ? empty() : read(range);
  }

  #write(key: Key, profile: Profile): void {
    const names = Object.keys(profile.attributes);
    const times = names.map((name) => profile.saidAtMs[name]!);
    const said = times.every((time) => time === times[0]) ? (times[0] ?? 0) : times;
    const packed = packr.pack([names, Object.values(profile.attributes), said]);
    const length = keyPrefixBytes(key) + packed.length;
    if (length > BLOB_BYTES_MAX) {
      throw new LapseError(
        'ERR_PROFILE_TOO_LARGE',
        `A profile holds at most ${BLOB_BYTES_MAX} bytes, this one would take ${length}.`,
        { domain: 'user' },
      );
    }
    this.#blobs.put(key, packed);
  }

  freeze(): KeyedBlobsSnapshot {
    return this.#blobs.freeze();
  }

  thaw(): void {
    this.#blobs.thaw();
  }

  restore(snapshot: KeyedBlobsSnapshot): void {
    this.#blobs.restore(snapshot);
  }
}

function set(profile: Profile, name: string, value: unknown, saidAtMs: number): void {
  if ((profile.saidAtMs[name] ?? -Infinity) > saidAtMs) return;
  profile.attributes[name] = value;
  profile.saidAtMs[name] = saidAtMs;
}

function read({ bytes, start, end }: BlobRange): Profile {
  const [names, list, said] = unpackr.unpack(bytes, { start, end }) as [
    string[],
    unknown[],
    number | number[],
  ];
  const profile = empty();
  names.forEach((name, i) => {
    profile.attributes[name] = list[i];
    profile.saidAtMs[name] = typeof said === 'number' ? said : said[i]!;
  });
  return profile;
}

/** Without a prototype, so that no attribute's name means anything else. */
function empty(): Profile {
  return {
    attributes: Object.create(null) as Record<string, unknown>,
    saidAtMs: Object.create(null) as Record<string, number>,
  };
}
