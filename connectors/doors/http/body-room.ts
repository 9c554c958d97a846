/**
 * Room for the bodies of requests. What counts are bytes that have come, never those that a head
 * announces: a client that announces and does not send holds nothing.
 *
 * Three things keep slow clients from shutting the door. A body must come at a minimum pace. One
 * client address may hold a share, half of the room. And when the room is full, a newcomer is not
 * turned away but the oldest unfinished body of the address that holds the most is cut off.
 */
import type { Clock } from '../../../engine/time/clock.ts';

export interface BodyRoomOptions {
  readonly clock: Clock;
  /** @default 64 MiB */
  readonly bytesMax?: number;
  /** Bytes that one client address may hold. @default half of `bytesMax` */
  readonly shareBytesMax?: number;
}

/** Why a body is cut off while it comes. */
export type CutReason = 'slow' | 'crowded';

const SWEEP_MS = 1_000;
/** In so long a body brings at least so many bytes, or ends: about 400 bytes a second. */
export const PACE_SECONDS = 10;
export const PACE_BYTES = 4 * 1024;
const PACE_SWEEPS = (PACE_SECONDS * 1_000) / SWEEP_MS;

/** What one client address holds. */
class Holder {
  readonly address: string;
  bytes = 0;
  bodies = 0;
  /** Bodies that are still coming, oldest first. */
  readonly unfinished = new Set<HeldBody>();

  constructor(address: string) {
    this.address = address;
  }
}

export class BodyRoom {
  readonly bytesMax: number;
  readonly shareBytesMax: number;
  readonly #clock: Clock;
  readonly #holders = new Map<string, Holder>();
  #isSweeping = false;
  heldBytes = 0;

  constructor(options: BodyRoomOptions) {
    this.#clock = options.clock;
    this.bytesMax = options.bytesMax ?? 64 * 2 ** 20;
    this.shareBytesMax = options.shareBytesMax ?? this.bytesMax / 2;
  }

  /** @returns what a body is counted with; to be released once it is answered or its client gone */
  open(address: string): HeldBody {
    let holder = this.#holders.get(address);
    if (holder === undefined) {
      holder = new Holder(address);
      this.#holders.set(address, holder);
    }
    const body = new HeldBody(this, holder);
    holder.bodies++;
    holder.unfinished.add(body);
    if (!this.#isSweeping) this.#sweepLater();
    return body;
  }

  /** Makes room for `bytes` more of a body. @returns false when there is none for its address */
  make(bytes: number, holder: Holder, except: HeldBody): boolean {
    while (holder.bytes + bytes > this.shareBytesMax) {
      if (!cutOldest(holder, except)) return false;
    }
    while (this.heldBytes + bytes > this.bytesMax) {
      const heaviest = this.#heaviest(except);
      // Nobody is cut off for the sake of one that holds more.
      if (heaviest === undefined || heaviest.bytes < holder.bytes) return false;
      cutOldest(heaviest, except);
    }
    return true;
  }

  forget(holder: Holder): void {
    if (holder.bodies === 0) this.#holders.delete(holder.address);
  }

  #heaviest(except: HeldBody): Holder | undefined {
    let heaviest: Holder | undefined;
    for (const holder of this.#holders.values()) {
      if (holder.bytes <= (heaviest?.bytes ?? 0)) continue;
      if (oldestBesides(holder, except) !== undefined) heaviest = holder;
    }
    return heaviest;
  }

  /** Sweeps are counted and not times compared, so that a clock that steps cuts nobody off. */
  #sweepLater(): void {
    this.#isSweeping = true;
    this.#clock.at(this.#clock.now() + SWEEP_MS, () => {
      this.#isSweeping = false;
      let isAnyUnfinished = false;
      for (const holder of this.#holders.values()) {
        for (const body of holder.unfinished) body.swept();
        isAnyUnfinished ||= holder.unfinished.size > 0;
      }
      if (isAnyUnfinished) this.#sweepLater();
    });
  }
}

/** The bytes of one body, from its head to the answer. */
export class HeldBody {
  readonly #room: BodyRoom;
  readonly #holder: Holder;
  /** Told at most once, and only before `finished`: the body must end. */
  onCut: (reason: CutReason) => void = () => undefined;
  #bytes = 0;
  #sweeps = 0;
  #bytesAtMark = 0;
  #cameBytes = 0;
  #isReleased = false;

  constructor(room: BodyRoom, holder: Holder) {
    this.#room = room;
    this.#holder = holder;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Counts what came over the wire, for the pace. */
  came(bytes: number): void {
    this.#cameBytes += bytes;
  }

  /** Holds `bytes` in all from now on. @returns false when there is no room; nothing changes then */
  resize(bytes: number): boolean {
    if (this.#isReleased) return false;
    const more = bytes - this.#bytes;
    if (more > 0 && !this.#room.make(more, this.#holder, this)) return false;
    this.#bytes = bytes;
    this.#holder.bytes += more;
    this.#room.heldBytes += more;
    return true;
  }

  /** All of it is there: it is not cut off any more. */
  finished(): void {
    this.#holder.unfinished.delete(this);
  }

  /** May be called more than once. */
  release(): void {
    if (this.#isReleased) return;
    this.resize(0);
    this.#isReleased = true;
    this.#holder.unfinished.delete(this);
    this.#holder.bodies--;
    this.#room.forget(this.#holder);
  }

  swept(): void {
    if (++this.#sweeps < PACE_SWEEPS) return;
    if (this.#cameBytes - this.#bytesAtMark < PACE_BYTES) this.cut('slow');
    this.#bytesAtMark = this.#cameBytes;
    this.#sweeps = 0;
  }

  /** Gives its room back at once: whoever reads it ends on its own. */
  cut(reason: CutReason): void {
    this.#holder.unfinished.delete(this);
    this.resize(0);
    this.onCut(reason);
  }
}

function oldestBesides({ unfinished }: Holder, except: HeldBody): HeldBody | undefined {
  for (const body of unfinished) if (body !== except && body.bytes > 0) return body;
  return undefined;
}

function cutOldest(holder: Holder, except: HeldBody): boolean {
  const oldest = oldestBesides(holder, except);
  oldest?.cut('crowded');
  return oldest !== undefined;
}
