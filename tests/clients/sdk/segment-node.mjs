// An app that uses Segment's Node SDK with its defaults. Arguments: host, count of users.
import { Analytics } from '@segment/analytics-node';

const [host, count] = process.argv.slice(2);
const analytics = new Analytics({ writeKey: 'any-write-key', host });
analytics.on('error', (error) => console.error(JSON.stringify(error)));
for (let i = 0; i < Number(count); i++) {
  const userId = `u${i}`;
  const anonymousId = `a${i}`;
  analytics.identify({ userId, anonymousId, traits: { email: `${userId}@shop.example` } });
  analytics.group({ userId, groupId: 'g1', traits: { plan: 'pro' } });
  analytics.page({ userId, name: 'Home' });
  analytics.screen({ userId, name: 'Cart' });
  analytics.alias({ userId, previousId: `before-${i}` });
  analytics.track({
    userId,
    event: 'Added To Cart',
    properties: { cart_id: `c${i}`, price: 49.9 },
  });
}
await analytics.closeAndFlush();
console.log('done');
