import { Ring } from './ring.ts';

/**
 * Work on users that has to be done in the order in which it came, and some of which takes time:
 * while two ids become one user, what comes for either waits, and nobody else does.
 */
export class UserQueues {
  /** By user; the first of a queue is under way or about to be. A user with none is free. */
  readonly #queues = new Map<string, Ring<Turn>>();
  /** At the head of all their queues, not started yet. */
  #ready = new Ring<Turn>();
  #isStarting = false;

  get isIdle(): boolean {
    return this.#queues.size === 0;
  }

  /** Whether work for the user has to wait. */
  isBusy(user: string): boolean {
    return this.#queues.has(user);
  }

  /**
   * Starts the work when all that came before for the same users is done, perhaps at once.
   * @param start calls `done` when what comes next for the users may start; may do so later
   */
  run(users: readonly string[], start: (done: () => void) => void): void {
    const turn: Turn = { users: [...new Set(users)], start, ahead: 0 };
    for (const user of turn.users) {
      const queue = this.#queues.get(user);
      if (queue !== undefined) {
        queue.push(turn);
        turn.ahead++;
        continue;
      }
      const own = new Ring<Turn>();
      own.push(turn);
      this.#queues.set(user, own);
    }
    if (turn.ahead > 0) return;
    this.#ready.push(turn);
    this.#startReady();
  }

  /** Forgets everything. */
  clear(): void {
    this.#queues.clear();
    this.#ready = new Ring<Turn>();
  }

  /** One after the other: a user with thousands waiting must not use up the stack. */
  #startReady(): void {
    if (this.#isStarting) return;
    this.#isStarting = true;
    try {
      for (let turn = this.#ready.shift(); turn !== undefined; turn = this.#ready.shift()) {
        const started = turn;
        started.start(() => this.#end(started));
      }
    } finally {
      this.#isStarting = false;
    }
  }

  #end(turn: Turn): void {
    for (const user of turn.users) {
      const queue = this.#queues.get(user);
      // Forgotten meanwhile.
      if (queue?.first !== turn) continue;
      queue.shift();
      const next = queue.first;
      if (next === undefined) this.#queues.delete(user);
      else if (--next.ahead === 0) this.#ready.push(next);
    }
    this.#startReady();
  }
}

interface Turn {
  readonly users: readonly string[];
  readonly start: (done: () => void) => void;
  /** In how many queues somebody stands before it. */
  ahead: number;
}
