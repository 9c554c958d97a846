import { msgpackOf, treeOf } from '../mutation/tree.ts';

const track = {
  type: 'track',
  userId: 'u1',
  event: 'Added To Cart',
  properties: { cart_id: 'c1', price: 49.9, items: [{ sku: 's', n: 2 }], gift: true, note: null },
  timestamp: '2026-01-05T08:59:58.250Z',
  messageId: 'm1',
};
const identify = {
  type: 'identify',
  userId: 'u1',
  anonymousId: 'a1',
  traits: { email: 'u@example.com', address: { city: 'Jaipur' }, age: 31 },
};
const page = {
  type: 'page',
  anonymousId: 'a1',
  name: 'Home',
  category: 'shop',
  properties: { path: '/' },
  originalTimestamp: '2026-01-05T08:00:00Z',
  sentAt: '2026-01-05T08:00:01Z',
};
const screen = {
  type: 'screen',
  userId: 12345,
  name: 'Cart',
  context: { traits: { plan: 'pro' } },
};
const many = Array.from({ length: 30 }, (_, i) => ({
  ...track,
  messageId: `m${i}`,
  userId: `u${i}`,
}));
const values = [track, identify, page, screen, [track, identify, page], many, {}, []];

export const EVENTS: readonly object[] = [track, identify, page, screen];
export const PAYLOAD_SEEDS: readonly string[] = values.map((value) => JSON.stringify(value));
export const MSGPACK_SEEDS: readonly Uint8Array[] = values.map((value) => msgpackOf(treeOf(value)));
export const NDJSON_SEEDS: readonly string[] = [
  EVENTS.map((event) => JSON.stringify(event)).join('\n'),
  `\ufeff${JSON.stringify(track)}\r\n\r\n${JSON.stringify(identify)}\r\n`,
  `${many.map((event) => JSON.stringify(event)).join('\n')}\n`,
  `{"receivedAt":"2026-01-05T09:00:00Z","control":"publish","campaign":"c"}\n${JSON.stringify(track)}`,
];

export const EVENT_WORDS: readonly string[] = [
  '{"type":"track","userId":"u","event":"e"}',
  '"userId":"u",',
  '"properties":{',
  '"anonymousId":"a",',
  '"messageId":null',
  '"timestamp":"2026-01-05T09:00:00Z"',
  'receivedAt',
  'control',
  'track',
  'identify',
  'page',
  'alias',
  '\n',
  '\\u0000',
  '\\ud800',
  '},{',
  '],[',
];
