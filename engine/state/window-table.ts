import { LapseError } from '../errors/errors.ts';
import { TimingWheel, type WheelSlots } from '../time/timing-wheel.ts';
import type { Arena } from './arena.ts';
import { mix32 } from './hash.ts';
import { isStoredKey, type Key, keyPrefixBytes, readKeyPrefix, writeKeyPrefix } from './key.ts';
import { SlotIndex } from './slot-index.ts';
import { SLAB_BITS, SLAB_MASK, SLAB_SLOTS, WINDOW_BYTES, WindowSlab } from './window-slab.ts';

/** How a rule's windows come to their end; the table knows nothing else of rules. */
export interface WindowDeadlines {
  /**
   * @param anchorAtMs event time of the newest opener
   * @param extendedMs how far that is after the first one
   */
  dueAtMs(rule: number, anchorAtMs: number, extendedMs: number): number;
}

export interface OpenedWindow {
  readonly anchorAtMs: number;
  readonly eventIdLo: number;
  readonly eventIdHi: number;
  /** Hash of the match value, 0 without one. */
  readonly match: number;
  /** A window whose end has passed already is due now. */
  readonly nowMs: number;
  /** Whether that is later than partition time. @default false */
  readonly isAhead?: boolean;
  /** How far the anchor is after the first opener. @default 0 */
  readonly extendedMs?: number;
  /** @default 0 */
  readonly restarts?: number;
}

/** A range of bytes that a window keeps behind its key. */
export interface KeptBytes {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

const TWO_32 = 2 ** 32;
/**
 * Rules share their hashes by number modulo this: few enough that a user's windows of all rules are
 * found in as many looks, many enough that a user with windows of a thousand rules has no long runs.
 */
const RULE_GROUPS = 128;
const FOUND_MAX = 4096;

export interface WindowTableSnapshot {
  readonly slabs: readonly ArrayBuffer[];
  readonly freeHead: number;
  readonly slotsUsed: number;
  /** `[slot, Unix ms]` of windows that were over when they were opened, ahead of partition time. */
  readonly late: readonly (readonly [slot: number, atMs: number])[];
}

/**
 * The open windows of a partition with their timers, outside the JavaScript heap: slabs of columns
 * that are copied on write while a snapshot holds them, one index, one timing wheel.
 */
export class WindowTable implements WheelSlots {
  readonly #arena: Arena;
  readonly #deadlines: WindowDeadlines;
  readonly #index = new SlotIndex(
    (slot) => this.#slabs[slot >>> SLAB_BITS]!.hash[slot & SLAB_MASK]!,
  );
  #slabs: WindowSlab[] = [];
  /** Slabs that a snapshot holds and that were copied since. */
  #replaced: WindowSlab[] = [];
  #freeHead = -1;
  /** Slots below this have been used. */
  #slotsUsed = 0;
  /** By slot: a window that was over when it was opened, ahead of partition time, is due then. */
  #late = new Map<number, number>();
  wheel: TimingWheel;
  /** Open windows by group of rules, so that none without any is looked for. */
  readonly #ofGroup = new Int32Array(RULE_GROUPS);
  /** Slots looked at by `findOfUser()` since the start, for tests of how the cost grows. */
  steps = 0;
  /** Slots found by `find()`, in no order. */
  readonly found = new Int32Array(FOUND_MAX);

  constructor(arena: Arena, deadlines: WindowDeadlines, nowMs: number) {
    this.#arena = arena;
    this.#deadlines = deadlines;
    this.wheel = new TimingWheel(this, nowMs);
  }

  get count(): number {
    return this.#index.count;
  }

  /** Bytes of slabs and index; the strings are the arena's. */
  get bytesReserved(): number {
    return this.#slabs.length * SLAB_SLOTS * WINDOW_BYTES + this.#index.bytes;
  }

  /** Looks up the windows of a key and rule; returns how many stand in `found`. */
  find(key: Key, rule: number): number {
    const hash = hashOf(key, rule);
    let count = 0;
    let position = this.#index.first(hash);
    for (;;) {
      const slot = this.#index.slotAt(position);
      if (slot === -1) return count;
      const slab = this.#slabs[slot >>> SLAB_BITS]!;
      const at = slot & SLAB_MASK;
      if (slab.hash[at] === hash && slab.rule[at] === rule && count < FOUND_MAX) {
        const blob = slab.blob[at]!;
        if (isStoredKey(this.#arena.chunkOf(blob), this.#arena.startOf(blob), key)) {
          this.found[count++] = slot;
        }
      }
      position = this.#index.next(position);
    }
  }

  /** Slots of all windows of a key, in no order. */
  findOfUser(key: Key): number[] {
    const slots: number[] = [];
    for (let group = 0; group < RULE_GROUPS; group++) {
      if (this.#ofGroup[group] === 0) continue;
      const hash = hashOf(key, group);
      let position = this.#index.first(hash);
      for (;;) {
        this.steps++;
        const slot = this.#index.slotAt(position);
        if (slot === -1) break;
        const slab = this.#slabs[slot >>> SLAB_BITS]!;
        const at = slot & SLAB_MASK;
        // Two groups may have one hash: each gives its own.
        if (slab.hash[at] === hash && slab.rule[at]! % RULE_GROUPS === group) {
          const blob = slab.blob[at]!;
          if (isStoredKey(this.#arena.chunkOf(blob), this.#arena.startOf(blob), key)) {
            slots.push(slot);
          }
        }
        position = this.#index.next(position);
      }
    }
    return slots;
  }

  /** Opens a window and arms its timer. */
  open(key: Key, rule: number, window: OpenedWindow, kept: KeptBytes): number {
    const slot = this.#takeSlot();
    const slab = this.#writable(slot);
    const at = slot & SLAB_MASK;
    const hash = hashOf(key, rule);
    const extendedMs = window.extendedMs ?? 0;
    slab.hash[at] = hash;
    slab.rule[at] = rule;
    slab.restarts[at] = window.restarts ?? 0;
    slab.match[at] = window.match;
    slab.eventIdLo[at] = window.eventIdLo;
    slab.eventIdHi[at] = window.eventIdHi;
    slab.anchorAt[at] = window.anchorAtMs;
    slab.extendedLo[at] = extendedMs >>> 0;
    slab.extendedHi[at] = Math.floor(extendedMs / TWO_32);
    slab.blob[at] = this.#store(key, kept);
    this.#index.add(slot, hash);
    this.#ofGroup[rule % RULE_GROUPS]!++;
    this.#arm(slot, window.nowMs, window.isAhead);
    return slot;
  }

  /** Lets a window run anew from `anchorAtMs`, not before its anchor, keeping `kept` instead. */
  restart(
    slot: number,
    key: Key,
    anchorAtMs: number,
    kept: KeptBytes,
    { nowMs, isAhead }: Pick<OpenedWindow, 'nowMs' | 'isAhead'>,
  ): void {
    const slab = this.#writable(slot);
    const at = slot & SLAB_MASK;
    const extended = this.extendedMs(slot) + (anchorAtMs - slab.anchorAt[at]!);
    slab.anchorAt[at] = anchorAtMs;
    slab.extendedLo[at] = extended >>> 0;
    slab.extendedHi[at] = Math.floor(extended / TWO_32);
    slab.restarts[at]!++;
    this.#arena.free(slab.blob[at]!);
    slab.blob[at] = this.#store(key, kept);
    this.wheel.remove(slot);
    if (this.#late.size > 0) this.#late.delete(slot);
    this.#arm(slot, nowMs, isAhead);
  }

  #arm(slot: number, nowMs: number, isAhead = false): void {
    const dueAtMs = this.dueAtMs(slot);
    if (isAhead && nowMs > dueAtMs) this.#late.set(slot, nowMs);
    this.wheel.add(slot, Math.max(nowMs, dueAtMs));
  }

  /** Closes a window whose timer still stands. */
  cancel(slot: number): void {
    this.wheel.remove(slot);
    this.release(slot);
  }

  /** Closes a window whose timer has been taken. */
  release(slot: number): void {
    const slab = this.#writable(slot);
    const at = slot & SLAB_MASK;
    this.#index.remove(slot, slab.hash[at]!);
    this.#ofGroup[slab.rule[at]! % RULE_GROUPS]!--;
    this.#arena.free(slab.blob[at]!);
    if (this.#late.size > 0) this.#late.delete(slot);
    slab.blob[at] = 0;
    slab.next[at] = this.#freeHead;
    this.#freeHead = slot;
  }

  anchorAtMs(slot: number): number {
    return this.#slabs[slot >>> SLAB_BITS]!.anchorAt[slot & SLAB_MASK]!;
  }

  extendedMs(slot: number): number {
    const slab = this.#slabs[slot >>> SLAB_BITS]!;
    const at = slot & SLAB_MASK;
    return slab.extendedHi[at]! * TWO_32 + slab.extendedLo[at]!;
  }

  dueAtMs(slot: number): number {
    const slab = this.#slabs[slot >>> SLAB_BITS]!;
    const at = slot & SLAB_MASK;
    const { rule, anchorAt } = slab;
    const dueAtMs = this.#deadlines.dueAtMs(rule[at]!, anchorAt[at]!, this.extendedMs(slot));
    if (this.#late.size === 0) return dueAtMs;
    return Math.max(dueAtMs, this.#late.get(slot) ?? dueAtMs);
  }

  ruleOf(slot: number): number {
    return this.#slabs[slot >>> SLAB_BITS]!.rule[slot & SLAB_MASK]!;
  }

  restartsOf(slot: number): number {
    return this.#slabs[slot >>> SLAB_BITS]!.restarts[slot & SLAB_MASK]!;
  }

  /** False when the window was surely opened with another match hash. */
  mayMatch(slot: number, match: number): boolean {
    return this.#slabs[slot >>> SLAB_BITS]!.match[slot & SLAB_MASK] === (match & 0xffff);
  }

  eventIdLoOf(slot: number): number {
    return this.#slabs[slot >>> SLAB_BITS]!.eventIdLo[slot & SLAB_MASK]!;
  }

  eventIdHiOf(slot: number): number {
    return this.#slabs[slot >>> SLAB_BITS]!.eventIdHi[slot & SLAB_MASK]!;
  }

  /** Points `key` at the window's key; returns where what was kept starts in `key.bytes`. */
  keyOf(slot: number, key: Key): number {
    const blob = this.#slabs[slot >>> SLAB_BITS]!.blob[slot & SLAB_MASK]!;
    return readKeyPrefix(this.#arena.chunkOf(blob), this.#arena.startOf(blob), key);
  }

  /** Where what was kept ends, in the bytes that `keyOf()` gives. */
  keptEndOf(slot: number): number {
    const blob = this.#slabs[slot >>> SLAB_BITS]!.blob[slot & SLAB_MASK]!;
    return this.#arena.startOf(blob) + this.#arena.lengthOf(blob);
  }

  linkNext(slot: number): number {
    return this.#slabs[slot >>> SLAB_BITS]!.next[slot & SLAB_MASK]!;
  }

  linkPrevious(slot: number): number {
    return this.#slabs[slot >>> SLAB_BITS]!.previous[slot & SLAB_MASK]!;
  }

  setLinks(slot: number, next: number, previous: number): void {
    // Links are rebuilt at recovery, so a snapshot may hold any: no copy for their sake.
    const slab = this.#slabs[slot >>> SLAB_BITS]!;
    slab.next[slot & SLAB_MASK] = next;
    slab.previous[slot & SLAB_MASK] = previous;
  }

  setNext(slot: number, next: number): void {
    this.#slabs[slot >>> SLAB_BITS]!.next[slot & SLAB_MASK] = next;
  }

  setPrevious(slot: number, previous: number): void {
    this.#slabs[slot >>> SLAB_BITS]!.previous[slot & SLAB_MASK] = previous;
  }

  #takeSlot(): number {
    if (this.#freeHead !== -1) {
      const slot = this.#freeHead;
      this.#freeHead = this.#slabs[slot >>> SLAB_BITS]!.next[slot & SLAB_MASK]!;
      return slot;
    }
    if (this.#slotsUsed === this.#slabs.length * SLAB_SLOTS) this.#slabs.push(new WindowSlab());
    return this.#slotsUsed++;
  }

  #writable(slot: number): WindowSlab {
    const index = slot >>> SLAB_BITS;
    const slab = this.#slabs[index]!;
    if (!slab.isFrozen) return slab;
    const copy = slab.copy();
    this.#slabs[index] = copy;
    this.#replaced.push(slab);
    return copy;
  }

  #store(key: Key, kept: KeptBytes): number {
    const blob = this.#arena.allocate(keyPrefixBytes(key) + kept.end - kept.start);
    const chunk = this.#arena.writable(blob);
    let at = writeKeyPrefix(key, chunk, this.#arena.startOf(blob));
    for (let i = kept.start; i < kept.end; i++) chunk[at++] = kept.bytes[i]!;
    return blob;
  }

  /** What stands now, to be written while the partition goes on; `thaw()` when it is written. */
  freeze(): WindowTableSnapshot {
    for (const slab of this.#slabs) slab.isFrozen = true;
    return {
      slabs: this.#slabs.map((slab) => slab.buffer),
      freeHead: -1,
      slotsUsed: this.#slotsUsed,
      late: [...this.#late],
    };
  }

  thaw(): void {
    for (const slab of this.#slabs) slab.isFrozen = false;
    WindowSlab.recycle(this.#replaced);
    this.#replaced = [];
  }

  /**
   * Takes a snapshot's slabs over and builds index, free list and wheel anew.
   * @param nowMs partition time of the snapshot
   */
  restore(snapshot: WindowTableSnapshot, nowMs: number): void {
    this.#slabs = snapshot.slabs.map((buffer) => new WindowSlab(buffer));
    this.#slotsUsed = snapshot.slotsUsed;
    this.#late = new Map(snapshot.late);
    this.#freeHead = -1;
    this.wheel = new TimingWheel(this, nowMs);
    let live = 0;
    for (let slot = 0; slot < this.#slotsUsed; slot++) {
      const blob = this.#slabs[slot >>> SLAB_BITS]!.blob[slot & SLAB_MASK]!;
      if (blob === 0) continue;
      live++;
      if (this.#arena.isStored(blob)) continue;
      throw new LapseError('ERR_CHECKPOINT_CORRUPT', `Nothing whole lies at ${blob} of the arena.`);
    }
    this.#index.reset(live);
    this.#ofGroup.fill(0);
    for (let slot = this.#slotsUsed - 1; slot >= 0; slot--) {
      const slab = this.#slabs[slot >>> SLAB_BITS]!;
      const at = slot & SLAB_MASK;
      if (slab.blob[at] === 0) {
        slab.next[at] = this.#freeHead;
        this.#freeHead = slot;
        continue;
      }
      this.#index.add(slot, slab.hash[at]!);
      this.#ofGroup[slab.rule[at]! % RULE_GROUPS]!++;
      this.wheel.add(slot, this.dueAtMs(slot));
    }
  }
}

function hashOf(key: Key, rule: number): number {
  const group = rule % RULE_GROUPS;
  return (mix32(key.hashHi ^ Math.imul(group + 1, 0x9e3779b1)) ^ key.hashLo) >>> 0;
}
