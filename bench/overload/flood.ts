/**
 * A process of producers that post batches over HTTP. Three ways: to stage windows and to find the
 * capacity each producer sends as soon as it is answered; in the overload batches fall due at
 * instants fixed beforehand, whatever comes back, and each producer sends its own in order: one it
 * could not deliver (429, 503, a broken connection) goes again, the same bytes with the same ids,
 * after the time that it was told to wait.
 */
import { Pool } from 'undici';
import { Prng } from '../../tests/support/prng.ts';
import { burstEventJson, floodEventJson } from './scene.ts';

export interface FloodOptions {
  readonly url: string;
  readonly batch: number;
  readonly seed: number;
}

export type ToFlood =
  | { readonly kind: 'stage'; readonly windows: number; readonly timestamp: string }
  | { readonly kind: 'closed'; readonly producers: number; readonly seconds: number }
  | {
      readonly kind: 'open';
      readonly producers: number;
      readonly seconds: number;
      /** Events a second. */
      readonly rate: number;
    };

export type FromFlood =
  | { readonly kind: 'listening' }
  | {
      readonly kind: 'done';
      readonly elapsedMs: number;
      /** Batches that fell due. */
      readonly offered: number;
      /** By answer: a status, or 'error'. */
      readonly answers: readonly (readonly [string, number])[];
      /** Of batches that were taken: from the request's start to its answer. */
      readonly latenciesMs: readonly number[];
      /** By number of the batch since the process started, 1 where it was acknowledged. */
      readonly acknowledged: Uint8Array;
    };

const CLOSED_PRODUCERS = 16;
const HEADERS = { 'content-type': 'application/json' };
const BROKEN_WAIT_MS = 500;
const LATENCIES_EVERY = 16;

const options = JSON.parse(process.argv[2]!) as FloodOptions;
const { url, batch, seed } = options;
const prng = new Prng(seed);
/** Batches of the flood so far, over all calls: none is ever made twice. */
let batches = 0;
let acknowledged = new Uint8Array(1 << 16);

class Run {
  readonly #pool: Pool;
  readonly #answers = new Map<string, number>();
  readonly #latenciesMs: number[] = [];
  #sent = 0;
  isOver = false;

  constructor(producers: number) {
    this.#pool = new Pool(url, { connections: producers, pipelining: 1, headersTimeout: 0 });
  }

  /** @returns true when taken, else how long to wait, ms */
  async post(body: string): Promise<true | number> {
    const startedMs = performance.now();
    try {
      const request = { path: '/v1/batch', method: 'POST' as const, headers: HEADERS, body };
      const answer = await this.#pool.request(request);
      await answer.body.dump();
      this.#count(String(answer.statusCode));
      if (answer.statusCode === 200) {
        if (++this.#sent % LATENCIES_EVERY === 0) {
          this.#latenciesMs.push(performance.now() - startedMs);
        }
        return true;
      }
      return 1000 * Number(answer.headers['retry-after'] ?? 1);
    } catch {
      this.#count('error');
      return BROKEN_WAIT_MS;
    }
  }

  #count(answer: string): void {
    this.#answers.set(answer, (this.#answers.get(answer) ?? 0) + 1);
  }

  /** Sends until it is taken, or the run is over: then the producer gives up. */
  async deliver(body: string): Promise<boolean> {
    for (;;) {
      const waitMs = await this.post(body);
      if (waitMs === true) return true;
      if (this.isOver) return false;
      // Never earlier than asked, and not all at once.
      await sleep(waitMs * (1 + prng.next() / 2));
      if (this.isOver) return false;
    }
  }

  async end(elapsedMs: number, offered: number): Promise<FromFlood> {
    await this.#pool.close();
    return {
      kind: 'done',
      elapsedMs,
      offered,
      answers: [...this.#answers],
      latenciesMs: this.#latenciesMs,
      acknowledged,
    };
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function bodyOf(of: (number: number) => string, first: number, count: number): string {
  const events: string[] = [];
  for (let number = first; number < first + count; number++) events.push(of(number));
  return `{"batch":[${events.join(',')}]}`;
}

function acknowledge(number: number): void {
  if (number >= acknowledged.length) {
    const larger = new Uint8Array(2 * acknowledged.length);
    larger.set(acknowledged);
    acknowledged = larger;
  }
  acknowledged[number] = 1;
}

async function stage(windows: number, timestamp: string): Promise<FromFlood> {
  const run = new Run(CLOSED_PRODUCERS);
  const startedMs = performance.now();
  let next = 0;
  const postInTurn = async () => {
    while (next < windows) {
      const first = next;
      const count = Math.min(batch, windows - first);
      next += count;
      await run.deliver(bodyOf((number) => burstEventJson(number, timestamp), first, count));
    }
  };
  await Promise.all(Array.from({ length: CLOSED_PRODUCERS }, postInTurn));
  return run.end(performance.now() - startedMs, Math.ceil(windows / batch));
}

async function closed(producers: number, seconds: number): Promise<FromFlood> {
  const run = new Run(producers);
  const startedMs = performance.now();
  const before = batches;
  setTimeout(() => {
    run.isOver = true;
  }, seconds * 1000);
  const postInTurn = async () => {
    while (!run.isOver) {
      const number = batches++;
      const isTaken = await run.deliver(bodyOf(floodEventJson, number * batch, batch));
      if (isTaken) acknowledge(number);
    }
  };
  await Promise.all(Array.from({ length: producers }, postInTurn));
  return run.end(performance.now() - startedMs, batches - before);
}

/** Numbers of batches that are due, of one producer. */
interface Due {
  readonly numbers: number[];
  head: number;
  isSending: boolean;
}

async function open(producers: number, seconds: number, rate: number): Promise<FromFlood> {
  const run = new Run(producers);
  const dues = Array.from(
    { length: producers },
    (): Due => ({ numbers: [], head: 0, isSending: false }),
  );
  const senders = new Set<Promise<void>>();
  const sendDue = async (due: Due) => {
    due.isSending = true;
    while (!run.isOver && due.head < due.numbers.length) {
      const number = due.numbers[due.head]!;
      if (!(await run.deliver(bodyOf(floodEventJson, number * batch, batch)))) break;
      acknowledge(number);
      due.head++;
    }
    due.isSending = false;
  };
  const startedMs = performance.now();
  const before = batches;
  const total = Math.floor((rate * seconds) / batch);
  while (performance.now() - startedMs < seconds * 1000) {
    const fallen = Math.min(total, ((performance.now() - startedMs) / 1000) * (rate / batch));
    while (batches - before < fallen) {
      const due = dues[prng.below(producers)]!;
      due.numbers.push(batches++);
      if (due.isSending) continue;
      const sender = sendDue(due).finally(() => senders.delete(sender));
      senders.add(sender);
    }
    await sleep(1);
  }
  run.isOver = true;
  await Promise.all(senders);
  return run.end(performance.now() - startedMs, batches - before);
}

process.on('message', (message: ToFlood) => {
  const running =
    message.kind === 'stage'
      ? stage(message.windows, message.timestamp)
      : message.kind === 'closed'
        ? closed(message.producers, message.seconds)
        : open(message.producers, message.seconds, message.rate);
  running.then(
    (done) => process.send!(done),
    (error: unknown) => {
      throw error;
    },
  );
});
process.send!({ kind: 'listening' } satisfies FromFlood);
