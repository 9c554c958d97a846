/** What the log contract says of writers and their fences. */
import { expect, test } from 'vitest';
import type { Log, WriterPosition } from '../../../engine/log/log.ts';
import { at, type Given, numbers } from './contract-given.ts';
import { bytesOf, readSome, texts } from './reading.ts';

export function fencing(given: Given): void {
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
