import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { ImportLanes, type ImportRefusal } from '../../../app/cli/commands/import-lanes.ts';
import { parseLine } from '../../../app/cli/commands/import-lines.ts';
import { LapseClient, retryAfterMsOf } from '../../../app/cli/lapse-client.ts';
import type { LapseError } from '../../../engine/errors/errors.ts';
import type { Clock } from '../../../engine/time/clock.ts';

interface Scripted {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

const ACCEPTED: Scripted = { status: 200, body: '{"accepted":1,"rejected":[]}' };
let server: Server | undefined;

afterEach(() => {
  server?.close();
  server?.closeAllConnections();
});

/** Answers requests by the script, the last answer for ever. */
async function scripted(answers: readonly Scripted[]): Promise<string> {
  let nth = 0;
  server = createServer((request, response) => {
    const { status, headers = {}, body } = answers[Math.min(nth++, answers.length - 1)]!;
    request.resume().on('end', () => response.writeHead(status, headers).end(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

/** Time that passes only when somebody waits for it, and then at once. */
function leapingClock(): Clock & { readonly waits: number[] } {
  let nowMs = 0;
  const waits: number[] = [];
  return {
    waits,
    now: () => nowMs,
    at(atMs, callback) {
      waits.push(atMs - nowMs);
      nowMs = atMs;
      queueMicrotask(callback);
      return () => {};
    },
  };
}

function problem(status: number, code: string, headers = {}): Scripted {
  return { status, headers, body: JSON.stringify({ code, detail: 'Send again later.' }) };
}

describe('client', () => {
  test('client: waits as Retry-After says, and longer each time without it', async () => {
    const full = problem(429, 'ERR_INTAKE_FULL', { 'retry-after': '7' });
    const starting = problem(503, 'ERR_NOT_READY');
    const url = await scripted([full, starting, starting, ACCEPTED]);
    const clock = leapingClock();
    const client = new LapseClient({ url, clock });
    expect(await client.batch('{}')).toEqual({ accepted: 1, rejected: [] });
    expect(clock.waits).toEqual([7_000, 500, 1_000]);
    await client.close();
  });

  test('client: gives up when its patience is at an end, with what Lapse said', async () => {
    const url = await scripted([problem(503, 'ERR_NOT_READY')]);
    const clock = leapingClock();
    const client = new LapseClient({ url, clock, patienceMs: 10_000 });
    await expect(client.batch('{}')).rejects.toMatchObject({
      code: 'ERR_NOT_READY',
      message: `Lapse at ${url} answered 503: Send again later.`,
    });
    expect(clock.now()).toBeLessThanOrEqual(10_000);
    await client.close();
  });

  test('client: a connection that breaks is tried again, even the very first one', async () => {
    const url = await scripted([ACCEPTED]);
    let broken = 0;
    server!.prependListener('request', (request) => {
      if (broken++ < 2) request.socket.destroy();
    });
    const troubles: string[] = [];
    const onRetry = ({ code }: LapseError) => void troubles.push(code);
    const client = new LapseClient({ url, clock: leapingClock(), onRetry });
    expect(await client.batch('{}')).toMatchObject({ accepted: 1 });
    expect(troubles).toEqual(['ERR_UNREACHABLE', 'ERR_UNREACHABLE']);
    await client.close();
  });

  test('client: a Lapse that has answered is waited for while it restarts', async () => {
    const url = await scripted([ACCEPTED]);
    const { port } = server!.address() as { port: number };
    const clock = leapingClock();
    const client = new LapseClient({
      ...{ url, patienceMs: 300_000 },
      clock: {
        now: () => clock.now(),
        at: (atMs, callback) => {
          // It is back at the third look.
          const goOn = () => void clock.at(atMs, callback);
          if (clock.waits.length === 2) server!.listen(port, '127.0.0.1', goOn);
          else goOn();
          return () => {};
        },
      },
    });
    await client.batch('{}');
    server!.closeAllConnections();
    await new Promise((resolve) => server!.close(resolve));
    expect(await client.batch('{}')).toMatchObject({ accepted: 1 });
    expect(clock.waits).toHaveLength(3);
    await client.close();
  });

  test('client: an address at which nothing ever answered is told at once', async () => {
    const clock = leapingClock();
    const client = new LapseClient({ url: 'http://127.0.0.1:1', clock });
    await expect(client.batch('{}')).rejects.toMatchObject({ code: 'ERR_UNREACHABLE' });
    expect(clock.waits).toEqual([]);
    await client.close();
  });

  test('client: something that is not Lapse is named as that, at once', async () => {
    const url = await scripted([{ status: 404, body: '<h1>Not here</h1>' }]);
    const clock = leapingClock();
    const client = new LapseClient({ url, clock });
    await expect(client.batch('{}')).rejects.toMatchObject({
      code: 'ERR_NOT_LAPSE',
      message: `Lapse must be running at ${url}, something else answers there (status 404).`,
    });
    expect(clock.waits).toEqual([]);
    await client.close();
  });

  test('client: Retry-After is seconds or a date, and nothing when it is neither', () => {
    const nowMs = Date.parse('2026-01-05T09:00:00Z');
    expect(retryAfterMsOf('3', nowMs)).toBe(3_000);
    expect(retryAfterMsOf('Mon, 05 Jan 2026 09:00:02 GMT', nowMs)).toBe(2_000);
    // In UTC though it does not say so, wherever this machine is.
    expect(retryAfterMsOf('Mon Jan  5 09:00:02 2026', nowMs)).toBe(2_000);
    expect(retryAfterMsOf('soon', nowMs)).toBe(0);
    expect(retryAfterMsOf(undefined, nowMs)).toBe(0);
  });
});

describe('import lanes', () => {
  test('lanes: a batch that is too large is halved, and refusals keep their lines', async () => {
    const bodies: string[][] = [];
    const refused: ImportRefusal[] = [];
    let accepted = 0;
    const url = await scripted([problem(413, 'ERR_REQUEST_EVENTS')]);
    const real = new LapseClient({ url, clock: leapingClock() });
    const lanes = new ImportLanes({
      client: {
        async batch(body) {
          const { batch } = JSON.parse(body) as { batch: string[] };
          bodies.push(batch);
          if (batch.length > 2) return real.batch(body);
          const rejected = batch.flatMap((one, index) =>
            one === 'bad' ? [{ index, code: 'ERR_EVENT_SHAPE', message: 'No.' }] : [],
          );
          return { accepted: batch.length - rejected.length, rejected };
        },
      },
      laneCount: 1,
      eventsMax: 4,
      bytesMax: 1_000,
      onAnswer: ({ accepted: count }, found) => {
        accepted += count;
        refused.push(...found);
      },
    });
    const events = ['a', 'b', 'bad', 'c', 'd'];
    for (const [index, text] of events.entries()) {
      await lanes.add('u', { file: 'f', line: index + 1, text: JSON.stringify(text) });
    }
    await lanes.end();
    expect(bodies).toEqual([['a', 'b', 'bad', 'c'], ['a', 'b'], ['bad', 'c'], ['d']]);
    expect(refused).toEqual([{ file: 'f', line: 3, code: 'ERR_EVENT_SHAPE', message: 'No.' }]);
    expect(accepted).toBe(events.length - refused.length);
    await real.close();
  });

  test('lanes: a batch keeps to the limit of bytes, counted as bytes', async () => {
    const bytesMax = 40;
    const sizes: number[] = [];
    const lanes = new ImportLanes({
      client: {
        async batch(body) {
          sizes.push(Buffer.byteLength(body));
          return { accepted: 1, rejected: [] };
        },
      },
      laneCount: 1,
      eventsMax: 100,
      bytesMax,
      onAnswer: () => {},
    });
    for (let line = 1; line <= 20; line++) await lanes.add('u', { file: 'f', line, text: '"éé"' });
    await lanes.end();
    expect(Math.max(...sizes)).toBeLessThanOrEqual(bytesMax);
    expect(sizes.length).toBeLessThan(20);
  });

  test('lines: an id is put in where there is none, all other bytes stay', () => {
    const parse = (text: string) => parseLine(Buffer.from(text), () => 'id-1');
    expect(parse('{"userId":"u","n":1.0}')).toEqual({
      text: '{"userId":"u","n":1.0,"messageId":"id-1"}',
      user: 'u',
    });
    expect(parse(' {} ')).toEqual({ text: '{"messageId":"id-1"}', user: '' });
    const named = '{"messageId":"m","anonymousId":"a"}';
    expect(parse(named)).toEqual({ text: named, user: 'a' });
    expect(parse('[1]')).toEqual({ text: '[1]', user: '' });
    expect(parse('{"a"')).toMatchObject({ code: 'ERR_EVENT_JSON' });
  });
});
