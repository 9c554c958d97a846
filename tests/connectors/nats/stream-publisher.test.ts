import { JetStreamApiError } from '@nats-io/jetstream';
import {
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  PermissionViolationError,
} from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import { StreamPublisher } from '../../../connectors/nats/stream-publisher.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';

const TIMEOUT_MS = 3_000;
const BYTES = new Uint8Array([1, 2, 3]);

interface Sent {
  readonly subject: string;
  readonly bytes: Uint8Array;
  readonly reply: string;
  readonly headers: MsgHdrs;
}

/** A publisher with a server that says nothing by itself. */
function startPublisher() {
  const clock = new ManualClock(1_000_000);
  const sent: Sent[] = [];
  let deliver: (error: Error | null, message: Msg) => void = () => undefined;
  const connection = {
    isClosed: false,
    subscribe: (_subject: string, { callback }: { callback: typeof deliver }) => {
      deliver = callback;
      return { unsubscribe: () => undefined };
    },
    publish: (subject: string, bytes: Uint8Array, options: { reply: string; headers: MsgHdrs }) => {
      if (connection.isClosed) throw new Error('closed');
      sent.push({ subject, bytes, ...options });
    },
  };
  const publisher = new StreamPublisher({
    connection: connection as unknown as NatsConnection,
    timeoutMs: TIMEOUT_MS,
    clock,
  });
  const settled: Record<string, unknown> = {};
  /** Publishes to a subject, of which `settled` then knows the sequence or the error. */
  const publish = (subject: string) => {
    publisher.publish({ subject, bytes: BYTES, headers: { 'Nats-Msg-Id': `id ${subject}` } }).then(
      (sequence) => {
        settled[subject] = sequence;
      },
      (error: unknown) => {
        settled[subject] = error;
      },
    );
  };
  const answer = async (subject: string, data: string) => {
    const { reply } = sent.find((one) => one.subject === subject)!;
    deliver(null, { subject: reply, data: new TextEncoder().encode(data) } as unknown as Msg);
    await turn();
  };
  return { clock, connection, publisher, sent, settled, publish, answer };
}

/** Promises that are settled are told within it. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('each message is sent once, with its headers, and gets the answer that is its own', async () => {
  const { sent, settled, publish, answer } = startPublisher();
  for (const subject of ['a', 'b']) publish(subject);
  expect(sent.map(({ subject, bytes }) => [subject, bytes])).toEqual([
    ['a', BYTES],
    ['b', BYTES],
  ]);
  expect(sent.map(({ headers }) => headers.get('Nats-Msg-Id'))).toEqual(['id a', 'id b']);
  await answer('b', '{"stream":"S","seq":8}');
  expect(settled).toEqual({ b: 8 });
  await answer('a', '{"stream":"S","seq":7,"duplicate":true}');
  expect(settled).toEqual({ a: 7, b: 8 });
  await answer('a', '{"stream":"S","seq":9}');
  expect(settled).toEqual({ a: 7, b: 8 });
});

test('what the server refuses is told with its number, what nobody answers is no refusal', async () => {
  const { settled, publish, answer } = startPublisher();
  for (const subject of ['refused', 'unheard', 'strange']) publish(subject);
  const error = { code: 400, err_code: 10_071, description: 'wrong last sequence: 5' };
  await answer('refused', JSON.stringify({ error, stream: 'S', seq: 0 }));
  await answer('unheard', '');
  await answer('strange', 'not JSON');
  expect(settled.refused).toBeInstanceOf(JetStreamApiError);
  expect(settled.refused).toMatchObject({ code: 10_071, status: 400 });
  for (const subject of ['unheard', 'strange']) {
    expect(settled[subject]).toBeInstanceOf(Error);
    expect(settled[subject]).not.toBeInstanceOf(JetStreamApiError);
  }
});

test('each is given up in its own time, and a later answer to it is let pass', async () => {
  const { clock, settled, publish, answer } = startPublisher();
  publish('first');
  clock.advanceTo(clock.now() + TIMEOUT_MS / 2);
  publish('second');
  publish('answered');
  await answer('answered', '{"seq":3}');
  clock.advanceTo(clock.now() + TIMEOUT_MS / 2 - 1);
  await turn();
  expect(settled).toEqual({ answered: 3 });
  clock.advanceTo(clock.now() + 1);
  await turn();
  expect(settled.first).toBeInstanceOf(Error);
  expect(settled.second).toBeUndefined();
  await answer('first', '{"seq":1}');
  expect(settled.first).toBeInstanceOf(Error);
  clock.advanceTo(clock.now() + TIMEOUT_MS / 2);
  await turn();
  expect(settled.second).toBeInstanceOf(Error);
  publish('third');
  clock.advanceTo(clock.now() + TIMEOUT_MS);
  await turn();
  expect(settled.third).toBeInstanceOf(Error);
});

test('a subject that one may not publish to fails at once, the others wait on', async () => {
  const { publisher, settled, publish } = startPublisher();
  for (const subject of ['forbidden', 'allowed']) publish(subject);
  const refusal = new PermissionViolationError('no', 'publish', 'forbidden');
  publisher.onError(new PermissionViolationError('no', 'subscription', 'forbidden'));
  publisher.onError(new Error('something else'));
  await turn();
  expect(settled).toEqual({});
  publisher.onError(refusal);
  await turn();
  expect(settled).toEqual({ forbidden: refusal });
});

test('nobody waits once it is closed, nor when the connection is', async () => {
  const { clock, connection, publisher, settled, publish } = startPublisher();
  publish('waiting');
  publisher.close();
  await turn();
  expect(settled.waiting).toBeInstanceOf(Error);
  expect(clock.timerCount).toBe(0);
  connection.isClosed = true;
  publish('late');
  await turn();
  expect(settled.late).toBeInstanceOf(Error);
});
