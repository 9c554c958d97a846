// An app that uses CleverTap's Node package, its host pointed at Lapse. Arguments: host, users.
import { createRequire } from 'node:module';

const CleverTap = createRequire(import.meta.url)('clevertap');
const [host, count] = process.argv.slice(2);
const clevertap = CleverTap.init('TEST-ACCOUNT', 'TEST-PASSCODE', CleverTap.REGIONS.INDIA);
clevertap.api.apiEndpoint = `${host}/1`;
const records = Array.from({ length: Number(count) }, (_, i) => [
  { type: 'profile', identity: `u${i}`, profileData: { Email: `u${i}@shop.example` } },
  {
    type: 'event',
    identity: `u${i}`,
    evtName: 'Added To Cart',
    evtData: { cart_id: `c${i}`, price: 49.9 },
  },
]);
const answers = await clevertap.upload(records.flat());
const failed = [answers].flat().filter(({ status }) => status !== 'success');
if (failed.length > 0) console.error(JSON.stringify(failed));
console.log('done');
