import type { TransportResult } from '../../engine/sender/transport.ts';

/** What the answer to an attempt means for its batch. */
export type Verdict =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'retry' }
  | { readonly kind: 'failed'; readonly reason: string };

const DELIVERED: Verdict = { kind: 'delivered' };
const RETRY: Verdict = { kind: 'retry' };
/** Statuses below 500 that say "later": time-out, too early, too many. */
const RETRYABLE = new Set([408, 425, 429]);

/**
 * Judges an answer. Whatever may pass by itself is tried again, the rest is final: a redirect is
 * not followed, and with `success: '200'` any other 2xx is a failure.
 */
export function judge(result: TransportResult, success: '2xx' | '200'): Verdict {
  if ('error' in result) {
    // The request could not even be formed: it will not be better next time.
    return result.error === 'invalid-request' ? { kind: 'failed', reason: result.error } : RETRY;
  }
  const { status } = result;
  if (status === 200 || (success === '2xx' && status > 200 && status < 300)) return DELIVERED;
  if (status >= 500 || RETRYABLE.has(status)) return RETRY;
  return { kind: 'failed', reason: `http-${status}` };
}
