import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import {
  closeAll,
  closers,
  HandClock,
  rawReceiver,
  receiver,
  requestTo,
  transportOf,
} from './transport-bench.ts';

afterEach(closeAll);

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

test('webhook transport: sends method, path, headers and the very bytes', async () => {
  const seen: unknown[] = [];
  const { url } = await receiver(async (request, response) => {
    const body = await bodyOf(request);
    const { method, headers } = request;
    seen.push({ method, url: request.url, id: headers['webhook-id'], body });
    response.writeHead(202).end('taken');
  });
  const beforeMs = Date.now();
  const result = await transportOf().send(requestTo(url));
  expect(seen).toEqual([{ method: 'POST', url: '/in?a=1', id: 'msg_1', body: '{"é":1}' }]);
  expect(result).toMatchObject({ status: 202, bodySnippet: 'taken' });
  expect(result.firstByteSentAtMs).toBeGreaterThanOrEqual(beforeMs);
  expect(result.firstByteSentAtMs).toBeLessThanOrEqual(Date.now());
});

test.each(['GET', 'DELETE'] as const)('webhook transport: %s has no body', async (method) => {
  const bodies: string[] = [];
  const { url } = await receiver(async (request, response) => {
    bodies.push(await bodyOf(request));
    response.end();
  });
  const { body: _, ...bare } = requestTo(url, { method });
  expect(await transportOf().send(bare)).toMatchObject({ status: 200 });
  expect(bodies).toEqual(['']);
});

test('webhook transport: keeps connections alive between requests', async () => {
  const { url, server } = await receiver((_, response) => response.end());
  let connections = 0;
  server.on('connection', () => connections++);
  const transport = transportOf();
  for (let i = 0; i < 10; i++) await transport.send(requestTo(url));
  // The next request may go out in the very turn in which the connection before becomes free.
  expect(connections).toBeLessThanOrEqual(requestTo(url).connectionsMax);
});

test('webhook transport: opens no more connections than allowed', async () => {
  const waiting: ServerResponse[] = [];
  let arrived: () => void = () => {};
  const { url } = await receiver((_, response) => {
    waiting.push(response);
    arrived();
  });
  const twoThere = new Promise<void>((resolve) => {
    arrived = () => waiting.length === 2 && resolve();
  });
  const transport = transportOf();
  const sent = [1, 2, 3].map(() => transport.send(requestTo(url, { connectionsMax: 2 })));
  await twoThere;
  expect(waiting).toHaveLength(2);
  arrived = () => waiting[2]!.end();
  for (const response of waiting.slice(0, 2)) response.end();
  expect((await Promise.all(sent)).map((result) => 'status' in result)).toEqual([true, true, true]);
});

test.each([302, 307])('webhook transport: does not follow a %i', async (code) => {
  const paths: (string | undefined)[] = [];
  const { url } = await receiver((request, response) => {
    paths.push(request.url);
    response.writeHead(code, { location: '/elsewhere' }).end();
  });
  expect(await transportOf().send(requestTo(url))).toMatchObject({ status: code });
  expect(paths).toEqual(['/in?a=1']);
});

test('webhook transport: gives status and Retry-After of a failure', async () => {
  const { url } = await receiver((_, response) => {
    response.writeHead(503, { 'retry-after': '17' }).end('later');
  });
  const result = await transportOf().send(requestTo(url));
  expect(result).toMatchObject({ status: 503, retryAfter: '17', bodySnippet: 'later' });
});

test('webhook transport: cuts a large body off and keeps its beginning', async () => {
  let isCut: () => void = () => {};
  const cut = new Promise<void>((resolve) => {
    isCut = resolve;
  });
  const { url } = await receiver((_, response) => {
    response.on('close', isCut);
    const more = () => {
      while (response.write('x'.repeat(16_384)));
    };
    response.on('drain', more);
    more();
  });
  const result = await transportOf().send(requestTo(url));
  expect(result).toMatchObject({ status: 200, bodySnippet: 'x'.repeat(1_024) });
  await cut;
});

test('webhook transport: times out, when the answer does not come', async () => {
  const clock = new HandClock();
  const { url } = await receiver(() => clock.fire());
  const result = await transportOf(clock).send(requestTo(url));
  expect(result).toMatchObject({ error: 'timeout' });
  expect(result.firstByteSentAtMs).toBeDefined();
});

test('webhook transport: leaves no timer behind', async () => {
  const clock = new HandClock();
  const { url } = await receiver((_, response) => response.end());
  await transportOf(clock).send(requestTo(url));
  expect(clock.armed).toBe(0);
});

test('webhook transport: reports a reset, before and within the head of the answer', async () => {
  const transport = transportOf();
  const before = await rawReceiver((socket) => socket.on('data', () => socket.resetAndDestroy()));
  expect(await transport.send(requestTo(before))).toMatchObject({ error: 'reset' });
  const within = await rawReceiver((socket) => {
    socket.on('data', () => {
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n');
    });
  });
  expect(await transport.send(requestTo(within))).toMatchObject({ error: 'reset' });
});

test('webhook transport: reports refused, dns, protocol, tls and a bad request by name', async () => {
  const transport = transportOf();
  const gone = await rawReceiver(() => {});
  await closers.pop()!();
  expect(await transport.send(requestTo(gone))).toMatchObject({ error: 'refused' });
  const noHttp = await rawReceiver((socket) =>
    socket.on('data', () => socket.end('hello\r\n\r\n')),
  );
  expect(await transport.send(requestTo(noHttp))).toMatchObject({ error: 'protocol' });
  const noTls = noHttp.replace('http:', 'https:');
  expect(await transport.send(requestTo(noTls))).toMatchObject({ error: 'tls' });
  const badHeader = requestTo(noHttp, { headers: { 'x-team': 'a\nb' } });
  expect(await transport.send(badHeader)).toMatchObject({ error: 'invalid-request' });
  const badUrl = requestTo('nowhere');
  expect(await transport.send(badUrl)).toMatchObject({ error: 'invalid-request' });
});

test('webhook transport: headers without end are too large', async () => {
  const url = await rawReceiver((socket) => {
    socket.on('data', () => socket.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n`));
  });
  expect(await transportOf().send(requestTo(url))).toMatchObject({ error: 'response-too-large' });
});

test('webhook transport: an abort ends the request at once', async () => {
  const abort = new AbortController();
  const { url } = await receiver(() => abort.abort());
  const transport = transportOf();
  expect(await transport.send(requestTo(url), abort.signal)).toMatchObject({ error: 'cancelled' });
  // One that was stopped before it began never reaches the receiver.
  expect(await transport.send(requestTo(url), abort.signal)).toEqual(
    expect.not.objectContaining({ firstByteSentAtMs: expect.anything() }),
  );
});

test('webhook transport: one lane that hangs leaves the others their connections', async () => {
  const { url } = await receiver((request, response) => {
    if (request.headers['webhook-id'] !== 'msg_hang') response.end();
  });
  const transport = transportOf();
  const abort = new AbortController();
  const hang = { lane: 'slow', connectionsMax: 1, headers: { 'webhook-id': 'msg_hang' } };
  const hanging = [1, 2, 3].map(() => transport.send(requestTo(url, hang), abort.signal));
  expect(await transport.send(requestTo(url, { lane: 'quick' }))).toMatchObject({ status: 200 });
  abort.abort();
  await Promise.all(hanging);
});

test('webhook transport: ignores a proxy of the environment', async () => {
  const { url } = await receiver((_, response) => response.end());
  const before = process.env.HTTP_PROXY;
  process.env.HTTP_PROXY = 'http://127.0.0.1:1';
  closers.push(() => {
    if (before === undefined) delete process.env.HTTP_PROXY;
    else process.env.HTTP_PROXY = before;
  });
  expect(await transportOf().send(requestTo(url))).toMatchObject({ status: 200 });
});
