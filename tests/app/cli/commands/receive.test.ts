import { afterEach, expect, test } from 'vitest';
import {
  type ReceivedRequest,
  type Receiver,
  type ReceiverOptions,
  startReceiver,
} from '../../../../app/cli/commands/receive.ts';
import { EgressGuard } from '../../../../connectors/webhook/egress/egress-guard.ts';
import { WebhookTransport } from '../../../../connectors/webhook/webhook-transport.ts';
import type { OutgoingRequest } from '../../../../engine/sender/transport.ts';
import { systemClock } from '../../../../engine/time/clock.ts';
import { requestOf } from '../../../../operators/delivery/content.ts';
import {
  campaignOf,
  deliveryOf,
  SECRET,
  webhookOf,
} from '../../../operators/delivery/lane-bench.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function receiverOf(options: ReceiverOptions = {}) {
  const lines: string[] = [];
  const received: ReceivedRequest[] = [];
  const receiver: Receiver = await startReceiver({
    ...options,
    print: (line) => lines.push(line),
    onRequest: (request) => received.push(request),
  });
  closers.push(() => receiver.close());
  const transport = new WebhookTransport({
    clock: systemClock,
    guard: new EgressGuard({ allow: ['127.0.0.1'] }),
  });
  closers.push(() => transport.close());
  return { receiver, lines, received, send: (request: OutgoingRequest) => transport.send(request) };
}

function requestTo(
  url: string,
  webhookId: string,
  overrides: { secret?: string; atMs?: number } = {},
) {
  return requestOf({
    webhook: webhookOf({ url, secret: overrides.secret ?? SECRET }),
    campaign: campaignOf('c', { targetId: 42 }),
    members: [deliveryOf('ann'), deliveryOf('bob')],
    webhookId,
    attempt: 2,
    atMs: overrides.atMs ?? Date.now(),
    userAgent: 'Lapse/test',
  });
}

test('receive: prints who and what came with each webhook, and counts profiles', async () => {
  const { receiver, lines, received, send } = await receiverOf({ secret: SECRET });
  expect(await send(requestTo(receiver.url, 'msg_1'))).toMatchObject({ status: 200 });
  expect(lines[0]).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} {2}200 {2}msg_1 {2}signature ok {2}campaign 42 {2}profiles 2 {2}users ann, bob {2}attempt 2 {2}latency [01]s$/,
  );
  expect(lines[1]).toBe(`${' '.repeat(14)}${received[0]!.body}`);
  expect(lines).toHaveLength(2);
  expect(received[0]).toMatchObject({ webhookId: 'msg_1', signature: 'ok', isRepeat: false });
  expect(receiver.counts).toMatchObject({ requests: 1, accepted: 1, profiles: 2 });
});

test('receive: refuses a signature that is wrong, missing or old', async () => {
  const { receiver, received, send } = await receiverOf({ secret: SECRET });
  const otherSecret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
  const forged = requestTo(receiver.url, 'msg_1', { secret: otherSecret });
  const old = requestTo(receiver.url, 'msg_2', { atMs: Date.now() - 301_000 });
  const { 'webhook-signature': _, ...headers } = requestTo(receiver.url, 'msg_3').headers;
  const unsigned = { ...requestTo(receiver.url, 'msg_3'), headers };
  for (const request of [forged, old, unsigned]) {
    expect(await send(request)).toMatchObject({ status: 401 });
  }
  expect(received.map(({ signature }) => signature)).toEqual(['bad', 'old', 'none']);
  expect(receiver.counts).toMatchObject({ refused: 3, accepted: 0 });
});

test('receive: counts repeats of an id apart', async () => {
  const { receiver, lines, send } = await receiverOf();
  for (let i = 0; i < 3; i++) await send(requestTo(receiver.url, 'msg_1'));
  expect(receiver.counts).toMatchObject({ accepted: 1, repeated: 2, profiles: 2 });
  const repeats = lines.filter((_, i) => i % 2 === 0).map((line) => line.endsWith('  repeat'));
  expect(repeats).toEqual([false, true, true]);
});

test('receive: fails at the rate asked for, equally for equal seeds', async () => {
  const failRate = 0.3;
  const total = 200;
  const statuses: string[] = [];
  for (let run = 0; run < 2; run++) {
    const { receiver, received, send } = await receiverOf({ failRate, seed: 9 });
    for (let i = 0; i < total; i++) await send(requestTo(receiver.url, `msg_${i}`));
    statuses.push(received.map(({ status }) => status).join());
    expect(Math.abs(receiver.counts.failed - total * failRate)).toBeLessThan(total * 0.1);
  }
  expect(statuses[0]).toBe(statuses[1]);
});

test('receive: answers after the latency asked for', async () => {
  const waits: (() => void)[] = [];
  const atMs = 1_767_603_600_000;
  const clock = {
    now: () => atMs,
    at: (dueAtMs: number, callback: () => void) => {
      expect(dueAtMs).toBe(atMs + 250);
      waits.push(callback);
      callback();
      return () => {};
    },
  };
  const { receiver, send } = await receiverOf({ latencyMs: 250, clock });
  expect(await send(requestTo(receiver.url, 'msg_1'))).toMatchObject({ status: 200 });
  expect(waits).toHaveLength(1);
});

test('receive: an address in use is a mistake of the caller, with a sentence', async () => {
  const { receiver } = await receiverOf();
  const port = Number(new URL(receiver.url).port);
  await expect(startReceiver({ port })).rejects.toMatchObject({
    code: 'ERR_RECEIVER_LISTEN',
    domain: 'user',
    message: expect.stringContaining(`must be able to listen on 127.0.0.1:${port}`),
  });
});
