/** The clock and the timers that edges are given; the simulated one lives with the tests and `simulate`. */
export interface Clock {
  /** Unix ms. */
  now(): number;
  /** Calls back once, not before `atMs`. Returns what cancels it. */
  at(atMs: number, callback: () => void): () => void;
}

/** Longest wait that `setTimeout` keeps; above 2³¹ − 1 ms it would fire at once. */
const TIMEOUT_MS_MAX = 2 ** 30;

export const systemClock: Clock = {
  now: () => Date.now(),
  at(atMs, callback) {
    let timer: NodeJS.Timeout;
    const arm = () => {
      const waitMs = atMs - Date.now();
      if (waitMs > TIMEOUT_MS_MAX) timer = setTimeout(arm, TIMEOUT_MS_MAX);
      else timer = setTimeout(fire, Math.max(0, waitMs));
    };
    // A timer may fire a fraction of a millisecond early by the wall clock.
    const fire = () => (Date.now() < atMs ? arm() : callback());
    arm();
    return () => clearTimeout(timer);
  },
};
