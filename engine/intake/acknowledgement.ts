/** Fulfilled once everything that was added under it is durable. One a request, not one an event. */
export class Acknowledgement {
  #pending = 1;
  #failure: unknown;
  readonly durable: Promise<void>;
  #resolve!: () => void;
  #reject!: (reason: unknown) => void;
  /** Called as soon as a part has failed. With it, all of it is brought again, in its order. */
  readonly onFailure: (() => void) | undefined;

  constructor(options: { readonly onFailure?: () => void } = {}) {
    this.onFailure = options.onFailure;
    this.durable = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever awaits still sees the failure; a door that has gone away must not crash us.
    this.durable.catch(() => undefined);
  }

  hold(): void {
    this.#pending++;
  }

  settle(failure?: unknown): void {
    if (failure !== undefined) {
      this.#failure ??= failure;
      this.onFailure?.();
    }
    if (--this.#pending > 0) return;
    if (this.#failure === undefined) this.#resolve();
    else this.#reject(this.#failure);
  }

  /** To be called once, after the last `add`. */
  close(): Promise<void> {
    this.settle();
    return this.durable;
  }
}
