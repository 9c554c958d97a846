import { Prng } from '../support/prng.ts';
import { Coverage } from './coverage.ts';

/** What may be called off before it happens. */
interface Happening {
  readonly atMs: number;
  readonly number: number;
  readonly life: Life | undefined;
  readonly run: () => void;
  isCancelled: boolean;
}

const realSetImmediate = globalThis.setImmediate;
/** A wall clock's callbacks come up to this much late, ms; now and then much later. */
const TIMER_LATE_MS = 1;
const STALL_MS_MAX = 40;

/**
 * The one owner of time, order and chance of a run. Everything that product code waits for (a
 * timer, the network, the disk, `setImmediate`) happens here, one after the other, and all
 * microtasks of one happening run out before the next: a run is a function of its seed.
 *
 * Time inside is a fraction of ms, so that what takes a random while comes in a random order;
 * clocks show whole ms.
 */
export class Scheduler {
  readonly prng: Prng;
  /** Told of all that happens to a run and is worth counting. */
  readonly coverage = new Coverage();
  /** Unix ms, with fractions; the world's own time, which no clock jump changes. */
  nowMs: number;
  /** Happenings so far. */
  steps = 0;
  onStep: () => void = () => undefined;
  #heap: Happening[] = [];
  #number = 0;
  #current: Life | undefined;
  #isInside = false;

  constructor(seed: number, startMs: number) {
    this.prng = new Prng(seed);
    this.nowMs = startMs;
  }

  /** What runs now belongs to this life; undefined: to the world. */
  get current(): Life | undefined {
    return this.#current;
  }

  /** @param life it does not happen once this is over */
  at(atMs: number, life: Life | undefined, run: () => void): () => void {
    const happening: Happening = {
      atMs: Math.max(atMs, this.nowMs),
      number: this.#number++,
      life,
      run,
      isCancelled: false,
    };
    this.#push(happening);
    return () => {
      happening.isCancelled = true;
    };
  }

  after(delayMs: number, life: Life | undefined, run: () => void): () => void {
    return this.at(this.nowMs + delayMs, life, run);
  }

  /** Between `lowMs` and `highMs`, short ones more often. */
  delayMs(lowMs: number, highMs: number): number {
    const share = this.prng.next();
    return lowMs + (highMs - lowMs) * share * share;
  }

  timerDelayMs(): number {
    return this.prng.chance(0.02)
      ? this.prng.next() * STALL_MS_MAX
      : this.prng.next() * TIMER_LATE_MS;
  }

  /** Lets things happen until `isDone`, or until nothing is left, or time has come. */
  async run(untilMs: number, isDone: () => boolean = () => false): Promise<void> {
    const patched = globalThis.setImmediate;
    globalThis.setImmediate = this.#immediate as typeof setImmediate;
    try {
      while (!isDone()) {
        const next = this.#pop();
        if (next === undefined || next.atMs > untilMs) {
          if (next !== undefined) this.#push(next);
          this.nowMs = Math.max(this.nowMs, untilMs);
          return;
        }
        if (next.isCancelled || next.life?.isOver === true) continue;
        this.nowMs = next.atMs;
        this.steps++;
        await this.#happen(next);
        this.onStep();
      }
    } finally {
      globalThis.setImmediate = patched;
    }
  }

  /** Both callbacks run in one phase of the event loop: only microtasks come between them. */
  #happen(next: Happening): Promise<void> {
    return new Promise((resolve, reject) => {
      realSetImmediate(() => {
        this.#current = next.life;
        this.#isInside = true;
        try {
          next.run();
        } catch (error) {
          reject(error);
        }
      });
      realSetImmediate(() => {
        this.#isInside = false;
        this.#current = undefined;
        resolve();
      });
    });
  }

  readonly #immediate = (callback: (...args: unknown[]) => void, ...args: unknown[]): unknown => {
    // Somebody else's, such as the test runner's.
    if (!this.#isInside) return realSetImmediate(callback, ...args);
    this.at(this.nowMs, this.#current, () => callback(...args));
    return undefined;
  };

  #push(happening: Happening): void {
    const heap = this.#heap;
    heap.push(happening);
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(heap[at]!, heap[parent]!)) return;
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
  }

  #pop(): Happening | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    heap[0] = last;
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child;
      }
      if (least === at) return top;
      [heap[at], heap[least]] = [heap[least]!, heap[at]!];
      at = least;
    }
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number);
}

/** One run of a process, or of a part of it that can die alone. After its end nothing of it happens. */
export class Life {
  readonly name: string;
  isOver = false;
  /** Told once, when it ends without having been asked to. */
  readonly onEnd: (() => void)[] = [];

  constructor(name: string) {
    this.name = name;
  }

  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    for (const tell of this.onEnd.splice(0)) tell();
  }
}
