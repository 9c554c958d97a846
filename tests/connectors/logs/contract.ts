/** The log contract as tests: every home of the log passes the same ones. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Log, LogReader, Offset, WriterPosition } from '../../../engine/log.ts';
import { bytesOf, readSome, texts } from './reading.ts';

/** One log, and the ways to it. */
export interface LogHome {
  readonly partitionCount: number;
  /** A connection of its own, as another thread would have. */
  connect(): Promise<Log>;
  /** Lets go of the log and takes it up again, as the next process would; all are closed before. */
  reopen(): Promise<void>;
  stop(): Promise<void>;
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

function at(epoch: number, offset: number, ordinal = 0): WriterPosition {
  return { epoch, offset, ordinal };
}

export function describeLog(name: string, open: () => Promise<LogHome>): void {
  describe(name, () => {
    let home: LogHome;
    let log: Log;
    let topicCount = 0;
    /** A topic that no other test has written to. */
    const freshTopic = (kind = 'done') => `${kind}.test-${topicCount++}`;
    let partitionsUsed = 0;
    const freshPartition = () => partitionsUsed++;

    beforeAll(async () => {
      home = await open();
      log = await home.connect();
    });
    afterAll(async () => {
      await log?.close();
      await home?.stop();
    });

    appending(() => ({ log, home, freshTopic }));
    fencing(() => ({ log, home, freshTopic }));
    reading(() => ({ log, home, freshTopic }));
    trimming(() => ({ log, home, freshTopic }));

    test('claim: exactly one wins, when several claim one epoch at once', async () => {
      const partition = freshPartition();
      const rivals = await Promise.all(numbers(4).map(() => home.connect()));
      for (const epoch of [1, 2, 3]) {
        const claims = rivals.map((rival, i) => rival.claim(partition, epoch, bytesOf(`${i}`)));
        const settled = await Promise.allSettled(claims);
        const won = settled.filter(({ status }) => status === 'fulfilled');
        expect(won).toHaveLength(1);
        for (const result of settled) {
          if (result.status === 'rejected') {
            expect(result.reason).toMatchObject({ code: 'ERR_EPOCH_TAKEN' });
          }
        }
        expect(await log.epochOf(partition)).toBe(epoch);
      }
      await Promise.all(rivals.map((rival) => rival.close()));
    });

    test('claim: its offset is a position in the input, read with the rest', async () => {
      const partition = freshPartition();
      const topic = `in.${partition}`;
      expect(await log.epochOf(partition)).toBe(0);
      const before = await log.append(topic, bytesOf('before'));
      const claimed = await log.claim(partition, 1, bytesOf('claim'));
      const after = await log.append(topic, bytesOf('after'));
      const seen = await readSome(log, topic, 0, 3);
      expect(seen.map(({ offset }) => offset)).toEqual([before, claimed, after]);
      expect(texts(seen)).toEqual(['before', 'claim', 'after']);
    });

    test('claim: an epoch stays taken, when the topic was trimmed past it', async () => {
      const partition = freshPartition();
      await log.claim(partition, 1, bytesOf('one'));
      const offset = await log.claim(partition, 2, bytesOf('two'));
      await log.trim(`in.${partition}`, offset);
      expect(await log.epochOf(partition)).toBe(2);
      for (const epoch of [1, 2]) {
        const again = log.claim(partition, epoch, bytesOf('again'));
        await expect(again).rejects.toMatchObject({ code: 'ERR_EPOCH_TAKEN' });
      }
      await log.claim(partition, 3, bytesOf('three'));
      expect(await log.epochOf(partition)).toBe(3);
    });

    test('reopen: everything acknowledged is there, positions and epochs too', async () => {
      const partition = freshPartition();
      const plain = freshTopic();
      const lane = freshTopic('out');
      const offsets: (Offset | undefined)[] = [];
      for (const i of numbers(20)) offsets.push(await log.append(plain, bytesOf(`p${i}`)));
      await log.append(lane, bytesOf('f'), { writer: 7, position: at(3, 40, 2) });
      await log.claim(partition, 5, bytesOf('claim'));
      await log.close();
      await home.reopen();
      log = await home.connect();
      const seen = await readSome(log, plain, 0, 20);
      expect(seen.map(({ offset }) => offset)).toEqual(offsets);
      expect(texts(seen)).toEqual(numbers(20).map((i) => `p${i}`));
      expect(await log.tail(plain)).toBe(offsets.at(-1));
      expect(await log.positionOf(lane, 7)).toEqual(at(3, 40, 2));
      expect(await log.epochOf(partition)).toBe(5);
      const next = await log.append(plain, bytesOf('next'));
      expect(next).toBeGreaterThan(offsets.at(-1)!);
    });
  });
}

type Given = () => {
  readonly log: Log;
  readonly home: LogHome;
  readonly freshTopic: (kind?: string) => string;
};

function appending(given: Given): void {
  test('append: offsets grow and order is that of the calls', async () => {
    const { log, freshTopic } = given();
    const topic = freshTopic();
    const wanted = numbers(300).map((i) => `envelope ${i}`);
    const offsets = await Promise.all(wanted.map((text) => log.append(topic, bytesOf(text))));
    for (let i = 1; i < offsets.length; i++) {
      expect(offsets[i]).toBeGreaterThan(offsets[i - 1]!);
    }
    const seen = await readSome(log, topic, 0, wanted.length);
    expect(texts(seen)).toEqual(wanted);
    expect(seen.map(({ offset }) => offset)).toEqual(offsets);
    expect(await log.tail(topic)).toBe(offsets.at(-1));
    expect(await log.head(topic)).toBe(offsets[0]);
  });

  test('append: the bytes are copied, when the caller uses its buffer again', async () => {
    const { log, freshTopic } = given();
    const topic = freshTopic();
    const buffer = new Uint8Array(8);
    const stored = numbers(10).map((i) => {
      buffer.fill(65 + i);
      return log.append(topic, buffer);
    });
    await Promise.all(stored);
    const wanted = numbers(10).map((i) => String.fromCharCode(65 + i).repeat(8));
    expect(texts(await readSome(log, topic, 0, 10))).toEqual(wanted);
  });

  test('append: large envelopes come back whole', async () => {
    const { log, freshTopic } = given();
    const topic = freshTopic();
    const lengths = [300 * 1024, 1, 4096, 299_999];
    for (const [i, length] of lengths.entries()) {
      await log.append(topic, bytesOf(String(i).repeat(length)));
    }
    const seen = await readSome(log, topic, 0, lengths.length);
    expect(texts(seen).map((text) => text.length)).toEqual(lengths);
    for (const [i, { text }] of seen.entries()) expect(new Set(text)).toEqual(new Set([`${i}`]));
  });

  test('append: many topics keep apart, and names may hold any character', async () => {
    const { log, freshTopic } = given();
    const odd = ['a.b', 'a*b', '>', 'ü ñ', 'a/b', '=', 'r', 'own'];
    const topics = [
      ...odd.map((text) => `${freshTopic('out')}-${text}`),
      ...numbers(40).map(() => freshTopic()),
      'rejected',
    ];
    await Promise.all(
      topics.flatMap((topic) => [0, 1].map((i) => log.append(topic, bytesOf(topic + i)))),
    );
    for (const topic of topics) {
      expect(texts(await readSome(log, topic, 0, 2))).toEqual([`${topic}0`, `${topic}1`]);
    }
  });

  test('tail and head: are 0, when nothing was ever appended', async () => {
    const { log, freshTopic } = given();
    const topic = freshTopic();
    expect(await log.tail(topic)).toBe(0);
    expect(await log.head(topic)).toBe(0);
    expect(await log.positionOf(topic, 1)).toBeUndefined();
  });
}

function fencing(given: Given): void {
  test('fence: a replay stores nothing, whatever its epoch', async () => {
    const { log, freshTopic } = given();
    const lane = freshTopic('out');
    const write = (text: string, position: WriterPosition) =>
      log.append(lane, bytesOf(text), { writer: 3, position });
    const first = await write('first', at(1, 10, 4));
    expect(first).toBeGreaterThan(0);
    expect(await write('same', at(1, 10, 4))).toBeUndefined();
    expect(await write('earlier in the envelope', at(1, 10, 3))).toBeUndefined();
    expect(await write('earlier envelope', at(1, 9, 99))).toBeUndefined();
    expect(await write('same, by a new owner', at(2, 10, 4))).toBeUndefined();
    const second = await write('second', at(2, 10, 5));
    expect(second).toBeGreaterThan(first!);
    expect(await log.positionOf(lane, 3)).toEqual(at(2, 10, 5));
    expect(await log.tail(lane)).toBe(second);
    const seen = await readSome(log, lane, 0, 2);
    expect(texts(seen)).toEqual(['first', 'second']);
    expect(seen.map(({ fence }) => fence)).toEqual([
      { writer: 3, position: at(1, 10, 4) },
      { writer: 3, position: at(2, 10, 5) },
    ]);
  });

  test('fence: a zombie is refused, when a newer epoch has written', async () => {
    const { home, freshTopic } = given();
    const lane = freshTopic('out');
    const [older, newer] = [await home.connect(), await home.connect()];
    const write = (log: Log, position: WriterPosition) =>
      log.append(lane, bytesOf(JSON.stringify(position)), { writer: 0, position });
    await write(older, at(1, 1));
    await write(older, at(1, 2));
    await write(newer, at(2, 3));
    await expect(write(older, at(1, 4))).rejects.toMatchObject({ code: 'ERR_FENCED' });
    await expect(write(older, at(1, 5))).rejects.toMatchObject({ code: 'ERR_FENCED' });
    await write(newer, at(2, 4));
    const wanted = [at(1, 1), at(1, 2), at(2, 3), at(2, 4)].map((position) =>
      JSON.stringify(position),
    );
    expect(texts(await readSome(newer, lane, 0, 4))).toEqual(wanted);
    await Promise.all([older.close(), newer.close()]);
  });

  test('fence: each position is stored once, when an owner and its successor race', async () => {
    const { home, freshTopic } = given();
    const lane = freshTopic('out');
    const count = 60;
    const owners = [await home.connect(), await home.connect()];
    await Promise.all(
      owners.map(async (owner, i) => {
        for (const offset of numbers(count)) {
          try {
            const position = at(i + 1, offset + 1);
            await owner.append(lane, bytesOf(`${offset}`), { writer: 9, position });
          } catch (error) {
            expect(error).toMatchObject({ code: 'ERR_FENCED' });
            return;
          }
        }
      }),
    );
    expect((await owners[0]!.positionOf(lane, 9))?.offset).toBe(count);
    expect(texts(await readSome(owners[0]!, lane, 0, count))).toEqual(
      numbers(count).map((offset) => `${offset}`),
    );
    await Promise.all(owners.map((owner) => owner.close()));
  });

  test('fence: writers of one topic have positions of their own', async () => {
    const { log, freshTopic } = given();
    const lane = freshTopic('out');
    const writers = [0, 1, 63, 65_535];
    await Promise.all(
      writers.map(async (writer) => {
        for (const offset of [1, 2, 3]) {
          const fence = { writer, position: at(1, offset, writer) };
          await log.append(lane, bytesOf(`${writer}:${offset}`), fence);
        }
      }),
    );
    for (const writer of writers) {
      expect(await log.positionOf(lane, writer)).toEqual(at(1, 3, writer));
    }
    const seen = texts(await readSome(log, lane, 0, 3 * writers.length));
    for (const writer of writers) {
      const own = seen.filter((text) => text.startsWith(`${writer}:`));
      expect(own).toEqual([1, 2, 3].map((offset) => `${writer}:${offset}`));
    }
  });
}

function reading(given: Given): void {
  test('read: starts in the middle, behind the offset given', async () => {
    const { log, freshTopic } = given();
    const topic = freshTopic();
    const offsets = await Promise.all(numbers(50).map((i) => log.append(topic, bytesOf(`${i}`))));
    const seen = await readSome(log, topic, offsets[29]!, 20);
    expect(texts(seen)).toEqual(numbers(20).map((i) => `${30 + i}`));
  });

  test('read: is woken once by an append, and only after it was told that there is none', async () => {
    const { log, freshTopic } = given();
    const topic = freshTopic();
    let wakes = 0;
    let onWake: () => void = () => undefined;
    const reader: LogReader = log.read(topic, 0, () => {
      wakes++;
      onWake();
    });
    for (const round of [1, 2, 3]) {
      const woken = new Promise<void>((resolve) => {
        onWake = resolve;
      });
      expect(reader.poll()).toBeUndefined();
      await log.append(topic, bytesOf(`${round}`));
      await woken;
      expect(wakes).toBe(round);
      expect(Buffer.from(reader.poll()!.bytes).toString()).toBe(`${round}`);
    }
    reader.close();
  });

  test('read: nothing is lost or doubled over thousands of envelopes, while they are appended', async () => {
    const { home, freshTopic } = given();
    const topic = freshTopic();
    const count = 5_000;
    const [writer, early, late] = [
      await home.connect(),
      await home.connect(),
      await home.connect(),
    ];
    const wanted = numbers(count).map((i) => `${i} ${'x'.repeat(i % 977)}`);
    const first = readSome(early, topic, 0, count);
    const halfway = Promise.all(
      wanted.slice(0, count / 2).map((text) => writer.append(topic, bytesOf(text))),
    );
    const second = halfway.then(() => readSome(late, topic, 0, count));
    await halfway;
    await Promise.all(wanted.slice(count / 2).map((text) => writer.append(topic, bytesOf(text))));
    expect(texts(await first)).toEqual(wanted);
    expect(texts(await second)).toEqual(wanted);
    await Promise.all([writer, early, late].map((log) => log.close()));
  });

  test('read: bytes stay as they are until the next poll of that reader, when others poll', async () => {
    const { log, freshTopic } = given();
    const topics = [freshTopic(), freshTopic()];
    for (const topic of topics) {
      for (const i of [0, 1]) await log.append(topic, bytesOf(`${topic} ${i}`));
      await readSome(log, topic, 0, 2);
    }
    const readers = await Promise.all(topics.map((topic) => startReader(log, topic)));
    for (const i of [0, 1]) {
      const envelopes = await Promise.all(readers.map((reader) => reader.next()));
      for (const [r, envelope] of envelopes.entries()) {
        expect(Buffer.from(envelope.bytes).toString()).toBe(`${topics[r]} ${i}`);
      }
    }
    for (const reader of readers) reader.close();
  });
}

/** A reader whose `next` waits; the envelope is not copied. */
async function startReader(log: Log, topic: string) {
  let wake: () => void = () => undefined;
  const reader = log.read(topic, 0, () => wake());
  return {
    close: () => reader.close(),
    async next() {
      for (;;) {
        const readable = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const envelope = reader.poll();
        if (envelope !== undefined) return envelope;
        await readable;
      }
    },
  };
}

function trimming(given: Given): void {
  test('trim: forgets up to the offset and no further, tail and order go on', async () => {
    const { log, freshTopic } = given();
    const topic = freshTopic();
    const offsets = await Promise.all(numbers(30).map((i) => log.append(topic, bytesOf(`${i}`))));
    await log.trim(topic, offsets[9]!);
    expect(await log.head(topic)).toBe(offsets[10]);
    expect(await log.tail(topic)).toBe(offsets[29]);
    expect(texts(await readSome(log, topic, 0, 20))).toEqual(numbers(20).map((i) => `${10 + i}`));
    await log.trim(topic, offsets[4]!);
    expect(await log.head(topic)).toBe(offsets[10]);
  });

  test('trim: tail and positions stay known, when nothing is left', async () => {
    const { log, home, freshTopic } = given();
    const lane = freshTopic('out');
    let last = 0;
    for (const offset of [1, 2, 3]) {
      for (const writer of [0, 1]) {
        const fence = { writer, position: at(2, offset) };
        last = (await log.append(lane, bytesOf(`${writer}:${offset}`), fence))!;
      }
    }
    await log.trim(lane, last);
    const other = await home.connect();
    for (const each of [log, other]) {
      expect(await each.head(lane)).toBe(0);
      expect(await each.tail(lane)).toBe(last);
      expect(await each.positionOf(lane, 0)).toEqual(at(2, 3));
      const replay = each.append(lane, bytesOf('x'), { writer: 0, position: at(2, 3) });
      expect(await replay).toBeUndefined();
      const zombie = each.append(lane, bytesOf('x'), { writer: 1, position: at(1, 9) });
      await expect(zombie).rejects.toMatchObject({ code: 'ERR_FENCED' });
    }
    const next = await other.append(lane, bytesOf('next'), { writer: 0, position: at(2, 4) });
    expect(next).toBeGreaterThan(last);
    expect(texts(await readSome(log, lane, 0, 1))).toEqual(['next']);
    await other.close();
  });

  test('trim: a writer that is far ahead keeps all that is behind the offset', async () => {
    const { log, freshTopic } = given();
    const lane = freshTopic('out');
    const write = (writer: number, offset: number) =>
      log.append(lane, bytesOf(`${writer}:${offset}`), { writer, position: at(1, offset) });
    await write(0, 1);
    const upTo = await write(1, 1);
    for (const offset of [2, 3, 4]) await write(1, offset);
    await log.trim(lane, upTo!);
    expect(texts(await readSome(log, lane, 0, 3))).toEqual(['1:2', '1:3', '1:4']);
  });
}
