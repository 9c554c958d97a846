/** A definition that uses everything that is built; tests take copies of it and break them. */
export function validDefinitions() {
  return {
    settings: {
      timezone: 'Asia/Kolkata',
      globalLimits: [{ atMost: 3, per: '1d' }, { gap: '15m' }],
      controlGroups: { system: 3, custom: { 'holdout-2026': 5 } },
      history: { retention: '30d' },
    },
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
    segments: [
      { id: 'us', name: 'In the US', audience: { where: { country: 'US' } } },
      { id: 'us-staff', audience: { include: ['us'], exclude: ['guests'] } },
      { id: 'guests', audience: {} },
    ],
    campaigns: [
      {
        id: 'cart-abandoned',
        name: 'Cart abandoned',
        targetId: 1472124953,
        webhook: 'crm',
        state: 'draft',
        labels: ['cart', 'autumn'],
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
        who: {
          where: { email: { exists: true } },
          include: ['us'],
          exclude: ['us-staff'],
          recheck: true,
        },
        control: { percent: 10, custom: ['holdout-2026'] },
        repeat: { every: '1d' },
        delay: '5m',
        quietHours: {
          windows: [
            { days: ['fri', 'mon'], from: '22:00', to: '08:00' },
            { from: '12:30', to: '13:00' },
          ],
          timezone: 'account',
          // biome-ignore lint/suspicious/noThenProperty: the word of the language; its value is a text.
          then: 'discard',
        },
        globalLimits: false,
        cap: { total: 500, perDay: 100 },
        schedule: { start: '2026-01-05T09:00:00Z', end: '2026-12-31T23:59:59Z' },
        suppressIfDoneBeforeSend: false,
        goal: {
          event: 'Charged',
          where: { amount: { gt: 0 } },
          within: '3d',
          revenue: 'order.amount',
        },
        onOpenWindows: 'drop',
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
      {
        id: 'signed-up',
        webhook: 'crm',
        repeat: 'once',
        control: 5,
        qualify: {
          live: {
            sequence: {
              steps: [{ event: 'Signed Up', where: { plan: 'pro' } }, { event: 'Login' }],
              within: '1d',
              match: 'device.id',
            },
          },
        },
      },
      {
        id: 'viewed-often',
        webhook: 'crm',
        repeat: { atMost: 3 },
        qualify: {
          live: {
            count: { event: 'Viewed', where: { n: 1 }, atLeast: 3, within: '10m', match: 'sku' },
          },
        },
      },
      {
        id: 'spent',
        webhook: 'crm',
        qualify: {
          live: {
            count: { event: 'Charged', sum: { property: 'amount', gte: 99.5 }, within: '7d' },
          },
        },
      },
      {
        id: 'asleep',
        webhook: 'crm',
        qualify: { live: { quiet: { event: 'Opened', where: { app: 'main' }, for: '3d' } } },
      },
      {
        id: 'birthday',
        webhook: 'crm',
        qualify: {
          live: { date: { property: 'birthday', offset: '-1d12h', at: '09:30', yearly: true } },
        },
      },
      {
        id: 'appointment',
        webhook: 'crm',
        qualify: {
          live: {
            date: { event: 'Booked', where: { kind: 'visit' }, property: 'at', offset: '2h' },
          },
        },
      },
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
