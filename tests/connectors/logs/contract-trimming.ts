/** What the log contract says of what is forgotten. */
import { expect, test } from 'vitest';
import { at, type Given, numbers } from './contract-given.ts';
import { bytesOf, readSome, texts } from './reading.ts';

export function trimming(given: Given): void {
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
