/** A definition that uses everything that is built; tests take copies of it and break them. */
export function validDefinitions() {
  return {
    settings: { timezone: 'Asia/Kolkata' },
    webhooks: [
      {
        id: 'crm',
        url: 'https://crm.example.com/hooks/lapse?source=1',
        method: 'PUT',
        headers: { 'X-Team': 'growth' },
        auth: { basic: { username: 'lapse', password: 'secret' } },
        rate: { limit: 300, per: '1m', burst: 10 },
        maxInFlight: 8,
        batch: { max: 50, linger: '20ms' },
        timeout: '2s',
        retry: ['1s', '1m'],
        secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
        success: 200,
      },
    ],
    campaigns: [
      {
        id: 'cart-abandoned',
        name: 'Cart abandoned',
        targetId: 1472124953,
        webhook: 'crm',
        state: 'draft',
        qualify: {
          live: {
            inaction: {
              did: { event: 'Added To Cart', where: { price: { gte: 20 } } },
              without: [{ event: 'Charged' }, { event: 'Cart Emptied', where: { by: 'user' } }],
              within: '10m',
              match: { did: 'cart_id', without: 'order_cart_id' },
              onRepeat: 'keepFirst',
              grace: '2m',
              maxExtend: '30m',
            },
          },
        },
        repeat: 'each',
        globalLimits: false,
        schedule: { start: 'now' },
        ttl: '30m',
        content: {
          mode: 'variables',
          type: 'json',
          fields: ['profileData', 'email'],
          keyValues: { PromoCode: 'MT50', PowerUser: true, Level: 3 },
          query: { source: 'lapse' },
        },
      },
      { id: 'login', webhook: 'crm', qualify: { live: { action: { event: 'Login' } } } },
    ],
    engine: { workers: 2, reorderWindow: '3s' },
    limits: { eventBytesMax: '16 KB' },
  };
}

/** Any key may be changed in a copy. */
// biome-ignore lint/suspicious/noExplicitAny: the point of a broken definition is its broken types.
export type Loose = any;

export function changed(change: (definitions: Loose) => void): unknown {
  const copy: Loose = validDefinitions();
  change(copy);
  return copy;
}
