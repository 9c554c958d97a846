/**
 * The small steady stream beside the flood: events at instants fixed beforehand, in requests of
 * their own. One that is turned away goes again after the time that it was told to wait, with the
 * same id, so a full door shows in the time from the event, and not in the time from its taking.
 */
import { Pool } from 'undici';
import { Prng } from '../../tests/support/prng.ts';
import { EVENT } from './scene.ts';

export interface HealthyEvent {
  readonly user: string;
  readonly isDeadline: boolean;
  /** When it happened, Unix ms. */
  readonly atMs: number;
  /** When the request that was taken was sent; undefined until it was. */
  takenAtMs: number | undefined;
  turnedAway: number;
}

export interface HealthyStreamOptions {
  readonly url: string;
  readonly seed: number;
  /** Events a second of each kind. */
  readonly rate: number;
}

const CONNECTIONS = 64;
const HEADERS = { 'content-type': 'application/json' };
const BROKEN_WAIT_MS = 500;

export class HealthyStream {
  readonly events = new Map<string, HealthyEvent>();
  readonly #options: HealthyStreamOptions;
  readonly #pool: Pool;
  readonly #sending = new Set<Promise<void>>();
  readonly #prng: Prng;
  #running: Promise<void> | undefined;
  #isStopping = false;
  /** Worst lateness of this process itself, ms. */
  lateMsMax = 0;

  constructor(options: HealthyStreamOptions) {
    this.#options = options;
    this.#prng = new Prng(options.seed);
    this.#pool = new Pool(options.url, { connections: CONNECTIONS, headersTimeout: 0 });
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when every event is taken. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
    await Promise.all(this.#sending);
    await this.#pool.close();
  }

  async #run(): Promise<void> {
    const perMs = (2 * this.#options.rate) / 1000;
    let dueMs = Date.now();
    for (let number = 0; !this.#isStopping; ) {
      for (; dueMs <= Date.now(); number++) {
        this.lateMsMax = Math.max(this.lateMsMax, Date.now() - dueMs);
        const isDeadline = this.#prng.chance(0.5);
        const user = `h-${number}`;
        const event: HealthyEvent = {
          user,
          isDeadline,
          atMs: dueMs,
          takenAtMs: undefined,
          turnedAway: 0,
        };
        this.events.set(user, event);
        const sending = this.#deliver(event).finally(() => this.#sending.delete(sending));
        this.#sending.add(sending);
        dueMs += Math.round(-Math.log(1 - this.#prng.next()) / perMs);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  async #deliver(event: HealthyEvent): Promise<void> {
    const { user, isDeadline, atMs } = event;
    const body =
      `{"type":"track","event":"${isDeadline ? EVENT.did : EVENT.act}","userId":"${user}",` +
      `"messageId":"${user}","timestamp":"${new Date(atMs).toISOString()}",` +
      '"properties":{"cart_id":"c","value":120.5}}';
    for (;;) {
      const sentAtMs = Date.now();
      const waitMs = await this.#post(body);
      if (waitMs === true) {
        event.takenAtMs = sentAtMs;
        return;
      }
      event.turnedAway++;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  async #post(body: string): Promise<true | number> {
    try {
      const request = { path: '/v1/track', method: 'POST' as const, headers: HEADERS, body };
      const answer = await this.#pool.request(request);
      await answer.body.dump();
      if (answer.statusCode === 200) return true;
      return 1000 * Number(answer.headers['retry-after'] ?? 1);
    } catch {
      return BROKEN_WAIT_MS;
    }
  }
}
