/** What the overload is made of: webhooks, campaigns, and every event by its number. */

/** Webhooks beside the healthy one, each with users of its own: `<prefix><number>`. */
export const HOOKS = ['slow', 'sample', 'burst', 'joined'] as const;
export type Hook = (typeof HOOKS)[number];

/** First of a user id; the rest is the number of the user. */
export const PREFIX: Readonly<Record<Hook, string>> = {
  slow: 's-',
  sample: 'x-',
  burst: 'b-',
  joined: 'j-',
};

/** Of the flood's events: one in so many is owed a message by the webhook. */
export const EVERY = { slow: 20, sample: 100, joined: 100 } as const;

/**
 * Two neighbours of a hundred: an anonymous id opens a window, then it joins a known user, to whom
 * the window must go, as the deadline is later. They stand in one request, or both are in none.
 */
const JOINED = { opens: 11, joins: 12, withinSeconds: 2 } as const;

export const EVENT = {
  slow: 'Signed Up',
  sample: 'Order Completed',
  burst: 'Added To Cart',
  burstWithout: 'Cart Emptied',
  did: 'Checkout Started',
  without: 'Checkout Ended',
  act: 'Subscription Cancelled',
  trial: 'Trial Started',
  trialWithout: 'Trial Ended',
  other: 'Product Viewed',
} as const;

/** The slow webhook: so many requests at a time, each answered after so long. */
export const SLOW_IN_FLIGHT = 2;
export const SLOW_ANSWER_MS = 2_000;

/** The window of the healthy webhook's campaign. */
export const HEALTHY_WITHIN_S = 5;

export interface SceneOptions {
  /** Of the healthy webhook's receiver. */
  readonly healthyUrl: string;
  /** Of the other receivers; the name of the webhook is added. */
  readonly othersUrl: string;
  readonly burstWithinSeconds: number;
}

/** The value of a definitions file. */
export function definitionsFile(options: SceneOptions): Record<string, unknown> {
  const { healthyUrl, othersUrl, burstWithinSeconds } = options;
  const content = { fields: ['identity', 'eventProperties'] };
  const campaign = (id: string, webhook: string, live: unknown) => ({
    id,
    name: id,
    webhook,
    qualify: { live },
    content,
  });
  const inaction = (did: string, without: string, seconds: number) => ({
    inaction: { did: { event: did }, without: { event: without }, within: `${seconds}s` },
  });
  return {
    webhooks: [
      { id: 'healthy', url: healthyUrl, maxInFlight: 64, batch: { max: 1, linger: '0ms' } },
      { id: 'slow', url: `${othersUrl}/slow`, maxInFlight: SLOW_IN_FLIGHT },
      { id: 'sample', url: `${othersUrl}/sample` },
      { id: 'burst', url: `${othersUrl}/burst` },
      { id: 'joined', url: `${othersUrl}/joined` },
    ],
    campaigns: [
      campaign('inaction', 'healthy', inaction(EVENT.did, EVENT.without, HEALTHY_WITHIN_S)),
      campaign('action', 'healthy', { action: { event: EVENT.act } }),
      campaign('slow', 'slow', { action: { event: EVENT.slow } }),
      campaign('sample', 'sample', { action: { event: EVENT.sample } }),
      campaign('burst', 'burst', inaction(EVENT.burst, EVENT.burstWithout, burstWithinSeconds)),
      campaign('joined', 'joined', inaction(EVENT.trial, EVENT.trialWithout, JOINED.withinSeconds)),
    ],
  };
}

/** Event `number` of the flood as JSON: its id is the number, so a repetition is the same event. */
export function floodEventJson(number: number): string {
  if (number % EVERY.slow === 7) {
    return eventJson('f', number, EVENT.slow, PREFIX.slow, Math.floor(number / EVERY.slow));
  }
  if (number % EVERY.sample === 3) {
    return eventJson('f', number, EVENT.sample, PREFIX.sample, Math.floor(number / EVERY.sample));
  }
  if (isOpening(number)) {
    return (
      `{"type":"track","event":"${EVENT.trial}","anonymousId":"${anonymousOf(number)}",` +
      `"messageId":"f-${number}","properties":{"cart_id":"cart-${number}"}}`
    );
  }
  if (number % EVERY.joined === JOINED.joins) {
    const user = `${PREFIX.joined}${Math.floor(number / EVERY.joined)}`;
    return (
      `{"type":"identify","userId":"${user}","anonymousId":"${anonymousOf(number)}",` +
      `"messageId":"f-${number}","traits":{"plan":"trial"}}`
    );
  }
  return eventJson('f', number, EVENT.other, 'u-', number % 1_000_000);
}

/** The event opens a window that a join takes to a known user. */
export function isOpening(number: number): boolean {
  return number % EVERY.joined === JOINED.opens;
}

function anonymousOf(number: number): string {
  return `a-${Math.floor(number / EVERY.joined)}`;
}

/** Opens a window of the burst: all have one time, so all come due at one instant. */
export function burstEventJson(number: number, timestamp: string): string {
  return (
    `{"type":"track","event":"${EVENT.burst}","userId":"${PREFIX.burst}${number}",` +
    `"messageId":"b-${number}","timestamp":"${timestamp}",` +
    `"properties":{"cart_id":"cart-${number}","price":49.9,"quantity":2}}`
  );
}

function eventJson(
  id: string,
  number: number,
  event: string,
  prefix: string,
  user: number,
): string {
  return (
    `{"type":"track","event":"${event}","userId":"${prefix}${user}","messageId":"${id}-${number}",` +
    `"properties":{"cart_id":"cart-${number}","value":120.5,"items":3}}`
  );
}

/** The number of the user that a message is for, and its webhook; undefined for other users. */
export function userOf(identity: string): { hook: Hook; number: number } | undefined {
  for (const hook of HOOKS) {
    if (identity.startsWith(PREFIX[hook])) return { hook, number: Number(identity.slice(2)) };
  }
  return undefined;
}
