import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { BODY_MS_MAX } from '../../../connectors/webhook/exchange.ts';
import { systemClock } from '../../../engine/time/clock.ts';
import { closeAll, HandClock, rawReceiver, requestTo, transportOf } from './transport-bench.ts';

afterEach(closeAll);

const HEAD_OF_OK = 'HTTP/1.1 200 OK\r\n';

/** Answers every request with these bytes, and then does `end` to the connection. */
function answering(bytes: string, end: (socket: Socket) => void): Promise<string> {
  return rawReceiver((socket) => {
    socket.on('data', () => socket.write(bytes, () => end(socket)));
  });
}

const close = (socket: Socket) => socket.end();
const reset = (socket: Socket) => setImmediate(() => socket.resetAndDestroy());
const keep = () => undefined;

describe('the status decides, however the body ends', () => {
  test.each([
    ['is shorter than it says', `${HEAD_OF_OK}content-length: 10\r\n\r\nhalf`, close],
    ['is reset within', `${HEAD_OF_OK}content-length: 10\r\n\r\nhalf`, reset],
    ['is longer than it says', `${HEAD_OF_OK}content-length: 2\r\n\r\nhalf and more`, keep],
    ['ends within a chunk', `${HEAD_OF_OK}transfer-encoding: chunked\r\n\r\n5\r\nha`, close],
    [
      'ends before the last chunk',
      `${HEAD_OF_OK}transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n`,
      close,
    ],
    ['has a chunk of no size', `${HEAD_OF_OK}transfer-encoding: chunked\r\n\r\nxyz\r\n`, keep],
    ['has no length and ends with a reset', `${HEAD_OF_OK}\r\nhalf`, reset],
    ['has two lengths', `${HEAD_OF_OK}content-length: 1\r\ncontent-length: 2\r\n\r\nab`, keep],
    ['has a length that is none', `${HEAD_OF_OK}content-length: many\r\n\r\nab`, keep],
    [
      'has a length and chunks',
      `${HEAD_OF_OK}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n`,
      keep,
    ],
  ])('a 200 whose body %s is an answer', async (_, bytes, end) => {
    const url = await answering(bytes, end);
    const result = await transportOf(systemClock).send(requestTo(url));
    expect(result).toMatchObject({ status: 200 });
  });

  test.each([
    ['204', 'HTTP/1.1 204 No Content\r\ncontent-length: 4\r\n\r\nbody', 204],
    ['500', 'HTTP/1.1 500 Oh\r\ncontent-length: 10\r\n\r\nhalf', 500],
    ['410', 'HTTP/1.1 410 Gone\r\ntransfer-encoding: chunked\r\n\r\n5\r\nha', 410],
  ])('a %s whose body is broken is that status', async (_, bytes, status) => {
    const url = await answering(bytes, close);
    expect(await transportOf(systemClock).send(requestTo(url))).toMatchObject({ status });
  });

  test('a connection whose answer was broken is not used again', async () => {
    let connections = 0;
    const url = await rawReceiver((socket) => {
      connections++;
      socket.on('data', () => socket.write(`${HEAD_OF_OK}content-length: 2\r\n\r\nok and more`));
    });
    const transport = transportOf(systemClock);
    for (let i = 0; i < 3; i++) {
      expect(await transport.send(requestTo(url, { connectionsMax: 1 }))).toMatchObject({
        status: 200,
      });
    }
    expect(connections).toBe(3);
  });

  test.each([
    ['stalls', (_: Socket) => undefined],
    ['drips', (socket: Socket) => void setInterval(() => socket.write('x'), 50).unref()],
  ])('a body that %s is cut off soon, and what came of it is kept', async (_, end) => {
    let isCut = () => {};
    const cut = new Promise<void>((resolve) => {
      isCut = resolve;
    });
    const url = await rawReceiver((socket) => {
      socket.on('close', isCut);
      socket.on('data', () => {
        socket.write(`${HEAD_OF_OK}\r\nbegun`);
        end(socket);
      });
    });
    const clock = new HandClock();
    const sent = transportOf(clock).send(requestTo(url));
    // The time-out of the request, and then the body's own.
    while (clock.armed < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(clock.waits.at(-1)).toBeLessThanOrEqual(BODY_MS_MAX);
    clock.fireLast();
    const result = await sent;
    expect(result).toMatchObject({ status: 200 });
    expect('bodySnippet' in result && result.bodySnippet).toMatch(/^begun/);
    await cut;
  });

  test('a time-out after the head is an answer too', async () => {
    const clock = new HandClock();
    const url = await rawReceiver((socket) => {
      socket.on('data', () => socket.write(`${HEAD_OF_OK}\r\nbegun`));
    });
    const sent = transportOf(clock).send(requestTo(url));
    while (clock.armed < 2) await new Promise((resolve) => setImmediate(resolve));
    clock.fire();
    expect(await sent).toMatchObject({ status: 200 });
  });
});

describe('informational answers are ignored', () => {
  const FINAL = 'HTTP/1.1 202 Accepted\r\ncontent-length: 5\r\n\r\ntaken';
  const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
  const HINTS = 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n';

  test.each([
    ['a 100 Continue that nobody asked for', CONTINUE],
    ['a 100 with headers', 'HTTP/1.1 100 Continue\r\nx-trace: 1\r\n\r\n'],
    ['a 100 without a reason', 'HTTP/1.1 100 \r\n\r\n'],
    ['a 102', 'HTTP/1.1 102 Processing\r\n\r\n'],
    ['a 103', HINTS],
    ['a 101 that switches nothing', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n'],
    ['one of HTTP/1.0', 'HTTP/1.0 100 Continue\r\n\r\n'],
    ['several', CONTINUE + HINTS + CONTINUE],
  ])('%s', async (_, informational) => {
    let requests = 0;
    let connections = 0;
    const url = await rawReceiver((socket) => {
      connections++;
      socket.on('data', () => {
        requests++;
        socket.write(informational);
        setImmediate(() => socket.write(FINAL));
      });
    });
    const transport = transportOf(systemClock);
    for (let i = 0; i < 3; i++) {
      const result = await transport.send(requestTo(url, { connectionsMax: 1 }));
      expect(result).toMatchObject({ status: 202, bodySnippet: 'taken' });
    }
    expect({ requests, connections }).toEqual({ requests: 3, connections: 1 });
  });

  test('in the very bytes of the final answer, and cut anywhere', async () => {
    const bytes = Buffer.from(CONTINUE + HINTS + FINAL);
    let cutAt = 0;
    const url = await rawReceiver((socket) => {
      socket.setNoDelay(true);
      socket.on('data', () => {
        socket.write(bytes.subarray(0, cutAt));
        setImmediate(() => socket.write(bytes.subarray(cutAt)));
      });
    });
    const transport = transportOf(systemClock);
    for (cutAt = 0; cutAt <= bytes.length; cutAt++) {
      const result = await transport.send(requestTo(url, { connectionsMax: 1 }));
      expect(result).toMatchObject({ status: 202, bodySnippet: 'taken' });
    }
  });

  test('when nothing follows them, the request times out', async () => {
    const clock = new HandClock();
    const url = await rawReceiver((socket) => {
      socket.on('data', () => socket.write(CONTINUE, () => clock.fire()));
    });
    expect(await transportOf(clock).send(requestTo(url))).toMatchObject({ error: 'timeout' });
  });

  test('one whose head does not end is no answer', async () => {
    const url = await rawReceiver((socket) => {
      socket.on('data', () => socket.write(`HTTP/1.1 103 H\r\nx: ${'y'.repeat(100_000)}`));
    });
    const result = await transportOf(systemClock).send(requestTo(url));
    expect(result).toHaveProperty('error');
  });
});

describe('a kept connection that dies under a request', () => {
  /** Answers the first request of each connection; to the second it does something else. */
  async function flaky(onSecond: (socket: Socket) => void) {
    const ids: string[] = [];
    let connections = 0;
    const url = await rawReceiver((socket) => {
      connections++;
      let requests = 0;
      socket.on('data', (bytes) => {
        ids.push(/webhook-id: (\S+)/.exec(bytes.toString())![1]!);
        if (++requests === 1) socket.write(`${HEAD_OF_OK}content-length: 0\r\n\r\n`);
        else onSecond(socket);
      });
    });
    return { url, ids, connections: () => connections };
  }
  const one = { connectionsMax: 1 };

  test.each([
    ['closes it', (socket: Socket) => socket.end()],
    ['resets it', (socket: Socket) => socket.resetAndDestroy()],
  ])('the receiver %s: sent again at once, with the same id', async (_, onSecond) => {
    const { url, ids, connections } = await flaky((socket) => void onSecond(socket));
    const transport = transportOf(systemClock);
    const warmUp = { headers: { 'webhook-id': 'msg_first' }, ...one };
    await transport.send(requestTo(url, warmUp));
    const result = await transport.send(requestTo(url, one));
    expect(result).toMatchObject({ status: 200 });
    expect(ids).toEqual(['msg_first', 'msg_1', 'msg_1']);
    expect(connections()).toBe(2);
  });

  test('after the first byte of an answer it is not sent again', async () => {
    const { url, ids } = await flaky((socket) => socket.end('H'));
    const transport = transportOf(systemClock);
    await transport.send(requestTo(url, one));
    expect(await transport.send(requestTo(url, one))).toMatchObject({ error: 'reset' });
    expect(ids).toHaveLength(2);
  });

  test('on a new connection it is not sent again', async () => {
    let requests = 0;
    const url = await rawReceiver((socket) => {
      socket.on('data', () => {
        requests++;
        socket.resetAndDestroy();
      });
    });
    const transport = transportOf(systemClock);
    expect(await transport.send(requestTo(url, one))).toMatchObject({ error: 'reset' });
    expect(requests).toBe(1);
  });

  test('it is sent again once only', async () => {
    let requests = 0;
    const url = await rawReceiver((socket) => {
      socket.on('data', () => {
        if (++requests === 1) socket.write(`${HEAD_OF_OK}content-length: 0\r\n\r\n`);
        else socket.resetAndDestroy();
      });
    });
    const transport = transportOf(systemClock);
    await transport.send(requestTo(url, one));
    expect(await transport.send(requestTo(url, one))).toMatchObject({ error: 'reset' });
    expect(requests).toBe(3);
  });
});
