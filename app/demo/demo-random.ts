import { mix32 } from '../../engine/state/hash.ts';

const GOLDEN = 0x9e3779b1;

/** Seeded chance: the n-th draw is a hash of the seed and n, so a shop's day can be repeated. */
export class DemoRandom {
  readonly #seed: number;
  #drawn = 0;

  constructor(seed: number) {
    this.#seed = Math.imul(seed, GOLDEN);
  }

  /** 0 ≤ x < 1. */
  next(): number {
    return (mix32((this.#seed + Math.imul(++this.#drawn, GOLDEN)) | 0) >>> 0) / 2 ** 32;
  }

  /** A whole number, both ends included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.next() * from.length)]!;
  }

  isWithin(share: number): boolean {
    return this.next() < share;
  }

  /** The wait until the next of things that come `perSecond` on average, ms. */
  waitMs(perSecond: number): number {
    return (-Math.log(1 - this.next()) / perSecond) * 1_000;
  }
}
