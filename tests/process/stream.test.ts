/** The streaming door of a running `serve`: frames become messages, a stop says goodbye. */
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { until } from '../support/until.ts';
import { Stage } from './stage.ts';

const ON_CART = {
  id: 'carts',
  webhook: 'single',
  qualify: { live: { action: { event: 'Added To Cart' } } },
};
const FRAMES = 200;

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

describe('streaming door of serve', () => {
  test('every frame is acknowledged, its messages arrive, and a stop closes the stream', async () => {
    stage = await Stage.open({ campaigns: [ON_CART] });
    const serve = await stage.serve().ready();
    const socket = new WebSocket(`${serve.url.replace('http', 'ws')}/v1/stream`);
    const acks = new Set<number>();
    socket.on('message', (data) => acks.add((JSON.parse(String(data)) as { ack: number }).ack));
    await once(socket, 'open');
    for (let i = 0; i < FRAMES; i++) {
      socket.send(JSON.stringify({ type: 'track', userId: `u${i}`, event: 'Added To Cart' }));
    }
    await until('all frames are acknowledged', () => acks.size === FRAMES);
    expect(await serve.metric('lapse_events_accepted_total')).toBe(FRAMES);
    const { sink } = stage;
    await until('all messages arrive', () => sink.requests.length === FRAMES);
    const closed = once(socket, 'close');
    expect(await serve.stop()).toBe(0);
    expect((await closed)[0]).toBe(1001);
  });

  test('a page of another origin gets no stream', async () => {
    stage = await Stage.open({ campaigns: [ON_CART] });
    const serve = await stage.serve().ready();
    const url = `${serve.url.replace('http', 'ws')}/v1/stream`;
    for (const headers of [{ origin: 'https://evil.example' }, { host: 'evil.example' }]) {
      const socket = new WebSocket(url, { headers });
      const [, response] = await once(socket, 'unexpected-response');
      expect([403, 421]).toContain((response as { statusCode: number }).statusCode);
    }
  });
});
