import { Packr, Unpackr } from 'msgpackr';
import { LapseError } from '../errors.ts';
import { type Arena, BLOB_BYTES_MAX } from './arena.ts';
import {
  emptyKey,
  isStoredKey,
  type Key,
  keyPrefixBytes,
  readKeyPrefix,
  writeKeyPrefix,
} from './key.ts';
import { SlotIndex } from './slot-index.ts';

/** What is known of a user: attributes, each with the event time at which it was said. */
export interface Profile {
  readonly attributes: Record<string, unknown>;
  /** Unix ms, for each attribute. */
  readonly saidAtMs: Record<string, number>;
}

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false });
const SLOTS = 4096;

/** A slab: hashes, then references into the arena. */
interface ProfileSlab {
  words: Uint32Array;
  isFrozen: boolean;
}

export interface ProfileTableSnapshot {
  readonly slabs: readonly Uint32Array[];
  readonly slotsUsed: number;
}

/** The profiles of a partition's users, packed in the arena. */
export class ProfileTable {
  readonly #arena: Arena;
  readonly #index = new SlotIndex((slot) => this.#slabs[slot >>> 12]!.words[slot & 4095]!);
  #slabs: ProfileSlab[] = [];
  #slotsUsed = 0;
  readonly #stored = emptyKey();

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  get count(): number {
    return this.#index.count;
  }

  /**
   * Sets the attributes that are not older than what is known; null clears one.
   * @param saidAtMs event time, Unix ms
   */
  merge(key: Key, attributes: Readonly<Record<string, unknown>>, saidAtMs: number): void {
    const slot = this.#slotOf(key);
    const profile = slot === -1 ? empty() : this.#read(slot);
    for (const name of Object.keys(attributes)) {
      if ((profile.saidAtMs[name] ?? -Infinity) > saidAtMs) continue;
      profile.attributes[name] = attributes[name];
      profile.saidAtMs[name] = saidAtMs;
    }
    this.#write(slot, key, profile);
  }

  /** The attributes of a user, without cleared ones; empty for one who is not known. */
  attributesOf(key: Key): Record<string, unknown> {
    const slot = this.#slotOf(key);
    if (slot === -1) return empty().attributes;
    const { attributes } = this.#read(slot);
    for (const name of Object.keys(attributes)) {
      if (attributes[name] === null || attributes[name] === undefined) delete attributes[name];
    }
    return attributes;
  }

  #slotOf(key: Key): number {
    const hash = hashOf(key);
    let position = this.#index.first(hash);
    for (;;) {
      const slot = this.#index.slotAt(position);
      if (slot === -1) return -1;
      const words = this.#slabs[slot >>> 12]!.words;
      if (words[slot & 4095] === hash) {
        const blob = words[SLOTS + (slot & 4095)]!;
        if (isStoredKey(this.#arena.chunkOf(blob), this.#arena.startOf(blob), key)) return slot;
      }
      position = this.#index.next(position);
    }
  }

  #read(slot: number): Profile {
    const blob = this.#slabs[slot >>> 12]!.words[SLOTS + (slot & 4095)]!;
    const chunk = this.#arena.chunkOf(blob);
    const start = this.#arena.startOf(blob);
    const values = readKeyPrefix(chunk, start, this.#stored);
    const [names, list, said] = unpackr.unpack(chunk, {
      start: values,
      end: start + this.#arena.lengthOf(blob),
    }) as [string[], unknown[], number | number[]];
    const profile = empty();
    names.forEach((name, i) => {
      profile.attributes[name] = list[i];
      profile.saidAtMs[name] = typeof said === 'number' ? said : said[i]!;
    });
    return profile;
  }

  #write(slot: number, key: Key, profile: Profile): void {
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
    const blob = this.#arena.allocate(length);
    const chunk = this.#arena.writable(blob);
    chunk.set(packed, writeKeyPrefix(key, chunk, this.#arena.startOf(blob)));
    if (slot === -1) {
      const added = this.#slotsUsed++;
      if (added >>> 12 === this.#slabs.length) {
        this.#slabs.push({ words: new Uint32Array(2 * SLOTS), isFrozen: false });
      }
      const words = this.#writable(added);
      words[added & 4095] = hashOf(key);
      words[SLOTS + (added & 4095)] = blob;
      this.#index.add(added, hashOf(key));
    } else {
      const words = this.#writable(slot);
      this.#arena.free(words[SLOTS + (slot & 4095)]!);
      words[SLOTS + (slot & 4095)] = blob;
    }
  }

  #writable(slot: number): Uint32Array {
    const slab = this.#slabs[slot >>> 12]!;
    if (!slab.isFrozen) return slab.words;
    const copy = { words: slab.words.slice(), isFrozen: false };
    this.#slabs[slot >>> 12] = copy;
    return copy.words;
  }

  freeze(): ProfileTableSnapshot {
    for (const slab of this.#slabs) slab.isFrozen = true;
    return { slabs: this.#slabs.map((slab) => slab.words), slotsUsed: this.#slotsUsed };
  }

  thaw(): void {
    for (const slab of this.#slabs) slab.isFrozen = false;
  }

  restore(snapshot: ProfileTableSnapshot): void {
    this.#slabs = snapshot.slabs.map((words) => ({ words, isFrozen: false }));
    this.#slotsUsed = snapshot.slotsUsed;
    this.#index.reset(this.#slotsUsed);
    for (let slot = 0; slot < this.#slotsUsed; slot++) {
      this.#index.add(slot, this.#slabs[slot >>> 12]!.words[slot & 4095]!);
    }
  }
}

/** Without a prototype, so that no attribute's name means anything else. */
function empty(): Profile {
  return {
    attributes: Object.create(null) as Record<string, unknown>,
    saidAtMs: Object.create(null) as Record<string, number>,
  };
}

function hashOf(key: Key): number {
  return (key.hashHi ^ Math.imul(key.hashLo, 0x9e3779b1)) >>> 0;
}
