/**
 * The order in which a door takes whole requests. Reading and checking them is what a process that
 * is offered too much does all day, in the thread through which ticks pass too; so it is done in
 * turns of a few ms, and other work of the thread has its chance between two.
 *
 * Small requests (an app's single events) and large ones (bulk) each have a queue, and the two get
 * equal time when both wait: a flood of one kind costs the other little. When the first of a queue
 * has waited too long, newcomers are turned away before their body is read. Under load it is the
 * wait that is bounded, whatever the machine can do in that time.
 */
export interface RequestTurnsOptions {
  /** Monotonic ms. @default performance.now */
  readonly monotonicMs?: () => number;
  /** Runs what is given soon, after I/O had its chance. @default setImmediate */
  readonly defer?: (turn: () => void) => void;
  /** @default 500 */
  readonly waitMsMax?: number;
}

export type RequestSize = 'small' | 'large';

interface Waiting {
  readonly sinceMs: number;
  readonly work: () => void;
}

interface Queue {
  readonly waiting: Waiting[];
  head: number;
  /** Time spent on its requests, ms; kept level with the other's when it comes in anew. */
  spentMs: number;
}

const SMALL_BYTES_MAX = 4 * 1024;
const TURN_MS = 4;
const COMPACT_AT = 1_024;

export class RequestTurns {
  readonly #monotonicMs: () => number;
  readonly #defer: (turn: () => void) => void;
  readonly #waitMsMax: number;
  readonly #queues: Readonly<Record<RequestSize, Queue>> = {
    small: { waiting: [], head: 0, spentMs: 0 },
    large: { waiting: [], head: 0, spentMs: 0 },
  };
  #turnMs = 0;
  #isScheduled = false;

  constructor(options: RequestTurnsOptions = {}) {
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#defer = options.defer ?? ((turn) => setImmediate(turn));
    this.#waitMsMax = options.waitMsMax ?? 500;
  }

  static sizeOf(bytes: number): RequestSize {
    return bytes <= SMALL_BYTES_MAX ? 'small' : 'large';
  }

  /** Requests that wait for their turn. */
  get waitingCount(): number {
    return Object.values(this.#queues).reduce((sum, queue) => sum + lengthOf(queue), 0);
  }

  /** How long the first one of that size has waited, ms. */
  waitedMs(size: RequestSize): number {
    const first = this.#queues[size].waiting[this.#queues[size].head];
    return first === undefined ? 0 : this.#monotonicMs() - first.sinceMs;
  }

  /** Whether a request of so many bytes would have its turn in time. */
  hasTimeFor(bytes: number): boolean {
    return this.waitedMs(RequestTurns.sizeOf(bytes)) <= this.#waitMsMax;
  }

  /** Calls `work` when it is its turn, perhaps at once; the result is that of `work`. */
  run<Result>(bytes: number, work: () => Promise<Result>): Promise<Result> {
    const queue = this.#queues[RequestTurns.sizeOf(bytes)];
    return new Promise((resolve, reject) => {
      if (lengthOf(queue) === 0) {
        const other = bytes <= SMALL_BYTES_MAX ? this.#queues.large : this.#queues.small;
        // Time that it did not ask for is not owed to it.
        if (lengthOf(other) > 0) queue.spentMs = Math.max(queue.spentMs, other.spentMs);
      }
      queue.waiting.push({
        sinceMs: this.#monotonicMs(),
        work: () => {
          try {
            work().then(resolve, reject);
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        },
      });
      this.#takeTurn();
    });
  }

  #takeTurn(): void {
    while (this.#turnMs < TURN_MS) {
      const queue = this.#nextQueue();
      if (queue === undefined) break;
      const { work } = queue.waiting[queue.head++]!;
      const startedMs = this.#monotonicMs();
      work();
      const spentMs = this.#monotonicMs() - startedMs;
      queue.spentMs += spentMs;
      this.#turnMs += spentMs;
      compact(queue);
    }
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#defer(() => {
      this.#isScheduled = false;
      this.#turnMs = 0;
      if (this.waitingCount > 0) this.#takeTurn();
    });
  }

  #nextQueue(): Queue | undefined {
    const { small, large } = this.#queues;
    if (lengthOf(small) === 0) return lengthOf(large) === 0 ? undefined : large;
    if (lengthOf(large) === 0) return small;
    return small.spentMs <= large.spentMs ? small : large;
  }
}

function lengthOf({ waiting, head }: Queue): number {
  return waiting.length - head;
}

/** An array's `shift` would move all the others. */
function compact(queue: Queue): void {
  if (queue.head < COMPACT_AT && queue.head < queue.waiting.length) return;
  queue.waiting.splice(0, queue.head);
  queue.head = 0;
}
