import type { JetStreamManager } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import {
  type AppenderOptions,
  JetStreamAppender,
} from '../../../connectors/logs/jetstream/jetstream-appender.ts';
import { placeOf } from '../../../connectors/logs/jetstream/subjects.ts';
import type { Publication } from '../../../connectors/nats/stream-publisher.ts';
import { at } from './contract-given.ts';
import { bytesOf } from './reading.ts';

const PREFIX = 'lapse';

/** An appender on streams that are empty, with a server that answers when the test says so. */
function startAppender(retried: AppenderOptions['retried'] = (_what, request) => request()) {
  const sent: (Publication & { readonly stored: (sequence: number) => void })[] = [];
  const appender = new JetStreamAppender({
    publisher: {
      publish: (publication) =>
        new Promise((stored) => {
          sent.push({ ...publication, stored });
        }),
    },
    manager: {
      streams: { getMessage: () => Promise.resolve(null) },
    } as unknown as JetStreamManager,
    prefix: PREFIX,
    payloadBytesMax: 1024 * 1024,
    ensure: () => Promise.resolve(),
    retried,
  });
  const texts = () => sent.map(({ bytes }) => new TextDecoder().decode(bytes));
  return { appender, sent, texts };
}

/** What follows from promises that are settled has happened within it. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('writers of a topic do not wait for one another, each has one append under way', async () => {
  const { appender, sent, texts } = startAppender();
  const write = (writer: number, offset: number) =>
    appender.append('out.crm', bytesOf(`${writer}:${offset}`), { writer, position: at(1, offset) });
  const all = [write(1, 1), write(1, 2), write(2, 1), write(2, 2), write(3, 1)];
  await turn();
  expect(texts()).toEqual(['1:1', '2:1', '3:1']);
  sent[1]!.stored(40);
  await turn();
  expect(texts().slice(3)).toEqual(['2:2']);
  // It is stored only if nobody has written since.
  expect(sent[3]!.headers['Nats-Expected-Last-Subject-Sequence']).toBe('40');
  for (const [i, sequence] of [41, 40, 42, 43].entries()) sent[i]!.stored(sequence);
  await turn();
  expect(texts().slice(4)).toEqual(['1:2']);
  sent[4]!.stored(44);
  expect(await Promise.all(all)).toEqual([41, 44, 40, 43, 42]);
});

test('appends without a fence, and claims, keep the order of a topic', async () => {
  const { appender, sent, texts } = startAppender();
  const all = [
    appender.append('in.7', bytesOf('first')),
    appender.append('in.7', bytesOf('second')),
    appender.claim(7, 3, bytesOf('claim')),
    appender.append('in.8', bytesOf('other')),
  ];
  await turn();
  expect(texts()).toEqual(['first', 'other']);
  sent[1]!.stored(1);
  sent[0]!.stored(2);
  await turn();
  expect(texts().slice(2)).toEqual(['second']);
  sent[2]!.stored(3);
  await turn();
  expect(texts().slice(3)).toEqual(['claim']);
  sent[3]!.stored(4);
  expect(await Promise.all(all)).toEqual([2, 3, 4, 1]);
  const { plain, claims } = placeOf(PREFIX, 'in.7');
  const subjects = sent.map(({ subject }) => subject);
  expect(subjects).toEqual([plain, placeOf(PREFIX, 'in.8').plain, plain, claims]);
});

test('a message keeps its id when it is sent again, and no two have the same', async () => {
  const { appender, sent } = startAppender((_what, request) => {
    void request();
    return request();
  });
  const all = [
    appender.append('in.7', bytesOf('plain')),
    appender.append('out.crm', bytesOf('fenced'), { writer: 7, position: at(1, 1) }),
  ];
  await turn();
  const ids = sent.map(({ headers }) => headers['Nats-Msg-Id']);
  expect(ids).toEqual([ids[0], ids[0], ids[2], ids[2]]);
  expect(ids[2]).not.toBe(ids[0]);
  for (const { stored } of sent) stored(1);
  await Promise.all(all);
});
