/** Waits for conditions of other processes, which cannot be awaited: asked again until they hold. */
const POLL_MS = 20;

/**
 * Resolves with the first answer that is neither undefined nor false.
 * @throws Error naming `what` when there was none in time, with what `describe` says of the state
 */
export async function until<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  options: {
    /** @default 30_000 */
    readonly timeoutMs?: number;
    /** @default 20 */
    readonly pollMs?: number;
    readonly describe?: () => string;
  } = {},
): Promise<T> {
  const { timeoutMs = 30_000, pollMs = POLL_MS, describe } = options;
  const endsAtMs = performance.now() + timeoutMs;
  for (;;) {
    const askedAtMs = performance.now();
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > endsAtMs) {
      throw new Error(`${what}: not within ${timeoutMs} ms. ${describe?.() ?? ''}`);
    }
    // Who is asked long is asked less often: receivers in this thread have their turn between.
    const waitMs = Math.max(pollMs, 2 * (performance.now() - askedAtMs));
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}
