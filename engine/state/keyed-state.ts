import { Packr, Unpackr } from 'msgpackr';
import { LapseError } from '../errors/errors.ts';
import { TimingWheel, type WheelSlots } from '../time/timing-wheel.ts';
import { type Arena, BLOB_BYTES_MAX } from './arena.ts';
import {
  CELL_SLAB_BITS,
  CELL_SLAB_MASK,
  CELL_SLAB_SLOTS,
  CellSlab,
  TimerState,
} from './cell-slab.ts';
import { mix32 } from './hash.ts';
import { isStoredKey, type Key, keyPrefixBytes, readKeyPrefix, writeKeyPrefix } from './key.ts';
import { SlotIndex } from './slot-index.ts';

/** A value of a cell: a row of plain data. Maps with names from outside go in as two lists. */
export type CellValue = readonly unknown[];

export interface KeyedStateSnapshot {
  readonly slabs: readonly ArrayBuffer[];
  readonly slotsUsed: number;
}

/** Never due. */
export const NO_TIMER = Infinity;

const packr = new Packr({ useRecords: false, variableMapSize: true, useToJSON: false });
const unpackr = new Unpackr({ useRecords: false });
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const MATCH_HEAD_BYTES = 2;

/**
 * What the operators of a partition remember of its users, a cell for each (user, operator, match
 * value), each with at most one timer. The store knows no kind of operator: checkpoints, joins and
 * erasing walk its cells and ask the operator only how two cells become one.
 *
 * Values lie packed in the arena, so a cell costs 36 bytes, ~9 for the indexes, the user's id and
 * the value. A value of more than 64 KiB is refused.
 */
export class KeyedState implements WheelSlots {
  readonly #arena: Arena;
  readonly #index = new SlotIndex((slot) => this.#slab(slot).hash[slot & CELL_SLAB_MASK]!);
  readonly #users = new SlotIndex((slot) => this.#slab(slot).userHash[slot & CELL_SLAB_MASK]!);
  #slabs: CellSlab[] = [];
  #replaced: CellSlab[] = [];
  #freeHead = -1;
  #slotsUsed = 0;
  wheel: TimingWheel;

  constructor(arena: Arena, nowMs: number) {
    this.#arena = arena;
    this.wheel = new TimingWheel(this, nowMs);
  }

  get count(): number {
    return this.#index.count;
  }

  /** The cell of a user, operator and match value; -1 when there is none. */
  find(key: Key, operator: number, match: string): number {
    const hash = hashOf(key, operator);
    let position = this.#index.first(hash);
    for (;;) {
      const slot = this.#index.slotAt(position);
      if (slot === -1) return -1;
      const isCell = this.#isOf(slot, hash, operator, key);
      if (isCell && this.matchOf(slot) === match) return slot;
      position = this.#index.next(position);
    }
  }

  /** All cells of a user and operator, in order of match value. */
  cellsOf(key: Key, operator: number): number[] {
    const hash = hashOf(key, operator);
    const slots: number[] = [];
    let position = this.#index.first(hash);
    for (;;) {
      const slot = this.#index.slotAt(position);
      if (slot === -1) break;
      if (this.#isOf(slot, hash, operator, key)) slots.push(slot);
      position = this.#index.next(position);
    }
    return slots.length < 2 ? slots : slots.sort((a, b) => this.#compareMatches(a, b));
  }

  /** All cells of a user, in order of operator and match value. */
  cellsOfUser(key: Key): number[] {
    const hash = userHashOf(key);
    const slots: number[] = [];
    let position = this.#users.first(hash);
    for (;;) {
      const slot = this.#users.slotAt(position);
      if (slot === -1) break;
      if (this.#slab(slot).userHash[slot & CELL_SLAB_MASK] === hash && this.#hasKey(slot, key)) {
        slots.push(slot);
      }
      position = this.#users.next(position);
    }
    return slots.sort(
      (a, b) => this.operatorOf(a) - this.operatorOf(b) || this.#compareMatches(a, b),
    );
  }

  /** Slots of all cells for which `isWanted`, in no order. Walks everything: for rare changes. */
  *slotsWhere(isWanted: (operator: number) => boolean): Generator<number> {
    for (let slot = 0; slot < this.#slotsUsed; slot++) {
      const slab = this.#slab(slot);
      const at = slot & CELL_SLAB_MASK;
      if (slab.blob[at] !== 0 && isWanted(slab.operator[at]!)) yield slot;
    }
  }

  /**
   * Stores a value, instead of what stood there, and sets its timer.
   * @param dueAtMs `NO_TIMER` for none
   * @throws LapseError `ERR_STATE_SIZE` when the value is too large; nothing has changed then
   */
  put(key: Key, operator: number, match: string, value: CellValue, dueAtMs: number): number {
    const known = this.find(key, operator, match);
    const blob = this.#store(key, match, value);
    if (known !== -1) {
      const slab = this.#writable(known);
      const at = known & CELL_SLAB_MASK;
      this.#arena.free(slab.blob[at]!);
      slab.blob[at] = blob;
      this.rearm(known, dueAtMs);
      return known;
    }
    const slot = this.#takeSlot();
    const slab = this.#writable(slot);
    const at = slot & CELL_SLAB_MASK;
    slab.hash[at] = hashOf(key, operator);
    slab.userHash[at] = userHashOf(key);
    slab.operator[at] = operator;
    slab.blob[at] = blob;
    slab.timer[at] = TimerState.none;
    slab.dueAt[at] = NO_TIMER;
    this.#index.add(slot, slab.hash[at]!);
    this.#users.add(slot, slab.userHash[at]!);
    this.rearm(slot, dueAtMs);
    return slot;
  }

  /** Sets a cell's timer anew. */
  rearm(slot: number, dueAtMs: number): void {
    const slab = this.#writable(slot);
    const at = slot & CELL_SLAB_MASK;
    if (slab.timer[at] === TimerState.armed) this.wheel.remove(slot);
    slab.dueAt[at] = dueAtMs;
    slab.timer[at] = dueAtMs === NO_TIMER ? TimerState.none : TimerState.armed;
    if (dueAtMs !== NO_TIMER) this.wheel.add(slot, dueAtMs);
  }

  remove(slot: number): void {
    const slab = this.#writable(slot);
    const at = slot & CELL_SLAB_MASK;
    if (slab.timer[at] === TimerState.armed) this.wheel.remove(slot);
    this.#index.remove(slot, slab.hash[at]!);
    this.#users.remove(slot, slab.userHash[at]!);
    this.#arena.free(slab.blob[at]!);
    slab.blob[at] = 0;
    slab.timer[at] = TimerState.none;
    slab.next[at] = this.#freeHead;
    this.#freeHead = slot;
  }

  /** The wheel has given a slot out. */
  beginFiring(slot: number): void {
    this.#writable(slot).timer[slot & CELL_SLAB_MASK] = TimerState.firing;
  }

  /** @returns false when what fired before it removed the cell or moved its timer */
  endFiring(slot: number): boolean {
    const slab = this.#writable(slot);
    const at = slot & CELL_SLAB_MASK;
    if (slab.timer[at] !== TimerState.firing) return false;
    slab.timer[at] = TimerState.none;
    slab.dueAt[at] = NO_TIMER;
    return true;
  }

  /** Takes a cell's timer before the wheel does. @returns false when it has none */
  takeTimer(slot: number): boolean {
    const slab = this.#writable(slot);
    const at = slot & CELL_SLAB_MASK;
    if (slab.blob[at] === 0 || slab.timer[at] !== TimerState.armed) return false;
    this.wheel.remove(slot);
    slab.timer[at] = TimerState.none;
    slab.dueAt[at] = NO_TIMER;
    return true;
  }

  operatorOf(slot: number): number {
    return this.#slab(slot).operator[slot & CELL_SLAB_MASK]!;
  }

  dueAtMs(slot: number): number {
    return this.#slab(slot).dueAt[slot & CELL_SLAB_MASK]!;
  }

  /** Points `key` at the cell's key, without hashes; returns where the match value begins. */
  keyOf(slot: number, key: Key): number {
    const blob = this.#blobOf(slot);
    return readKeyPrefix(this.#arena.chunkOf(blob), this.#arena.startOf(blob), key);
  }

  matchOf(slot: number): string {
    const bytes = this.#arena.chunkOf(this.#blobOf(slot));
    const start = this.#matchStartOf(slot);
    const end = start + this.#matchLengthAt(bytes, start - MATCH_HEAD_BYTES);
    return start === end ? '' : decoder.decode(bytes.subarray(start, end));
  }

  valueOf(slot: number): CellValue {
    const blob = this.#blobOf(slot);
    const bytes = this.#arena.chunkOf(blob);
    const matchStart = this.#matchStartOf(slot);
    const start = matchStart + this.#matchLengthAt(bytes, matchStart - MATCH_HEAD_BYTES);
    const end = this.#arena.startOf(blob) + this.#arena.lengthOf(blob);
    return unpackr.unpack(bytes.subarray(start, end)) as CellValue;
  }

  linkNext(slot: number): number {
    return this.#slab(slot).next[slot & CELL_SLAB_MASK]!;
  }

  linkPrevious(slot: number): number {
    return this.#slab(slot).previous[slot & CELL_SLAB_MASK]!;
  }

  setLinks(slot: number, next: number, previous: number): void {
    // Links are rebuilt at recovery, so a snapshot may hold any: no copy for their sake.
    const slab = this.#slab(slot);
    slab.next[slot & CELL_SLAB_MASK] = next;
    slab.previous[slot & CELL_SLAB_MASK] = previous;
  }

  setNext(slot: number, next: number): void {
    this.#slab(slot).next[slot & CELL_SLAB_MASK] = next;
  }

  setPrevious(slot: number, previous: number): void {
    this.#slab(slot).previous[slot & CELL_SLAB_MASK] = previous;
  }

  freeze(): KeyedStateSnapshot {
    for (const slab of this.#slabs) slab.isFrozen = true;
    return { slabs: this.#slabs.map((slab) => slab.buffer), slotsUsed: this.#slotsUsed };
  }

  thaw(): void {
    for (const slab of this.#slabs) slab.isFrozen = false;
    CellSlab.recycle(this.#replaced);
    this.#replaced = [];
  }

  /**
   * Takes a snapshot's slabs over and builds indexes, free list and wheel anew.
   * @param nowMs partition time of the snapshot
   * @throws LapseError `ERR_CHECKPOINT_CORRUPT`
   */
  restore(snapshot: KeyedStateSnapshot, nowMs: number): void {
    this.#slabs = snapshot.slabs.map((buffer) => new CellSlab(buffer));
    this.#slotsUsed = snapshot.slotsUsed;
    this.#freeHead = -1;
    this.wheel = new TimingWheel(this, nowMs);
    this.#index.reset(snapshot.slotsUsed);
    this.#users.reset(snapshot.slotsUsed);
    for (let slot = this.#slotsUsed - 1; slot >= 0; slot--) {
      const slab = this.#slab(slot);
      const at = slot & CELL_SLAB_MASK;
      const blob = slab.blob[at]!;
      if (blob === 0) {
        slab.next[at] = this.#freeHead;
        this.#freeHead = slot;
        continue;
      }
      if (!this.#arena.isStored(blob)) {
        throw new LapseError(
          'ERR_CHECKPOINT_CORRUPT',
          `Nothing whole lies at ${blob} of the arena.`,
        );
      }
      this.#index.add(slot, slab.hash[at]!);
      this.#users.add(slot, slab.userHash[at]!);
      slab.timer[at] = slab.dueAt[at] === NO_TIMER ? TimerState.none : TimerState.armed;
      if (slab.timer[at] === TimerState.armed) this.wheel.add(slot, slab.dueAt[at]!);
    }
  }

  #slab(slot: number): CellSlab {
    return this.#slabs[slot >>> CELL_SLAB_BITS]!;
  }

  #blobOf(slot: number): number {
    return this.#slab(slot).blob[slot & CELL_SLAB_MASK]!;
  }

  #isOf(slot: number, hash: number, operator: number, key: Key): boolean {
    const slab = this.#slab(slot);
    const at = slot & CELL_SLAB_MASK;
    return slab.hash[at] === hash && slab.operator[at] === operator && this.#hasKey(slot, key);
  }

  #hasKey(slot: number, key: Key): boolean {
    const blob = this.#blobOf(slot);
    return isStoredKey(this.#arena.chunkOf(blob), this.#arena.startOf(blob), key);
  }

  #compareMatches(a: number, b: number): number {
    const [left, right] = [this.matchOf(a), this.matchOf(b)];
    return left < right ? -1 : Number(left > right);
  }

  #matchStartOf(slot: number): number {
    const blob = this.#blobOf(slot);
    const bytes = this.#arena.chunkOf(blob);
    const start = this.#arena.startOf(blob);
    const head = bytes[start]!;
    const length = head > 127 ? (head & 127) | (bytes[start + 1]! << 7) : head;
    return start + (head > 127 ? 2 : 1) + (length >>> 1) + MATCH_HEAD_BYTES;
  }

  #matchLengthAt(bytes: Uint8Array, at: number): number {
    return bytes[at]! | (bytes[at + 1]! << 8);
  }

  #takeSlot(): number {
    if (this.#freeHead !== -1) {
      const slot = this.#freeHead;
      this.#freeHead = this.#slab(slot).next[slot & CELL_SLAB_MASK]!;
      return slot;
    }
    if (this.#slotsUsed === this.#slabs.length * CELL_SLAB_SLOTS) this.#slabs.push(new CellSlab());
    return this.#slotsUsed++;
  }

  #writable(slot: number): CellSlab {
    const index = slot >>> CELL_SLAB_BITS;
    const slab = this.#slabs[index]!;
    if (!slab.isFrozen) return slab;
    const copy = slab.copy();
    this.#slabs[index] = copy;
    this.#replaced.push(slab);
    return copy;
  }

  #store(key: Key, match: string, value: CellValue): number {
    const matchBytes = match === '' ? undefined : encoder.encode(match);
    const matchLength = matchBytes?.length ?? 0;
    const packed = packr.pack(value);
    const length = keyPrefixBytes(key) + MATCH_HEAD_BYTES + matchLength + packed.length;
    if (length > BLOB_BYTES_MAX || matchLength > 0xffff) {
      throw new LapseError(
        'ERR_STATE_SIZE',
        `What an operator remembers of a user must have at most ${BLOB_BYTES_MAX} bytes, got ${length}.`,
        { domain: 'user', facts: { bytes: length } },
      );
    }
    const blob = this.#arena.allocate(length);
    const chunk = this.#arena.writable(blob);
    let at = writeKeyPrefix(key, chunk, this.#arena.startOf(blob));
    chunk[at++] = matchLength & 255;
    chunk[at++] = matchLength >>> 8;
    if (matchBytes !== undefined) chunk.set(matchBytes, at);
    chunk.set(packed, at + matchLength);
    return blob;
  }
}

function hashOf(key: Key, operator: number): number {
  return (mix32(key.hashHi ^ Math.imul(operator + 1, 0x9e3779b1)) ^ key.hashLo) >>> 0;
}

function userHashOf(key: Key): number {
  return (key.hashHi ^ Math.imul(key.hashLo, 0x9e3779b1)) >>> 0;
}
